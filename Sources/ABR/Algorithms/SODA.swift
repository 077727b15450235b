/// SODA, Smoothness Optimized Dynamic Adaptive controller (Chen et al.: "SODA: An Adaptive Bitrate
/// Controller for Consistent High-Quality Video Streaming", SIGCOMM 2024): in slots of a segment's
/// duration dt, it takes the first rendition of the plan over K slots that minimises
///
///     sum v(r_n) C dt / r_n + beta b(x_n) + gamma (v(r_n) - v(r_(n-1)))^2
///     x_n = x_(n-1) + C dt / r_n - dt
///
/// among plans that only rise or only fall. b = (x - target)^2, with a lower weight above the
/// target. The weights, the target and v = ln(r_M / r) / ln(r_M / r_1), from 1 to 0, are this
/// project's choices, not the paper's tuned values. Media is counted in slots and the buffer in
/// shares of its target, so that the weights do not depend on the title.
public struct SODA: ABRAlgorithm {
    /// Weight of the buffer's distance from its target (this project's choice).
    public static let bufferWeight = 4.0
    /// Weight of switches (this project's choice). It is so low that for usual ladders the switch
    /// up to a rendition which the link sustains pays off within two slots.
    public static let switchWeight = 12.0
    /// Cost of a buffer above the target, relative to one below (this project's choice).
    public static let excessWeight = 0.2
    /// The target as a share of the maximum buffer (this project's choice).
    public static let targetShare = 0.6
    /// Largest time ahead for which predictions are used (ms; the paper's 10 s).
    public static let maximumHorizon = 10_000.0
    /// Largest number of slots in a plan.
    public static let maximumSlots = 5

    /// The values v, one per rendition.
    private let distortions: [Double]
    /// Buffer target in ms.
    private let target: Double
    /// Number of slots in a plan.
    private let slots: Int

    /// - Parameter maximumBuffer: largest amount of media in the buffer (ms).
    public init(title: Title, maximumBuffer: Double) {
        let span = title.utilities[title.renditionCount - 1]
        distortions = title.utilities.map { span > 0 ? ($0 - span) / -span : 0 }
        target = Self.targetShare * maximumBuffer
        slots = min(max(Int(Self.maximumHorizon / title.segmentDuration), 1), Self.maximumSlots)
    }

    public mutating func decide(_ state: PlayerState) -> Decision {
        guard state.hasEstimate, state.throughput > 0 else { return Decision(rendition: 0) }
        let title = state.title
        let search = Search(
            state: state, distortions: distortions, target: target, slots: slots)
        // Renditions above the first one that reaches the estimate are excluded: their download
        // would take much longer than dt.
        let highest =
            title.bitrates.firstIndex { $0 >= state.throughput } ?? title.renditionCount - 1
        var best = 0
        var least = Double.infinity
        for rendition in 0...highest {
            let cost = search.cost(ofFirst: rendition)
            if cost < least {
                least = cost
                best = rendition
            }
        }
        // If every plan runs the buffer dry, the lowest rendition is the best choice.
        return Decision(rendition: best)
    }

    /// Search for the smallest cost over monotone plans.
    struct Search {
        let state: PlayerState
        let distortions: [Double]
        /// Buffer target in ms.
        let target: Double
        let slots: Int

        /// Smallest cost of the plans that begin with `rendition`; infinite if each of them runs
        /// the buffer dry.
        func cost(ofFirst rendition: Int) -> Double {
            let last = state.lastRendition
            guard let first = slot(rendition, after: last, level: state.bufferLevel) else {
                return .infinity
            }
            // After a rise a plan must rise, after a fall it must fall, and before its first switch
            // both are allowed.
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

        /// Returns the buffer after one slot (ms) and the slot's cost; nil if the buffer runs dry.
        /// A full buffer makes the player wait, which has no cost besides that of the full buffer.
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
