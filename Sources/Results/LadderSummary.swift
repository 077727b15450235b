import Foundation

/// `summary.json` of a ladder choice.
public struct LadderSummary: Codable, Sendable, Equatable {
    public struct Rung: Codable, Sendable, Equatable {
        public var bitrateKbps: Double
        public var height: Int
        public var cpuCores: Double

        public init(bitrateKbps: Double, height: Int, cpuCores: Double) {
            (self.bitrateKbps, self.height, self.cpuCores) = (bitrateKbps, height, cpuCores)
        }
    }

    /// A ladder with its best setting, judged with seeds that the search has not seen.
    public struct Ladder: Codable, Sendable, Equatable {
        public var name = ""
        public var rungs: [Rung] = []
        public var algorithm = ""
        public var maxBufferS = 0.0
        public var deviceCaps = ""
        public var withinLimits = true
        public var cpuCores = 0.0
        public var objective = 0.0
        public var objectiveLow: Double?
        public var objectiveHigh: Double?
        /// Objective of this ladder minus that of the chosen one, paired by seed.
        public var difference = 0.0
        public var differenceLow: Double?
        public var differenceHigh: Double?
        /// Objective with the seeds of the search.
        public var searchedObjective = 0.0
        public var egressKbps = 0.0
        public var stallRatio = 0.0
        public var meanBitrateKbps = 0.0
        public var switchesPerMinute = 0.0

        public init() {}
    }

    public struct Contribution: Codable, Sendable, Equatable {
        public var rung: Rung
        /// Share of all segments requested.
        public var share = 0.0
        public var mainAudience = ""
        public var mainAudienceShare = 0.0
        /// Objective lost without the rung; nil for the only one.
        public var loss: Double?
        public var stallRatioWithout: Double?
        /// Egress in kbit/s per viewer that the rung adds; a negative value means that it saves
        /// egress.
        public var egressKbps = 0.0
        /// Reason in words.
        public var why = ""

        public init(rung: Rung) { self.rung = rung }
    }

    public var kind = "ladder"
    public var schemaVersion = 1
    public var scenario: String
    public var runID: String
    /// Method of the search: exact or heuristic.
    public var method = ""
    public var setsEvaluated = 0
    public var setsPossible = 0
    /// QoE of the objective: linear, log or quality.
    public var qoe = ""
    /// Statistic of the objective: mean or pN.
    public var statistic = ""
    public var viewers = 0
    public var seeds = 0
    /// Ladders: the chosen one first, then the runners-up, then those for comparison.
    public var ladders: [Ladder] = []
    public var contributions: [Contribution] = []
    /// Combinations on the Pareto front of QoE against CPU and egress.
    public var paretoFront = 0

    public init(scenario: String, runID: String) {
        (self.scenario, self.runID) = (scenario, runID)
    }

    /// Reads the summary of a results directory; nil if it is not a ladder choice's.
    public static func read(directory: String) -> LadderSummary? {
        guard let data = FileManager.default.contents(atPath: "\(directory)/summary.json"),
            let summary = try? ResultsJSON.decoder().decode(Self.self, from: data),
            summary.kind == "ladder"
        else { return nil }
        return summary
    }
}
