import Processes

/// Events of programs that a run keeps running. A program that ends again and again makes many
/// events, so a bounded number of events is kept, and the others are counted.
///
/// `Moment` is the form of time in which the caller knows when an event happened.
struct SupervisionLog<Moment: Sendable>: Sendable {
    struct Event: Sendable {
        var moment: Moment
        /// Text of the event, as a predicate: "was started again".
        var words: String
    }

    /// Number of events that are kept.
    let limit: Int
    private(set) var events: [Event] = []
    /// Number of events that found no room.
    private(set) var uncounted = 0

    init(limit: Int) { self.limit = limit }

    /// Adds an event; returns whether there was room for it.
    @discardableResult
    mutating func add(_ words: String, at moment: Moment) -> Bool {
        guard events.count < limit else {
            uncounted += 1
            return false
        }
        events.append(Event(moment: moment, words: words))
        return true
    }
}

/// States of the supervised programs of one kind at the end of a run.
struct SupervisionSummary {
    /// Name of such programs in the plural: "edges".
    var kind: String
    /// Each program with its state, in the words of `SupervisorStateMachine.State`.
    var programs: [(name: String, state: String)]
    /// Number of restarts of all programs together.
    var restarts: Int

    private var degraded: [(name: String, state: String)] {
        programs.filter { $0.state != SupervisorStateMachine.State.running.rawValue }
    }

    var isDegraded: Bool { !degraded.isEmpty }

    var note: String {
        guard isDegraded else {
            return "\(kind): \(programs.count) running at the end, \(restarts) restarts"
        }
        return "\(kind) DEGRADED at the end: "
            + degraded.map { "\($0.name) \($0.state)" }.joined(separator: ", ")
    }
}
