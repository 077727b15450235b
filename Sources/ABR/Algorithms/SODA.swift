/// SODA, Smoothness Optimized Dynamic Adaptive controller (Chen et al.: "SODA: An Adaptive Bitrate
/// Controller for Consistent High-Quality Video Streaming", SIGCOMM 2024): in slots of a segment's
/// duration dt, the first rendition of the plan over K slots that minimises
///
///     sum v(r_n) C dt / r_n + beta b(x_n) + gamma (v(r_n) - v(r_(n-1)))^2
///     x_n = x_(n-1) + C dt / r_n - dt
///
/// among plans that only rise or only fall, b = (x - target)^2, less above the target. The weights,
/// the target and v = ln(r_M / r) / ln(r_M / r_1), from 1 to 0, are ours, not the paper's tuned
/// values; media is counted in slots and the buffer in shares of its target, so that the weights
/// do not depend on the title.
public struct SODA: ABRAlgorithm {
    /// Weight of the buffer's distance from its target (ours).
    public static let bufferWeight = 4.0
    /// Weight of switches (ours): low enough that a rendition which the link sustains is worth the way
    /// up within two slots, whatever the usual ladder.
    public static let switchWeight = 12.0
    /// What a buffer above the target costs, relative to one below (ours).
    public static let excessWeight = 0.2
    /// The target as a share of the maximum buffer (ours).
    public static let targetShare = 0.6
    /// Predictions are not trusted further ahead than this (ms; the paper's 10 s).
    public static let maximumHorizon = 10_000.0
    /// Slots planned at most.
    public static let maximumSlots = 5

    /// v per rendition.
    private let distortions: [Double]
    /// ms
    private let target: Double
    /// Slots planned.
    private let slots: Int

    /// - Parameter maximumBuffer: ms.
    public init(title: Title, maximumBuffer: Double) {
        let span = title.utilities[title.renditions - 1]
        distortions = title.utilities.map { span > 0 ? ($0 - span) / -span : 0 }
        target = Self.targetShare * maximumBuffer
        slots = min(max(Int(Self.maximumHorizon / title.segmentDuration), 1), Self.maximumSlots)
    }

    public mutating func decide(_ state: PlayerState) -> Decision {
        guard state.hasEstimate, state.throughput > 0 else { return Decision(rendition: 0) }
        let title = state.title
        let search = Search(
            state: state, distortions: distortions, target: target, slots: slots)
        // No rendition above the first that reaches the estimate: it would block for far more than dt.
        let highest = title.bitrates.firstIndex { $0 >= state.throughput } ?? title.renditions - 1
        var best = 0
        var least = Double.infinity
        for rendition in 0...highest {
            let cost = search.cost(ofFirst: rendition)
            if cost < least {
                least = cost
                best = rendition
            }
        }
        // No plan keeps the buffer from running dry: the lowest rendition is the best there is.
        return Decision(rendition: best)
    }

    /// The least cost over monotone plans.
    struct Search {
        let state: PlayerState
        let distortions: [Double]
        /// ms
        let target: Double
        let slots: Int

        /// Of plans that begin with `rendition`; infinite where each of them runs the buffer dry.
        func cost(ofFirst rendition: Int) -> Double {
            let last = state.lastRendition
            guard let first = slot(rendition, after: last, level: state.bufferLevel) else {
                return .infinity
            }
            // A plan that goes on from a rise must rise, from a fall fall; from neither, either.
            let rising =
                last < 0 || rendition >= last
                ? rest(1, from: rendition, level: first.level, rises: true) : .infinity
            let falling =
                last < 0 || rendition <= last
                ? rest(1, from: rendition, level: first.level, rises: false) : .infinity
            return first.cost + min(rising, falling)
        }

        private func rest(_ position: Int, from last: Int, level: Double, rises: Bool) -> Double {
            guard position < slots else { return 0 }
            var least = Double.infinity
            for rendition in rises ? last...distortions.count - 1 : 0...last {
                guard let next = slot(rendition, after: last, level: level) else { continue }
                let further = rest(position + 1, from: rendition, level: next.level, rises: rises)
                least = min(least, next.cost + further)
            }
            return least
        }

        /// One slot: the buffer after it (ms) and its cost; nil where it runs dry. A full buffer
        /// makes the player wait, which costs nothing but what a full buffer costs.
        func slot(_ rendition: Int, after last: Int, level: Double) -> (
            level: Double, cost: Double
        )? {
            let media = state.throughput / state.title.bitrates[rendition]
            let duration = state.title.segmentDuration
            var next = level + (media - 1) * duration
            guard next >= 0 else { return nil }
            next = min(next, state.maximumBuffer)
            let distance = (next - target) / target
            let change = last < 0 ? 0 : distortions[rendition] - distortions[last]
            let buffer = distance * distance * (distance < 0 ? 1 : SODA.excessWeight)
            return (
                next,
                distortions[rendition] * media + SODA.bufferWeight * buffer
                    + SODA.switchWeight * change * change
            )
        }
    }
}
