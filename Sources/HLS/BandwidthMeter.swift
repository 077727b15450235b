/// Peak and average segment bit rate (rfc8216bis, 4.4.6.2).
///
/// The peak is the largest rate of any run of segments that together last 0.5 to 1.5 target
/// durations.
struct BandwidthMeter: Sendable {
    private var recent: [(bytes: Int, ticks: Int64)] = []
    private var bytes = 0
    private var ticks: Int64 = 0
    /// Peak in bit/s; 0 before the first segment.
    private(set) var peak = 0

    /// Average in bit/s; 0 before the first segment.
    var average: Int { Self.rate(bytes, ticks) }

    mutating func add(bytes count: Int, ticks duration: Int64, targetDuration: Int) {
        bytes += count
        ticks += duration
        let target = Int64(targetDuration) * 90_000
        recent.append((count, duration))
        var run = (bytes: 0, ticks: Int64(0))
        var used = 0
        for segment in recent.reversed() {
            run.bytes += segment.bytes
            run.ticks += segment.ticks
            used += 1
            guard 2 * run.ticks <= 3 * target else { break }
            if 2 * run.ticks >= target { peak = max(peak, Self.rate(run.bytes, run.ticks)) }
        }
        recent.removeFirst(recent.count - used)
        // Until a run is long enough, the average counts as the peak.
        if peak == 0 { peak = average }
    }

    private static func rate(_ bytes: Int, _ ticks: Int64) -> Int {
        guard ticks > 0 else { return 0 }
        return Int((Double(bytes) * 8 * 90_000 / Double(ticks)).rounded(.up))
    }
}
