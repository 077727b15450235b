package import Floor
package import Processes
import Workers

/// The floor sender in the place of a server, as a child process of this binary. It shows what the
/// generators use beside a server that costs next to nothing.
package actor FloorDriver: StackDriver {
    package nonisolated let name = "floor"
    private let configuration: FloorConfiguration
    private let cpus: CPUSet?
    private let logDirectory: String
    private var handle: RoleHandle<FloorRole>?
    /// The last report of the floor sender; nil before its end.
    private var lastReport: FloorStatus?

    package init(_ configuration: FloorConfiguration, cpus: CPUSet?, logDirectory: String) {
        self.configuration = configuration
        self.cpus = cpus
        self.logDirectory = logDirectory
    }

    package func start() async throws(StackError) -> StackEndpoints {
        do {
            let handle = try RoleHandle<FloorRole>(
                name: "server-0", logDirectory: logDirectory, cpus: cpus, config: configuration)
            self.handle = handle
            let ready = try await handle.waitUntilReady()
            return StackEndpoints(
                rtmpHost: "127.0.0.1", rtmpPort: ready.rtmpPort, application: "live")
        } catch {
            await handle?.kill()
            throw StackError(driver: name, message: error.message)
        }
    }

    package func begin(atNanoseconds start: Int64) {
        handle?.send(.start(monotonicNanoseconds: start))
    }

    package var processGroups: [Int32] { handle.map { [$0.pid] } ?? [] }

    package var exitStatus: ExitStatus? { handle?.exitStatus }

    package var notes: [String] {
        var notes = [
            "the floor sender relays nothing: its frames are its own, at the publishers' times, "
                + "so the wire shows no relay delay"
        ]
        guard let lastReport else { return notes }
        notes.append(
            "the floor sender's latest flush was "
                + "\(lastReport.worstLatenessNanoseconds / 1_000_000) ms behind its schedule")
        if lastReport.framesDropped > 0 || lastReport.flushesDropped > 0 {
            notes.append(
                "the floor sender dropped \(lastReport.framesDropped) frames in "
                    + "\(lastReport.flushesDropped) flushes for players that did not read")
        }
        if lastReport.refusals > 0 {
            notes.append(
                "the floor sender closed \(lastReport.refusals) connections; the latest because of "
                    + "this: \(lastReport.lastRefusal ?? "")")
        }
        if let fault = lastReport.fault { notes.append("the floor sender: \(fault)") }
        return notes
    }

    package func stop() async {
        lastReport = await handle?.finish(timeout: .seconds(5)) ?? lastReport
        handle = nil
    }
}
