import Statistics

/// The time of deliveries inside the server, in parts.
struct ServerDelayReport {
    private let delays: DelaySplitFigures?

    init(_ delays: DelaySplitFigures?) { self.delays = delays }

    var text: String {
        guard let delays else { return "" }
        let parts = delays.parts.map { name, part in
            "\(name) \(Self.milliseconds(part.p50Milliseconds))/\(Self.milliseconds(part.p99Milliseconds))"
        }
        return
            "SERVER DELAY (steady window, \(delays.write.count) deliveries of one video message in 17)\n"
            + "  server: p50/p99 ms: \(parts.joined(separator: ", "))\n"
    }

    private static func milliseconds(_ value: Double) -> String {
        Figure.number(value, digits: 3)
    }
}
