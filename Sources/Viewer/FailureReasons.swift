import HTTPWire

/// Groups the failures of viewers by reason, so that a thousand failures make a few lines.
public enum FailureReasons {
    /// Largest number of different reasons; further reasons are counted together.
    public static let limit = 20

    /// Returns each reason with its count, the most frequent first.
    public static func ranked(_ reasons: [String]) -> [(reason: String, count: Int)] {
        var counts: [String: Int] = [:]
        // Reasons quote the words of servers, so control characters must not reach the terminal.
        for reason in reasons {
            counts[reason.printable(limit: 1000), default: 0] += 1
        }
        let ranked = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { (reason: $0.key, count: $0.value) }
        guard ranked.count > limit else { return ranked }
        let rest = ranked[(limit - 1)...]
        return ranked.prefix(limit - 1) + [
            ("\(rest.count) other reasons", rest.reduce(0) { $0 + $1.count })
        ]
    }
}
