import Foundation

/// `summary.json` of a simulation: each cell, and each algorithm over all traces.
public struct SimulationSummary: Codable, Sendable, Equatable {
    /// Figures over the viewers of a cell or a group of cells; nil if nobody played.
    public struct Figures: Codable, Sendable, Equatable {
        public var viewers = 0
        public var requests = 0
        public var meanBitrateKbps: Double?
        public var startupS: Double?
        /// Stalled share of the time in which viewers wanted to watch, all viewers together.
        public var stallRatio: Double?
        public var switchesPerMinute: Double?
        public var liveLatencyS: Double?
        /// Yin/Pensieve linear QoE per segment, mean over viewers.
        public var qoeLin: Double?
        /// Low end of the 95 % bootstrap interval of that mean.
        public var qoeLinLow: Double?
        public var qoeLinHigh: Double?
        /// 10th percentile of the same QoE over viewers.
        public var qoeLinP10: Double?
        public var scoreSabre: Double?
        public var scoreLolPlus: Double?

        public init() {}
    }

    public struct Cell: Codable, Sendable, Equatable {
        public var cell: Int
        public var trace: String
        public var algorithm: String
        public var maxBufferS: Double
        public var ladder: String
        public var figures: Figures

        public init(
            cell: Int, trace: String, algorithm: String, maxBufferS: Double, ladder: String,
            figures: Figures
        ) {
            (self.cell, self.trace, self.algorithm) = (cell, trace, algorithm)
            (self.maxBufferS, self.ladder, self.figures) = (maxBufferS, ladder, figures)
        }
    }

    public struct Group: Codable, Sendable, Equatable {
        public var algorithm: String
        public var maxBufferS: Double
        public var ladder: String
        public var figures: Figures

        public init(algorithm: String, maxBufferS: Double, ladder: String, figures: Figures) {
            (self.algorithm, self.maxBufferS) = (algorithm, maxBufferS)
            (self.ladder, self.figures) = (ladder, figures)
        }
    }

    public var kind = "simulation"
    public var schemaVersion = 1
    public var scenario: String
    public var runID: String
    /// Outcome: `complete` or `interrupted`.
    public var outcome = "complete"
    public var cellsPlanned: Int
    public var cells: [Cell] = []
    /// Figures over traces.
    public var groups: [Group] = []

    public init(scenario: String, runID: String, cellsPlanned: Int) {
        (self.scenario, self.runID, self.cellsPlanned) = (scenario, runID, cellsPlanned)
    }

    /// Reads the summary of a results directory; nil if it is not a simulation's.
    public static func read(directory: String) -> SimulationSummary? {
        guard let data = FileManager.default.contents(atPath: "\(directory)/summary.json"),
            let summary = try? ResultsJSON.decoder().decode(Self.self, from: data),
            summary.kind == "simulation"
        else { return nil }
        return summary
    }
}
