package import SimulationKernel
package import Viewer

/// A client that floods the server's API in the steady window, as a child process.
package final class APIFloodRole: WorkerRole {
    package static let name = "api-flood"
    private let flood: APIFlood

    package init(_ config: APIFloodSpec) async throws { flood = try await APIFlood(config) }

    package var ready: Empty { Empty() }
    package func start(atNanoseconds start: Int64) {}
    package func setWindow(_ window: Window) { flood.setWindow(window) }
    package func interval() async throws -> APIFloodReport { try await flood.report() }
    package func stop() async throws -> APIFloodReport { try await flood.stop() }
}
