package import Floor
package import SimulationKernel

/// The floor sender as a child process.
package struct FloorRole: WorkerRole {
    package struct Ready: Codable, Sendable {
        package var rtmpPort: Int
    }

    package static let name = "floor"
    private let server: FloorServer

    package init(_ config: FloorConfiguration) throws { server = try FloorServer(config) }

    package var ready: Ready { Ready(rtmpPort: server.port) }
    package func start(atNanoseconds start: Int64) { server.begin(atNanoseconds: start) }
    package func setWindow(_ window: Window) {}
    package func interval() -> FloorStatus { server.status }
    package func stop() async -> FloorStatus { await server.stop() }
}
