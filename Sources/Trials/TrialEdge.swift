import SimulationKernel
import Stacks
import Sockets
import Processes
import Server
import Synchronization

/// One edge of a trial across its restarts: one that ends on its own is started again on the same
/// port, with back-off.
final class TrialEdge: Sendable {
    enum State: String, Sendable {
        case starting, running
        case backingOff = "backing-off"
        /// Given up after too many failures in a row.
        case failed
    }

    struct Event: Sendable, Hashable {
        /// CLOCK_MONOTONIC.
        var nanoseconds: Int64
        var words: String
    }

    private struct Course: Sendable {
        var state = State.starting
        var process: (any EdgeProcess)?
        var startedAt: Int64 = 0
        var port = 0
        /// Of runs that ended.
        var past = EdgeStatus(origin: "")
        var restarts = 0
        var backoff: RestartBackoff
        /// Until the next start, while there is no process; nil where there will be none.
        var pauseMilliseconds: Int?
        var lastFailure = ""
        var events: [Event] = []
        /// Runs without their own report whose ends found no room among the events.
        var untoldLosses = 0

        /// - Returns: false where there is no more room.
        @discardableResult
        mutating func tell(
            _ words: String, at now: Int64 = Clock.monotonicNanoseconds()
        ) -> Bool {
            guard events.count < TrialEdge.eventLimit else { return false }
            events.append(Event(nanoseconds: now, words: words))
            return true
        }
    }

    private static let loss = "its report is lost, its figures are those of its last second"

    /// Events kept; of later ones only the sums are told.
    private static let eventLimit = 50

    let name: String
    private let start: @Sendable (_ port: Int) async throws -> any EdgeProcess
    private let course: Mutex<Course>
    private let watching = Mutex<Task<Void, Never>?>(nil)

    /// - Parameter start: starts the program and waits until it listens; port 0 = any.
    init(
        name: String, policy: RestartPolicy = .init(),
        start: @escaping @Sendable (_ port: Int) async throws -> any EdgeProcess
    ) {
        self.name = name
        course = Mutex(Course(backoff: RestartBackoff(policy)))
        self.start = start
    }

    /// Starts it for the first time; from then on it is kept running.
    ///
    /// - Throws: what the program says; it is not tried again.
    func begin() async throws {
        try await launch(port: 0)
        watching.withLock { $0 = Task { await watch() } }
    }

    var port: Int { course.withLock { $0.port } }
    var state: State { course.withLock { $0.state } }
    var restarts: Int { course.withLock { $0.restarts } }
    var events: [Event] { course.withLock { $0.events } }
    var lastFailure: String { course.withLock { $0.lastFailure } }
    /// Leads the process group of the present run; nil while there is none.
    var pid: Int32? { course.withLock { $0.process?.pid } }

    /// Ends it; what all its runs counted, as far as that is known.
    ///
    /// - Returns: with what is to be told of runs whose own report is lost, apart from the events.
    func finish() async -> (status: EdgeStatus, lost: [String]) {
        let task = watching.withLock { $0 }
        task?.cancel()
        await task?.value
        var (status, process, untold) = course.withLock {
            ($0.past, $0.process, $0.untoldLosses)
        }
        var lost = untold > 0 ? ["the reports of \(untold) later runs are lost, too"] : []
        guard let process else { return (status, lost) }
        let failure = process.failure
        let last = await process.finish()
        status += last ?? process.latest
        if last == nil { lost.append("\(Self.loss): \(failure ?? "it ended without one")") }
        return (status, lost)
    }

    private func launch(port: Int) async throws {
        let process = try await start(port)
        course.withLock {
            $0.process = process
            $0.port = process.port
            $0.startedAt = Clock.monotonicNanoseconds()
            $0.state = .running
        }
    }

    private func watch() async {
        while !Task.isCancelled {
            if let process = course.withLock({ $0.process }) {
                if let failure = process.failure {
                    await bury(process, failure)
                } else {
                    try? await Task.sleep(for: .milliseconds(50))
                }
                continue
            }
            guard let pause = course.withLock({ $0.pauseMilliseconds }) else {
                course.withLock {
                    $0.tell("was given up: it \($0.lastFailure)")
                    $0.state = .failed
                }
                return
            }
            try? await Task.sleep(for: .milliseconds(pause))
            guard !Task.isCancelled else { return }
            do {
                try await launch(port: port)
                course.withLock {
                    $0.tell("was started again")
                    $0.restarts += 1
                }
            } catch {
                let words = (error as? ProcessError)?.message ?? "\(error)"
                course.withLock {
                    $0.lastFailure = "could not be started again: \(words)"
                    $0.pauseMilliseconds = $0.backoff.ended(afterMilliseconds: 0)
                    $0.tell("could not be started again: \(words)")
                }
            }
        }
    }

    /// Takes what a run that ended had counted.
    private func bury(_ process: any EdgeProcess, _ failure: String) async {
        let now = Clock.monotonicNanoseconds()
        let last = await process.finish()
        let counted = last ?? process.latest
        let ended = "ended: it \(failure)"
        let words = last == nil ? "\(ended); \(Self.loss)" : ended
        course.withLock {
            let isTold = $0.tell(words, at: now)
            if last == nil, !isTold { $0.untoldLosses += 1 }
            $0.past += counted
            $0.process = nil
            $0.state = .backingOff
            $0.lastFailure = failure
            $0.pauseMilliseconds = $0.backoff.ended(
                afterMilliseconds: Int((now - $0.startedAt) / 1_000_000))
        }
    }
}

extension EdgeStatus {
    /// Adds another run's counts.
    fileprivate static func += (a: inout EdgeStatus, b: EdgeStatus) {
        for (kind, counts) in b.kinds { a.kinds[kind, default: .init()] += counts }
    }
}

extension TrialRunner {
    /// What a reader of the results should know of edges that ended on their own.
    var edgeNotes: [String] {
        var notes: [String] = []
        for edge in edges {
            for event in edge.events {
                let seconds = Double(event.nanoseconds - startNanoseconds) / 1e9
                notes.append(
                    "\(edge.name) \(event.words) (at \((seconds * 10).rounded() / 10) s"
                        + (window.contains(event.nanoseconds) ? ", in the steady window)" : ")"))
            }
        }
        let degraded = edges.filter { $0.state != .running }
        let restarts = edges.reduce(0) { $0 + $1.restarts }
        if !degraded.isEmpty {
            let each = degraded.map { "\($0.name) \($0.state.rawValue)" }.joined(separator: ", ")
            notes.append("edges DEGRADED at the end: \(each)")
        } else if restarts > 0 {
            notes.append("edges: \(edges.count) running at the end, \(restarts) restarts")
        }
        return notes
    }
}
