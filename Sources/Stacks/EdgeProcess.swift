package import Processes
package import Server
import Synchronization
import Workers

/// One run of an edge's program.
package protocol EdgeProcess: Sendable {
    /// Number of the process that leads the program's process group.
    var pid: Int32 { get }
    /// Port at which clients connect.
    var port: Int { get }
    /// Manner in which the program ended before it was told to; nil while it runs.
    var failure: String? { get }
    /// Counts of the program until the last second.
    var latest: EdgeStatus { get }
    /// Ends the program if it still runs. Returns its counts until its end; nil if they are lost.
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

    /// Starts the edge and waits until it listens.
    ///
    /// - Parameter config: Configuration; port 0 means any port.
    /// - Throws: `ProcessError` with the edge's own words.
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
        // The edge reports every second once it has been told to start.
        handle.send(.start(monotonicNanoseconds: 0))
    }

    package var pid: Int32 { handle.pid }
    package var failure: String? { handle.failure }
    package var latest: EdgeStatus { reported.status.withLock { $0 } ?? EdgeStatus(origin: "") }
    package func finish() async -> EdgeStatus? { await handle.finish(timeout: .seconds(5)) }
}
