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

            """
    }

    private func number(_ value: Double?) -> String { Figure.number(value, digits: 2) }
}
