/// What a ladder choice found out.
public struct LadderChoice: Sendable {
    /// A ladder under a setting.
    public struct Combination: Sendable {
        public var rungs: [LadderCandidate]
        /// nil for a ladder that is not made of the candidates.
        public var set: RungSet?
        /// Index into the problem's settings.
        public var setting: Int
        public var cores: Double
        /// With the seeds of the search, whose luck the winner shares.
        public var searched: LadderOutcome
        /// Whether it keeps within the limits.
        public var isAllowed: Bool
        /// No other combination has more QoE without more CPU or more egress.
        public var isPareto = false
    }

    /// A ladder judged with seeds that the search has not seen.
    public struct Finalist: Sendable {
        /// `chosen`, `second`, …, or a preset's name.
        public var name: String
        public var combination: Combination
        public var judged: LadderOutcome
        /// 95 % interval of the judged objective over seeds; nil for a single seed.
        public var interval: ClosedRange<Double>?
        /// Judged objective less that of the chosen ladder, paired by seed.
        public var difference: Double
        public var differenceInterval: ClosedRange<Double>?
    }

    /// What a rung of the chosen ladder is there for.
    public struct Contribution: Sendable {
        public var rung: LadderCandidate
        /// Share of segments that were requested from it.
        public var share: Double
        /// The audience that takes most from it, and that audience's share of its segments.
        public var mainAudience: String
        public var mainAudienceShare: Double
        /// The same setting without the rung; nil where it is the only one.
        public var without: LadderOutcome?
        /// Objective lost without it; NaN where it is the only one.
        public var loss: Double
        /// kbit/s per viewer that it costs (negative: that it saves), and cores.
        public var egress: Double
    }

    public var method: LadderSearch.Method
    /// Sets scored, and sets that there are.
    public var evaluated: Int
    public var sets: Int
    /// All combinations scored, in the order of their sets and settings; for a long search the best
    /// and the Pareto front.
    public var combinations: [Combination]
    /// The chosen ladder first.
    public var finalists: [Finalist]
    public var contributions: [Contribution]

    public var chosen: Finalist { finalists[0] }
}
