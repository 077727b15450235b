/// Model-predictive control, MPC and RobustMPC (Yin, Jindal, Sekar, Sinopoli: "A Control-Theoretic
/// Approach for Dynamic Adaptive Video Streaming over HTTP", SIGCOMM 2015): the first rendition of
/// the plan for the next segments that maximises sum q - mu stalls - sum |change of q|, with q the
/// bit rate in Mbit/s, at the predicted throughput.
///
/// The plan is the exact optimum (`MPCSearch`); among equal plans it is the one that begins lower.
/// The weights are Pensieve's, so that the plan maximises the value that `QoEMetrics.linear`
/// reports.
public struct MPC: ABRAlgorithm {
    public enum Variant: Hashable, Sendable {
        case plain
        /// The prediction is divided by 1 + the largest of its last five relative errors.
        case robust
    }

    /// Number of segments in a plan.
    public static let horizon = 5
    /// Penalty in Mbit/s per second of stall.
    public static let stallPenalty = 4.3
    /// Number of prediction errors that are kept.
    public static let errorWindow = 5

    public let variant: Variant
    /// |predicted - measured| / measured of the last downloads, in a ring.
    private var errors = SIMD8<Double>(repeating: 0)
    private var errorCount = 0
    /// Predicted throughput for the segment under way (kbit/s); NaN without a prediction.
    private var predicted = Double.nan

    public init(_ variant: Variant) { self.variant = variant }

    public mutating func decide(_ state: PlayerState) -> Decision {
        guard state.hasEstimate, state.throughput > 0 else {
            predicted = .nan
            return Decision(rendition: 0)
        }
        predicted = state.throughput
        return Decision(
            rendition: MPCSearch.run(
                state, throughput: state.throughput / discount, horizon: Self.horizon
            ).rendition)
    }

    /// Divisor of the prediction, 1 or more.
    var discount: Double { variant == .robust ? 1 + errors.max() : 1 }

    public mutating func downloaded(_ progress: DownloadProgress, _ state: PlayerState) {
        guard progress.abandonedFor == nil, !predicted.isNaN, state.lastThroughput > 0 else {
            return
        }
        errors[errorCount % Self.errorWindow] =
            abs(predicted - state.lastThroughput) / state.lastThroughput
        errorCount += 1
    }
}
