/// Result of a ladder choice.
public struct LadderChoice: Sendable {
    /// A ladder under a setting.
    public struct Combination: Sendable {
        public var rungs: [LadderCandidate]
        /// The set of rungs; nil for a ladder that is not made of the candidates.
        public var set: RungSet?
        /// Index into the problem's settings.
        public var setting: Int
        public var cores: Double
        /// Outcome with the seeds of the search. For the winner it is biased, because the search
        /// chose by these seeds.
        public var searched: LadderOutcome
        /// Whether the combination keeps within the limits.
        public var isAllowed: Bool
        /// Whether no other combination has more QoE without more CPU or more egress.
        public var isPareto = false
    }

    /// A ladder that is judged with seeds which the search has not used.
    public struct Finalist: Sendable {
        /// Name of the finalist: `chosen`, `second`, …, or a preset's name.
        public var name: String
        public var combination: Combination
        public var judged: LadderOutcome
        /// 95 % interval of the judged objective over seeds; nil for a single seed.
        public var interval: ClosedRange<Double>?
        /// Difference of the judged objective from that of the chosen ladder, paired by seed.
        public var difference: Double
        public var differenceInterval: ClosedRange<Double>?
    }

    /// Contribution of one rung to the chosen ladder.
    public struct Contribution: Sendable {
        public var rung: LadderCandidate
        /// Share of the segments that were requested from the rung.
        public var share: Double
        /// The audience that requests most from the rung, and that audience's share of its
        /// segments.
        public var mainAudience: String
        public var mainAudienceShare: Double
        /// Outcome of the same setting without the rung; nil if it is the only rung.
        public var without: LadderOutcome?
        /// Loss of the objective without the rung; NaN if it is the only rung.
        public var loss: Double
        /// Cost of the rung in kbit/s per viewer and in cores; negative values are savings.
        public var egress: Double
    }

    public var method: LadderSearch.Method
    /// Number of sets that were scored, and number of all sets.
    public var evaluated: Int
    public var sets: Int
    /// All scored combinations, in the order of their sets and settings; for a long search only the
    /// best ones and the Pareto front.
    public var combinations: [Combination]
    /// The finalists; the chosen ladder is the first.
    public var finalists: [Finalist]
    public var contributions: [Contribution]

    public var chosen: Finalist { finalists[0] }
}
