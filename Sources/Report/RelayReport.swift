import Results
import Statistics

/// Table of what arrived at the targets of a relay.
struct RelayReport {
    private let summary: RelaySummary?

    init(_ summary: RelaySummary?) { self.summary = summary }

    /// Text of the table; empty without a relay.
    var text: String {
        guard let summary else { return "" }
        let missing = summary.framesMissing.map { "\($0)" } ?? "–"
        return """
            RELAY (at the targets; corrected: from the intended time of a frame to its arrival)
              sessions           \(summary.sessionsServed) of \(summary.sessionsPlanned), \
            each stream to \(summary.targets) targets
              delay, corrected   p50 \(number(summary.delayP50Milliseconds)), \
            p99 \(number(summary.delayP99Milliseconds)) ms
              delay, uncorrected p50 \(number(summary.delayUncorrectedP50Milliseconds)), \
            p99 \(number(summary.delayUncorrectedP99Milliseconds)) ms
              frames             \(Figure.integer(summary.framesReceived)) received, \
            \(missing) missing, \(summary.framesDuplicate) twice
              sessions ended     \(summary.orderlyEnds) in order, \(summary.cutOffs) cut off, \
            \(summary.reconnects) reconnects
            \(flood)
            """
    }

    /// Line about the requests that flooded the server's API; empty without a flood.
    private var flood: String {
        guard let flood = summary?.apiFlood else { return "" }
        return """
              API flood          \(flood.requests) requests: \(flood.accepted) answered with 2xx, \
            \(flood.refused) with another status, \(flood.unanswered) not answered; \
            \(flood.skipped) more were due
              API answers        p50 \(number(flood.timeP50Milliseconds)), \
            p99 \(number(flood.timeP99Milliseconds)) ms

            """
    }

    private func number(_ value: Double?) -> String { Figure.number(value, digits: 2) }
}
