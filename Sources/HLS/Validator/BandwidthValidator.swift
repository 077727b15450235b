/// Comparison of measured bit rates with the declared ones (RFC 8216, 4.1 and 4.3.4.2).
public enum BandwidthValidator {
    public struct Segment: Sendable, Hashable {
        /// Duration in seconds, by EXTINF.
        public var duration: Double
        public var bytes: Int

        public init(duration: Double, bytes: Int) {
            self.duration = duration
            self.bytes = bytes
        }
    }

    /// Returns the peak in bit/s: the largest rate of any run of segments that lasts between 0.5
    /// and 1.5 target durations (RFC 8216, 4.1); if no run does, of any single segment; nil without
    /// segments.
    ///
    /// - Parameter segments: Consecutive segments without gaps.
    public static func peak(_ segments: [Segment], targetDuration: Double) -> Double? {
        var peak: Double?
        for start in segments.indices {
            var duration = 0.0
            var bytes = 0
            for segment in segments[start...] {
                duration += segment.duration
                bytes += segment.bytes
                if duration > 1.5 * targetDuration + 0.000_5 { break }
                if duration >= 0.5 * targetDuration - 0.000_5, duration > 0 {
                    peak = max(peak ?? 0, Double(bytes) * 8 / duration)
                }
            }
        }
        return peak
            ?? segments.filter { $0.duration > 0 }.map { Double($0.bytes) * 8 / $0.duration }.max()
    }

    /// Returns the average in bit/s; nil if the segments have no duration.
    public static func average(_ segments: [Segment]) -> Double? {
        let duration = segments.reduce(0) { $0 + $1.duration }
        guard duration > 0 else { return nil }
        return Double(segments.reduce(0) { $0 + $1.bytes }) * 8 / duration
    }

    /// - Parameters:
    ///   - runs: Runs of consecutive segments of the variant's playlist.
    ///   - isComplete: Whether all segments have been made, so that BANDWIDTH could be exact.
    ///   - audioPeak: Largest peak of the variant's audio group in bit/s; 0 without one.
    public static func check(
        _ variant: MultivariantPlaylist.Variant, _ runs: [[Segment]], targetDuration: Double,
        isComplete: Bool = true, audioPeak: Double = 0, at location: String
    ) -> [Violation] {
        let peaks = runs.compactMap { peak($0, targetDuration: targetDuration) }
        guard let peak = peaks.max().map({ $0 + audioPeak }) else { return [] }
        var violations: [Violation] = []
        func percent(_ value: Double, of declared: Int) -> String {
            "\(PlaylistValidator.seconds(((value / Double(max(1, declared)) - 1) * 1000).rounded() / 10)) %"
        }
        if variant.bandwidth > 0, peak.rounded(.down) > Double(variant.bandwidth) {
            // The peak of future segments is an estimate, and EXTINF is rounded.
            let allowed = Double(variant.bandwidth) * (isComplete ? 1.1 : 1.25)
            violations.append(
                Violation(
                    peak > allowed ? .bandwidthExceeded : .bandwidthClose, at: location,
                    "the measured peak is \(Int(clamping: peak)) bit/s, \(percent(peak, of: variant.bandwidth)) more than BANDWIDTH \(variant.bandwidth)"
                ))
        }
        let all = runs.flatMap { $0 }
        // Below a minute the average is too uncertain.
        if let declared = variant.averageBandwidth, let average = average(all),
            all.reduce(0, { $0 + $1.duration }) >= 60, average + audioPeak > 1.1 * Double(declared)
        {
            violations.append(
                Violation(
                    .averageExceeded, at: location,
                    "the measured average is \(Int(clamping: average + audioPeak)) bit/s, \(percent(average + audioPeak, of: declared)) more than AVERAGE-BANDWIDTH \(declared)"
                ))
        }
        return violations
    }
}

extension Int {
    /// Rounds to the nearest whole number, or to the largest or smallest `Int` if the value is
    /// beyond.
    fileprivate init(clamping value: Double) {
        self = value.isNaN ? 0 : Int(Swift.max(-9e18, Swift.min(value, 9e18)))
    }
}
