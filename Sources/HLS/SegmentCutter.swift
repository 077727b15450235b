/// Decides the lengths of segments and parts by the configured durations, the groups of pictures
/// and the frame rate. Times and durations are ticks of 90 kHz.
struct SegmentCutter: Sendable {
    private let configuration: SegmenterConfiguration
    /// EXT-X-TARGETDURATION in seconds; nil before the first segment.
    private(set) var targetDuration: Int?
    /// PART-TARGET in ticks; nil before the first segment, and always without low-latency HLS.
    private(set) var partTarget: Int64?
    private var isFirstOfEpoch = true
    private var lastKeyTime: Int64?
    /// Length of the longest group of pictures in this epoch, in ticks.
    private var longestGroup: Int64 = 0
    private(set) var cadence = FrameCadence()

    init(_ configuration: SegmenterConfiguration) { self.configuration = configuration }

    private var segmentTicks: Int64 { Int64(configuration.segmentDuration * 90_000) }

    /// Time by which a key frame may be early: 5 % of a segment and at most 0.1 s.
    private var tolerance: Int64 { min(9_000, segmentTicks / 20) }

    // MARK: Events

    /// Begins a segment with a key frame, when no segment was open.
    mutating func begin(at time: Int64, isNewEpoch: Bool) {
        if isNewEpoch { isFirstOfEpoch = true }
        lastKeyTime = time
    }

    /// Notes that a key frame has come.
    /// - Parameter start: The start of the unfinished segment.
    mutating func noteKeyFrame(at time: Int64, start: Int64) {
        longestGroup = max(longestGroup, time - (lastKeyTime ?? start))
        lastKeyTime = time
    }

    /// Notes that a frame lasted for `step` ticks.
    mutating func noteFrame(lasting step: Int64) { cadence.add(step) }

    /// Notes that a complete segment lasts for `ticks`.
    mutating func endSegment(lasting ticks: Int64) {
        isFirstOfEpoch = false
        chooseTargets(first: ticks)
    }

    mutating func endEpoch() { longestGroup = 0 }

    /// Begins a new playlist, for which the targets are chosen again.
    mutating func beginPlaylist() {
        targetDuration = nil
        partTarget = nil
    }

    // MARK: Decisions

    /// Whether the segment that began at `start` ends before a key frame at `time`. The first
    /// segment of an epoch ends at a multiple of the segment duration.
    func isDue(at time: Int64, start: Int64) -> Bool {
        if isFirstOfEpoch {
            let boundary = (start + tolerance) / segmentTicks * segmentTicks + segmentTicks
            return time >= boundary - tolerance
        }
        return time - start >= segmentTicks - tolerance
    }

    /// Whether one more frame would exceed the target duration or a limit.
    /// - Parameter isTooCostly: Whether the segment is over its byte limit.
    func mustCut(after elapsed: Int64, isTooCostly: Bool) -> Bool {
        if isTooCostly { return elapsed > 0 }
        guard targetDuration != nil else {
            return elapsed >= Int64(configuration.firstSegmentLimit * 90_000)
        }
        return elapsed + cadence.ticks >= longest
    }

    /// Duration below which the unfinished segment must stay. A gap may extend the first segment
    /// beyond its limit.
    var longest: Int64 {
        targetDuration.map(Self.longestSegment)
            ?? Int64(configuration.firstSegmentLimit * 90_000) + Segmenter.forwardLimit
    }

    /// Duration below which a segment must stay, so that its rounded duration does not exceed the
    /// target.
    private static func longestSegment(_ targetDuration: Int) -> Int64 {
        Int64(targetDuration) * 90_000 + 45_000
    }

    /// Chooses EXT-X-TARGETDURATION and PART-TARGET by the first segment.
    private mutating func chooseTargets(first ticks: Int64) {
        guard targetDuration == nil else { return }
        // The first segment may be short; the following segments hold whole groups of pictures.
        let groups = longestGroup > 0 ? (segmentTicks - tolerance - 1) / longestGroup + 1 : 0
        let longest = max(ticks, groups * longestGroup)
        let rounded = Int((Double(longest) / 90_000).rounded())
        let target = max(1, Int(configuration.segmentDuration.rounded(.up)), rounded)
        targetDuration = target
        guard let wanted = configuration.partDuration else { return }
        // The part target is the duration of the whole frames that fit into a part, plus one
        // millisecond for the rounding of timestamps.
        let part = Int64(wanted * 90_000)
        let frames = max(1, (Double(part) / cadence.meanTicks + 0.05).rounded(.down))
        let fitting = (Int64(frames * cadence.meanTicks) + 90 + 89) / 90 * 90
        // If many frames fit, a part that is one frame short still has 85 % of the wanted duration,
        // as rfc8216bis, 4.4.4.9, asks.
        let isRoomy = 100 * (part - cadence.ticks) >= 85 * part
        partTarget = min(isRoomy ? max(part, fitting) : fitting, Int64(target) * 90_000)
    }
}
