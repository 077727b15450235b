/// media3's (ExoPlayer's) default `AdaptiveTrackSelection`: the highest rendition below 70 % of the
/// estimate. The rendition rises only with enough buffer, and does not fall while the buffer is
/// large.
public struct Media3Rule: ABRAlgorithm {
    /// Share of the estimate that a rendition may take (`bandwidthFraction`).
    public static let throughputShare = 0.7
    /// Buffer from which on the rendition may rise (ms; `minDurationForQualityIncreaseMs`).
    public static let increaseBuffer = 10_000.0
    /// Buffer from which on the rendition does not fall (ms; `maxDurationForQualityDecreaseMs`).
    public static let decreaseBuffer = 25_000.0
    /// For live streams, the share of the media up to the live edge that lets the rendition rise
    /// (`bufferedFractionToLiveEdgeForQualityIncrease`).
    public static let liveEdgeShare = 0.75
    /// Throughput before the first estimate (kbit/s).
    public static let defaultThroughput = 1000.0

    public init() {}

    public func firstRendition(_ state: PlayerState) -> Int { ideal(state) }

    public mutating func decide(_ state: PlayerState) -> Decision {
        let ideal = ideal(state)
        let last = state.lastRendition
        guard last >= 0 else { return Decision(rendition: ideal) }
        if ideal > last, state.bufferLevel < increaseBuffer(state) {
            return Decision(rendition: last)
        }
        if ideal < last, state.bufferLevel >= Self.decreaseBuffer {
            return Decision(rendition: last)
        }
        return Decision(rendition: ideal)
    }

    private func ideal(_ state: PlayerState) -> Int {
        let throughput = state.hasEstimate ? state.throughput : Self.defaultThroughput
        let most = throughput * Self.throughputShare / state.playbackRate
        return state.title.bitrates.lastIndex { $0 <= most } ?? 0
    }

    /// Buffer level from which on the rendition may rise. Live players and those with a small
    /// buffer could never hold 10 s: for them it is a share of the amount that they can hold.
    private func increaseBuffer(_ state: PlayerState) -> Double {
        let available = state.isLive ? state.liveLatency : state.maximumBuffer
        return min(
            Self.increaseBuffer,
            max(0, Self.liveEdgeShare * (available - state.title.segmentDuration)))
    }
}
