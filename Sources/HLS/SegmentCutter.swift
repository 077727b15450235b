/// Decides the lengths of segments and parts, by the configured durations, the groups of pictures
/// and the cadence of the frames. Times and durations are ticks of 90 kHz.
struct SegmentCutter: Sendable {
    private let configuration: SegmenterConfiguration
    /// EXT-X-TARGETDURATION in seconds; nil before the first segment.
    private(set) var targetDuration: Int?
    /// PART-TARGET; nil before the first segment, and always without low-latency HLS.
    private(set) var partTarget: Int64?
    private var isFirstOfEpoch = true
    private var lastKeyTime: Int64?
    /// The longest group of pictures of this epoch.
    private var longestGroup: Int64 = 0
    private(set) var cadence = FrameCadence()

    init(_ configuration: SegmenterConfiguration) { self.configuration = configuration }

    private var segmentTicks: Int64 { Int64(configuration.segmentDuration * 90_000) }

    /// Ticks by which a key frame may come early.
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

    /// Notes that a frame lasted for `step`.
    mutating func noteFrame(lasting step: Int64) { cadence.add(step) }

    /// Notes that a whole segment lasts for `ticks`.
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

    /// Whether the segment that began at `start` ends before a key frame at `time`.
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

    /// Ticks below which the unfinished segment must stay. Before the first segment is whole, a gap
    /// may extend it beyond its limit.
    var longest: Int64 {
        targetDuration.map(Self.longestSegment)
            ?? Int64(configuration.firstSegmentLimit * 90_000) + Segmenter.forwardLimit
    }

    /// Ticks below which a segment must stay, so that its duration, rounded, is the target.
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
        // The part target is a number of whole frames that fit, with a millisecond for the rounding
        // of timestamps.
        let part = Int64(wanted * 90_000)
        let frames = max(1, (Double(part) / cadence.meanTicks + 0.05).rounded(.down))
        let fitting = (Int64(frames * cadence.meanTicks) + 90 + 89) / 90 * 90
        // If many frames fit, a part that lacks one is still long enough.
        let isRoomy = 100 * (part - cadence.ticks) >= 85 * part
        partTarget = min(isRoomy ? max(part, fitting) : fitting, Int64(target) * 90_000)
    }
}
