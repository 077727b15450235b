/// media3's (ExoPlayer's) default `AdaptiveTrackSelection`: the highest rung below 70 % of the
/// estimate, up only with enough buffer, down not while there is plenty.
public struct Media3Rule: ABRAlgorithm {
    /// Share of the estimate that a rung may take (`bandwidthFraction`).
    public static let throughputShare = 0.7
    /// Buffer from which on the rung may rise (ms; `minDurationForQualityIncreaseMs`).
    public static let increaseBuffer = 10_000.0
    /// Buffer from which on the rung does not fall (ms; `maxDurationForQualityDecreaseMs`).
    public static let decreaseBuffer = 25_000.0
    /// Live: share of the media up to the live edge that lets the rung rise
    /// (`bufferedFractionToLiveEdgeForQualityIncrease`).
    public static let liveEdgeShare = 0.75
    /// Before the first estimate (kbit/s).
    public static let defaultThroughput = 1000.0

    public init() {}

    public func firstRung(_ state: PlayerState) -> Int { ideal(state) }

    public mutating func decide(_ state: PlayerState) -> Decision {
        let ideal = ideal(state)
        let last = state.lastRung
        guard last >= 0 else { return Decision(rung: ideal) }
        if ideal > last, state.bufferLevel < increaseBuffer(state) { return Decision(rung: last) }
        if ideal < last, state.bufferLevel >= Self.decreaseBuffer { return Decision(rung: last) }
        return Decision(rung: ideal)
    }

    private func ideal(_ state: PlayerState) -> Int {
        let throughput = state.hasEstimate ? state.throughput : Self.defaultThroughput
        let most = throughput * Self.throughputShare / state.playbackRate
        return state.title.bitrates.lastIndex { $0 <= most } ?? 0
    }

    /// Live players, and those whose buffer is small, could never hold 10 s: for them it is a share
    /// of what they can hold.
    private func increaseBuffer(_ state: PlayerState) -> Double {
        let available = state.isLive ? state.liveLatency : state.maximumBuffer
        return min(
            Self.increaseBuffer,
            max(0, Self.liveEdgeShare * (available - state.title.segmentDuration)))
    }
}
