import Workers
package import Processes
package import Server
import Synchronization

/// One run of an edge's program.
package protocol EdgeProcess: Sendable {
    /// Leads its process group.
    var pid: Int32 { get }
    /// Where its clients come.
    var port: Int { get }
    /// How it ended before it was told to; nil while it runs.
    var failure: String? { get }
    /// What it has counted, as of the last second.
    var latest: EdgeStatus { get }
    /// Ends it, where it has not ended; what it counted until its end, nil where that is lost.
    func finish() async -> EdgeStatus?
}

/// `millrace edge` as a child process.
package final class EmbeddedEdge: EdgeProcess {
    private let handle: RoleHandle<EdgeRole>
    private let reported: Reported
    package let port: Int

    private final class Reported: Sendable {
        let status = Mutex<EdgeStatus?>(nil)
    }

    /// Starts it and waits until it listens.
    ///
    /// - Parameter config: its port may be 0.
    /// - Throws: `ProcessError` with its own words.
    package init(
        name: String, _ config: EdgeConfiguration, cpus: CPUSet?, logDirectory: String
    ) async throws(ProcessError) {
        let reported = Reported()
        handle = try RoleHandle<EdgeRole>(
            name: name, logDirectory: logDirectory, cpus: cpus, config: config
        ) { status in reported.status.withLock { $0 = status } }
        self.reported = reported
        do { port = try await handle.waitUntilReady().port } catch {
            await handle.kill()
            throw error
        }
        // Reports every second begin with the start.
        handle.send(.start(monotonicNanoseconds: 0))
    }

    package var pid: Int32 { handle.pid }
    package var failure: String? { handle.failure }
    package var latest: EdgeStatus { reported.status.withLock { $0 } ?? EdgeStatus(origin: "") }
    package func finish() async -> EdgeStatus? { await handle.finish(timeout: .seconds(5)) }
}
