/// The default controller of hls.js 1.7. It takes the highest rendition that a share of the
/// estimate sustains and whose segment arrives before the buffer is empty. Without such a rendition
/// it accepts a stall of at most 4 s, and otherwise takes the lowest rendition. Playlist reloads
/// cost no time here.
public struct HLSJSRule: ABRAlgorithm {
    /// Share of the estimate for the played rendition and lower ones (`abrBandWidthFactor`).
    public static let keepFactor = 0.95
    /// Share of the estimate for higher renditions (`abrBandWidthUpFactor`).
    public static let upFactor = 0.7
    /// Stall that the second pass accepts (ms), at most one segment (`maxStarvationDelay`).
    public static let maximumStall = 4000.0
    /// Throughput before the first sample (kbit/s; `abrEwmaDefaultEstimate`).
    public static let defaultThroughput = 500.0
    /// Time to first byte before the first sample (ms).
    public static let defaultLatency = 100.0
    /// Number of buffered segments from which on the average bit rate counts instead of the peak.
    public static let averageFrom = 2.0
    /// A download is given up at once if its rest takes this many times the lower rendition's time.
    public static let abortRatio = 2.0

    /// A decision to give the current download up later: the segment, the rendition, and the time
    /// (ms since the request).
    private struct Abort: Sendable {
        var segment: Int
        var rendition: Int
        var time: Double
    }

    private var abort: Abort?

    public init() {}

    public var mayAbandon: Bool { true }

    /// Returns the rendition of the first segment, for an empty buffer, the default estimate and no
    /// margin.
    public func firstRendition(_ state: PlayerState) -> Int {
        let allowed = min(state.title.segmentDuration, Self.maximumStall)
        return find(state, budget: allowed, keep: 1, up: 1, usesAverage: false) ?? 0
    }

    public mutating func decide(_ state: PlayerState) -> Decision {
        abort = nil
        let duration = state.title.segmentDuration
        let left = state.bufferLevel / state.playbackRate
        let first = find(
            state, budget: left, keep: Self.keepFactor, up: Self.upFactor,
            usesAverage: state.bufferLevel >= Self.averageFrom * duration)
        if let first { return Decision(rendition: first) }
        let second = find(
            state, budget: left + min(duration, Self.maximumStall), keep: Self.keepFactor,
            up: Self.upFactor, usesAverage: false)
        return Decision(rendition: second ?? 0)
    }

    private func find(
        _ state: PlayerState, budget: Double, keep: Double, up: Double, usesAverage: Bool
    ) -> Int? {
        let title = state.title
        let throughput = state.hasEstimate ? state.throughput : Self.defaultThroughput
        let latency = state.hasEstimate ? state.latency : Self.defaultLatency
        for rendition in (0..<title.renditionCount).reversed() {
            let available = throughput * (rendition > state.lastRendition ? up : keep)
            let bitrate = usesAverage ? title.bitrates[rendition] : title.peakBitrates[rendition]
            guard available >= bitrate else { continue }
            // Near the live edge the buffer is too short for any rendition.
            if state.isLive { return rendition }
            if latency + bitrate * title.segmentDuration / available < budget { return rendition }
        }
        return nil
    }

    public mutating func abandon(_ progress: DownloadProgress, _ state: PlayerState) -> Int? {
        if let abort, abort.segment == progress.segment {
            guard progress.elapsed >= abort.time else { return nil }
            self.abort = nil
            return abort.rendition
        }
        let duration = state.title.segmentDuration
        let expected = state.hasEstimate ? state.latency : Self.defaultLatency
        guard progress.elapsed > max(expected, duration / (2 * state.playbackRate)) else {
            return nil
        }
        let left = state.bufferLevel / state.playbackRate
        let transferTime = progress.elapsed - progress.timeToFirstByte
        let rate = progress.downloaded / max(transferTime, 1)
        let rest = (progress.size - progress.downloaded) / rate
        guard rest > left, progress.rendition > 0 else { return nil }
        // This chooses the highest lower rendition that arrives in time, otherwise the lowest.
        let allowed = min(left, duration + expected)
        let bitrates = state.title.peakBitrates
        func time(_ rendition: Int) -> Double { expected + bitrates[rendition] * duration / rate }
        var rendition = progress.rendition - 1
        while rendition > 0, time(rendition) >= allowed { rendition -= 1 }
        let lower = time(rendition)
        guard lower < rest else { return nil }
        if rest > Self.abortRatio * lower { return rendition }
        abort = Abort(
            segment: progress.segment, rendition: rendition, time: progress.elapsed + lower)
        return nil
    }

    public mutating func downloaded(_ progress: DownloadProgress, _ state: PlayerState) {
        abort = nil
    }

    public mutating func seeked(_ state: PlayerState) { abort = nil }
}
