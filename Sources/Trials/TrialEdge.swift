// Edges take part in a trial as children, like the server, and are part of what is under test. An
// edge that ends is started again on its port, with the encoders' back-off. The counts of its runs
// are added up, notes say when it ended, thresholds judge what the viewers received from it, and an
// edge that is given up fails the run. Viewers' own records say how many distinct segments were
// requested, and the edges' counts are compared with them. There is no comparison if parts are
// fetched, because whole segments then do not cross the WAN. The time saved is computed between
// groups that differ only in their path to the media. A viewer with `via: origin` has the WAN's
// delay on top of its link's. With `driver: nginx` an edge is a real nginx with `proxy_cache`. Its
// access log provides the counts (`NginxEdgeLog`), and its WAN is one of Millrace's edges that
// caches nothing, in the role `wan`. `stack.uplink` is a class of the kernel's HTB on the run's own
// loopback, by the server's HTTP port.

import Processes
import Server
import SimulationKernel
import Sockets
import Stacks
import Synchronization

/// One edge of a trial across its restarts: if its program ends on its own, the program is started
/// again on the same port, after a delay that grows with each failure in a row.
final class TrialEdge: Sendable {
    private struct Lifecycle: Sendable {
        var supervisor: SupervisorStateMachine
        /// The present run of the program; nil between two runs.
        var process: (any EdgeProcess)?
        var port = 0
        /// Counts of the runs that ended.
        var past = EdgeStatus(origin: "")
        /// Events with their times on the monotonic clock.
        var log = SupervisionLog<Int64>(limit: TrialEdge.eventLimit)
        /// Number of runs that left no report of their own and have no event in the log.
        var unreportedLosses = 0

        /// Notes that the program ended or could not be started.
        mutating func failed(_ failure: String, at now: Int64) -> SupervisorStateMachine.Next {
            let next = supervisor.ended(failure, atMilliseconds: TrialEdge.milliseconds(now))
            if next == .giveUp { log.add("was given up: it \(failure)", at: now) }
            return next
        }
    }

    private static let loss = "its report is lost, its figures are those of its last second"

    /// Number of events that are kept; of later ones only the sums are reported.
    private static let eventLimit = 50

    let name: String
    private let start: @Sendable (_ port: Int) async throws -> any EdgeProcess
    private let lifecycle: Mutex<Lifecycle>
    private let watching = Mutex<Task<Void, Never>?>(nil)

    /// - Parameter start: Function that starts the program on a port, of which 0 means any, and
    ///   waits until the program listens.
    init(
        name: String, policy: RestartPolicy = .init(),
        start: @escaping @Sendable (_ port: Int) async throws -> any EdgeProcess
    ) {
        self.name = name
        lifecycle = Mutex(Lifecycle(supervisor: SupervisorStateMachine(policy: policy)))
        self.start = start
    }

    /// Starts the program for the first time; from then on the program is kept running.
    ///
    /// - Throws: The program's own words. The first start is not tried again.
    func begin() async throws {
        try await launch(port: 0)
        watching.withLock { $0 = Task { await watch() } }
    }

    var port: Int { lifecycle.withLock { $0.port } }
    var state: SupervisorStateMachine.State { lifecycle.withLock { $0.supervisor.state } }
    var restarts: Int { lifecycle.withLock { $0.supervisor.restarts } }
    /// Events with their times on the monotonic clock.
    var events: [SupervisionLog<Int64>.Event] { lifecycle.withLock { $0.log.events } }
    /// Description of the program's latest failure; empty before that.
    var lastFailure: String { lifecycle.withLock { $0.supervisor.lastFailure ?? "" } }
    /// Number of the process that leads the process group of the present run; nil between two runs.
    var pid: Int32? { lifecycle.withLock { $0.process?.pid } }

    /// Ends the program.
    ///
    /// - Returns: Counts of all runs of the program, as far as they are known, and notes about lost
    ///   reports that no event has named.
    func finish() async -> (status: EdgeStatus, lost: [String]) {
        let task = watching.withLock { $0 }
        task?.cancel()
        await task?.value
        var (status, process, unreported) = lifecycle.withLock {
            ($0.past, $0.process, $0.unreportedLosses)
        }
        var lost = unreported > 0 ? ["the reports of \(unreported) later runs are lost, too"] : []
        guard let process else { return (status, lost) }
        let failure = process.failure
        let last = await process.finish()
        status += last ?? process.latest
        if last == nil { lost.append("\(Self.loss): \(failure ?? "it ended without one")") }
        return (status, lost)
    }

    private static func milliseconds(_ nanoseconds: Int64) -> Int { Int(nanoseconds / 1_000_000) }

    private func launch(port: Int) async throws {
        let process = try await start(port)
        let now = Clock.monotonicNanoseconds()
        lifecycle.withLock {
            $0.process = process
            $0.port = process.port
            $0.supervisor.launched(atMilliseconds: Self.milliseconds(now))
            $0.supervisor.becameReady()
            if $0.supervisor.restarts > 0 { $0.log.add("was started again", at: now) }
        }
    }

    /// Keeps the program running until it is given up or the task is cancelled.
    private func watch() async {
        while !Task.isCancelled {
            guard let process = lifecycle.withLock({ $0.process }), let failure = process.failure
            else {
                try? await Task.sleep(for: .milliseconds(50))
                continue
            }
            let next = await recordExit(of: process, failure)
            guard await startAgain(next) else { return }
        }
    }

    /// - Returns: Whether the program runs again.
    private func startAgain(_ next: SupervisorStateMachine.Next) async -> Bool {
        var next = next
        while case .restart(let delay) = next {
            try? await Task.sleep(for: .milliseconds(delay))
            guard !Task.isCancelled else { return false }
            do {
                try await launch(port: port)
                return true
            } catch {
                let words = (error as? ProcessError)?.message ?? "\(error)"
                let failure = "could not be started again: \(words)"
                let now = Clock.monotonicNanoseconds()
                next = lifecycle.withLock {
                    $0.log.add(failure, at: now)
                    return $0.failed(failure, at: now)
                }
            }
        }
        return false
    }

    /// Adds the counts of a run that ended to those of the runs before it.
    private func recordExit(
        of process: any EdgeProcess, _ failure: String
    ) async -> SupervisorStateMachine.Next {
        let now = Clock.monotonicNanoseconds()
        let last = await process.finish()
        let counted = last ?? process.latest
        let ended = "ended: it \(failure)"
        let words = last == nil ? "\(ended); \(Self.loss)" : ended
        return lifecycle.withLock {
            let isLogged = $0.log.add(words, at: now)
            if last == nil, !isLogged { $0.unreportedLosses += 1 }
            $0.past += counted
            $0.process = nil
            return $0.failed(failure, at: now)
        }
    }
}

extension EdgeStatus {
    /// Adds another run's counts.
    fileprivate static func += (a: inout EdgeStatus, b: EdgeStatus) {
        for (kind, counts) in b.kinds { a.kinds[kind, default: .init()] += counts }
    }
}
