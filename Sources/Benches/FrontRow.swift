/// One point of the front of CPU against delay: medians over the rounds of one server with one
/// flush interval.
package struct FrontRow: Codable, Sendable, Hashable {
    /// Place of a peer's point, or of a point of the embedded stack.
    package enum Place: String, Codable, Sendable {
        /// No point of the embedded stack has less CPU and no more delay. Only peers have this
        /// place.
        case ahead
        /// A point of the other side has less CPU, and no more delay at p50 and at p99. The other
        /// side of a peer is the embedded stack, and that of the embedded stack are the peers.
        case behind
    }

    /// Names of the embedded stack and of the floor sender in `server`.
    static let own = "embedded"
    static let floor = "floor"

    package var server: String
    /// Reading mode of the load viewers.
    package var mode: String
    /// Nil = as the load is, or the server's own.
    package var flushIntervalMilliseconds: Int?
    /// CPU seconds of the server per gigabit; nil if no round measured them, as with the delays.
    package var cpuPerGigabit: Double?
    package var delayP50Milliseconds: Double?
    package var delayP99Milliseconds: Double?
    /// CPU in multiples of the floor sender's CPU with the same flush interval; nil without such a
    /// point, and for peers.
    package var timesFloor: Double?
    /// Place of a peer's point, or `behind` for a point of the embedded stack; nil for all others,
    /// and if something was not measured.
    package var place: Place?
    /// Server and setting of the point that this one is behind; nil if there is none.
    package var behind: String?
    /// Frames that were due to probes and did not come, over all rounds. A server that leaves
    /// frames out has less to do.
    package var framesMissing = 0

    private enum CodingKeys: String, CodingKey {
        case server, mode, place, behind
        case flushIntervalMilliseconds = "flush_interval_ms"
        case cpuPerGigabit = "server_cpu_s_per_gbit"
        case delayP50Milliseconds = "delay_p50_ms"
        case delayP99Milliseconds = "delay_p99_ms"
        case timesFloor = "times_floor"
        case framesMissing = "frames_missing"
    }

    /// The flush interval as tables have it: milliseconds, `auto`, or a dash for a peer.
    package var flushWords: String { Self.flushWords(server, flushIntervalMilliseconds) }

    /// Returns the flush interval of a server as tables have it.
    package static func flushWords(_ server: String, _ milliseconds: Int?) -> String {
        milliseconds.map { "\($0)" } ?? (server == own ? "auto" : "-")
    }

    /// Returns the points of all servers, in the order of their first measurements.
    static func rows(of measurements: [FanoutBench.Measurement]) -> [FrontRow] {
        var rows: [FrontRow] = []
        for measurement in measurements
        where !rows.contains(where: { $0.isPoint(of: measurement) }) {
            var row = FrontRow(
                server: measurement.server, mode: measurement.mode,
                flushIntervalMilliseconds: measurement.flushIntervalMilliseconds)
            let rounds = measurements.filter { row.isPoint(of: $0) }
            row.cpuPerGigabit = median(rounds.compactMap(\.serverCPUPerGigabit))
            row.delayP50Milliseconds = median(rounds.compactMap(\.delayP50Milliseconds))
            row.delayP99Milliseconds = median(rounds.compactMap(\.delayP99Milliseconds))
            row.framesMissing = rounds.reduce(0) { $0 + $1.framesMissing }
            rows.append(row)
        }
        return rows.map { $0.compared(with: rows) }
    }

    private func isPoint(of measurement: FanoutBench.Measurement) -> Bool {
        measurement.server == server && measurement.mode == mode
            && measurement.flushIntervalMilliseconds == flushIntervalMilliseconds
    }

    /// Returns the row with what follows from the other rows of its mode.
    private func compared(with rows: [FrontRow]) -> FrontRow {
        var row = self
        let others = rows.filter { $0.mode == mode }
        guard server != Self.floor else { return row }
        let isOwn = server == Self.own
        if let cpu = cpuPerGigabit, let p50 = delayP50Milliseconds, let p99 = delayP99Milliseconds {
            let better = others.first {
                $0.server != Self.floor && ($0.server == Self.own) != isOwn
                    && ($0.cpuPerGigabit ?? .infinity) < cpu
                    && ($0.delayP50Milliseconds ?? .infinity) <= p50
                    && ($0.delayP99Milliseconds ?? .infinity) <= p99
            }
            row.behind = better.map { isOwn ? $0.server : "\($0.server) \($0.flushWords)" }
            if better != nil { row.place = .behind } else if !isOwn { row.place = .ahead }
        }
        guard isOwn else { return row }
        let floor = others.first {
            $0.server == Self.floor && flushIntervalMilliseconds != nil
                && $0.flushIntervalMilliseconds == flushIntervalMilliseconds
        }
        if let cpu = cpuPerGigabit, let least = floor?.cpuPerGigabit, least > 0 {
            row.timesFloor = cpu / least
        }
        return row
    }

    /// Returns the median of the finite values; nil if there is none.
    static func median(_ values: [Double]) -> Double? {
        let sorted = values.filter(\.isFinite).sorted()
        guard !sorted.isEmpty else { return nil }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1
            ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
