import Foundation
import Statistics

/// `summary.json` of a capacity search: what is searched, every trial, and what is known so far.
///
/// The file is replaced after each trial, and an interrupted search goes on from it.
public struct SearchSummary: Codable, Sendable, Equatable {
    public struct Goal: Codable, Sendable, Equatable {
        public var name: String
        /// Thresholds in words, such as `delay_ms p(99)<50`.
        public var thresholds: [String]
        /// Share of the measured time that may be bad, 0…1.
        public var exceedRatio: Double

        public init(name: String, thresholds: [String], exceedRatio: Double) {
            (self.name, self.thresholds, self.exceedRatio) = (name, thresholds, exceedRatio)
        }
    }

    /// How a load is measured. RFC 9971 asks a report for every attribute of a goal, and for the
    /// times of a trial besides its window.
    public struct Method: Codable, Sendable, Equatable {
        /// Window of a first trial at a load.
        public var initialS = 0.0
        /// Window of a trial that confirms a bound.
        public var finalS = 0.0
        /// Measured time that makes a load a bound.
        public var sumS = 0.0
        /// Largest distance of the bounds, as a share of the upper one.
        public var width = 0.0
        public var warmupS = 0.0
        public var drainS = 0.0

        public init() {}
    }

    /// The verdict of a trial on one goal.
    public struct Verdict: Codable, Sendable, Equatable {
        public var good: Bool
        /// Figure of the first threshold that failed or, if none failed, of the first; nil = no
        /// data.
        public var observed: Double?

        public init(good: Bool, observed: Double?) { (self.good, self.observed) = (good, observed) }
    }

    public struct Trial: Codable, Sendable, Equatable {
        /// Number of the trial in the whole run, from 1.
        public var number: Int
        /// Index of its search.
        public var search: Int
        public var load: Int
        /// Steady window.
        public var durationS: Double
        /// Time that the whole trial took, with the pause after it.
        public var wallS: Double
        /// Verdicts in the order of the goals; empty if the trial is void.
        public var verdicts: [Verdict] = []
        /// Payload that all viewers received, per second of the window.
        public var deliveredMbps: Double?
        /// CPU of the server; 100 = one core.
        public var serverCPUPercent: Double?
        /// The server's busiest thread with its CPU, and the run's, in words.
        public var busiest: String?
        /// Reason why the trial is void; nil if it is a verdict.
        public var voidReason: String?
        /// Reason why no goal holds, whatever the figures are; nil if the figures decide.
        public var failure: String?
        /// Results directory of the trial inside the search's.
        public var directory = ""

        public init(number: Int, search: Int, load: Int, durationS: Double, wallS: Double) {
            (self.number, self.search, self.load) = (number, search, load)
            (self.durationS, self.wallS) = (durationS, wallS)
        }
    }

    /// The generators without the server under test.
    public struct Calibration: Codable, Sendable, Equatable {
        /// Index of the search that it was made for.
        public var search: Int
        public var load: Int
        public var wallS: Double
        /// Reason why the generators cannot offer the load; nil if they can.
        public var voidReason: String?
        /// Delay of the generators alone.
        public var delayP99Ms: Double?
        /// CPU of all generators together; 100 = one core.
        public var generatorCPUPercent: Double?

        public init(search: Int, load: Int, wallS: Double) {
            (self.search, self.load, self.wallS) = (search, load, wallS)
        }
    }

    /// What a search found for one goal (RFC 9971).
    public struct Bound: Codable, Sendable, Equatable {
        public var goal: String
        /// Relevant lower bound, which is the capacity; nil if no load was good.
        public var lowerBound: Int?
        /// Relevant upper bound; nil if no load was bad.
        public var upperBound: Int?
        /// Whether both bounds were measured for the duration sum and are as close as asked.
        public var confirmed = false
        public var conditionalThroughputMbps: Double?
        public var irregular = false
        public var noUpperBound = false
        public var belowLowest = false
        /// Whether the upper bound is the generators' and not the server's.
        public var generatorLimited = false

        public init(goal: String) { self.goal = goal }
    }

    /// One search: a value of the sweep and one of its repeats.
    public struct Search: Codable, Sendable, Equatable {
        /// Value of the swept key; empty without a sweep.
        public var value: String
        /// Number of the repeat, from 1.
        public var repetition: Int
        public var bounds: [Bound] = []
        /// `complete`, `budget`, `trials` or `interrupted`; empty while the search goes on.
        public var end = ""

        public init(value: String, repetition: Int) {
            (self.value, self.repetition) = (value, repetition)
        }

        /// Largest load that every goal holds for; nil if there is none.
        public var capacity: Int? {
            let bounds = bounds.map(\.lowerBound)
            return bounds.contains(nil) ? nil : bounds.compactMap { $0 }.min()
        }

        /// Smallest load that some goal fails for; nil if there is none.
        public var limit: Int? { bounds.compactMap(\.upperBound).min() }

        /// Whether the server's own limit was not reached: no goal has an upper bound, or the
        /// smallest is the generators'. The server may then carry more than the capacity.
        public var isOpen: Bool {
            guard let limit else { return true }
            return !bounds.contains { $0.upperBound == limit && !$0.generatorLimited }
        }
    }

    /// Capacity for one value of the sweep.
    public struct Point: Codable, Sendable, Equatable {
        public var value: String
        /// Mean of the capacities of the repeats.
        public var capacity: Double
        /// From the low end of the lower bounds' 95 % interval over the repeats to the high end of
        /// the upper bounds'; of a single search, its bounds.
        public var low: Double
        public var high: Double
        public var searches: Int
        /// CPU of the server at the capacity; 100 = one core.
        public var serverCPUPercent: Double?

        public init(value: String, capacity: Double, low: Double, high: Double, searches: Int) {
            (self.value, self.capacity, self.searches) = (value, capacity, searches)
            (self.low, self.high) = (low, high)
        }
    }

    /// A parameter of the scaling law with its 95 % interval.
    public struct Estimate: Codable, Sendable, Equatable {
        public var value: Double
        public var low: Double
        public var high: Double

        public init(value: Double, low: Double, high: Double) {
            (self.value, self.low, self.high) = (value, low, high)
        }
    }

    /// The Universal Scalability Law over the values of the sweep.
    public struct Scaling: Codable, Sendable, Equatable {
        public var lambda: Estimate
        public var contention: Estimate
        public var coherency: Estimate
        /// Size of the pool with the largest capacity; nil = no peak inside the sweep.
        public var peak: Estimate?
        public var rSquared: Double

        public init(
            lambda: Estimate, contention: Estimate, coherency: Estimate, peak: Estimate?,
            rSquared: Double
        ) {
            (self.lambda, self.contention, self.coherency) = (lambda, contention, coherency)
            (self.peak, self.rSquared) = (peak, rSquared)
        }
    }

    public static let kindName = "search"
    /// A longer file is not read.
    private static let byteLimit = 256 << 20

    public var kind = kindName
    public var schemaVersion = 1
    public var scenario: String
    public var scenarioSHA256: String
    public var runID: String
    /// Folder to which file names in the scenario are relative.
    public var folder = ""
    public var argv: [String] = []
    /// `complete`, `inconclusive`, `void` or `interrupted`; `running` while the search goes on.
    public var outcome = "running"
    /// Path of the key that holds the load.
    public var vary = ""
    /// Whether loads are bit rates in bit/s.
    public var variesBitrate = false
    public var lowest = 0
    public var highest = 0
    public var goals: [Goal] = []
    public var method: Method?
    /// Path of the swept key; empty without a sweep.
    public var sweptKey = ""
    public var driver = ""
    /// Time for each search.
    public var budgetS = 0.0
    public var searches: [Search] = []
    public var trials: [Trial] = []
    public var calibrations: [Calibration] = []
    /// Capacities of the sweep in its order; empty without a sweep.
    public var points: [Point] = []
    public var scaling: Scaling?
    /// Smallest size of the pool whose capacity interval reaches that of the best; nil unless the
    /// sweep is over numbers.
    public var recommended: String?
    public var notes: [String] = []

    public init(scenario: String, scenarioSHA256: String, runID: String) {
        (self.scenario, self.scenarioSHA256, self.runID) = (scenario, scenarioSHA256, runID)
    }

    /// Reads the summary of a results directory; nil if the directory is not a search's.
    ///
    /// - Throws: `ResultsError` if the directory is a search's, and its summary is damaged.
    public static func read(directory: String) throws(ResultsError) -> SearchSummary? {
        struct Head: Decodable { var kind: String? }
        let files = FileManager.default
        let data = (try? contents("\(directory)/summary.json")) ?? Data()
        let head = try? ResultsJSON.decoder().decode(Head.self, from: data)
        // A summary that was cut off does not say its kind. Only a search has such rows.
        guard
            head?.kind == kindName
                || head == nil && files.fileExists(atPath: "\(directory)/\(SearchRow.fileName)")
        else { return nil }
        return try load(directory: directory)
    }

    /// Reads the summary of a search's directory.
    ///
    /// - Throws: `ResultsError` if the directory is not one of a search, or is damaged.
    public static func load(directory: String) throws(ResultsError) -> SearchSummary {
        struct Head: Decodable { var kind: String? }
        let path = "\(directory)/summary.json"
        let data = try contents(path)
        do {
            guard try ResultsJSON.decoder().decode(Head.self, from: data).kind == kindName else {
                throw ResultsError(
                    path: path,
                    message: "is not the summary of a search; give a directory that "
                        + "`millrace search` wrote")
            }
            let summary = try ResultsJSON.decoder().decode(SearchSummary.self, from: data)
            if let fault = summary.fault { throw ResultsError(path: path, message: fault) }
            return summary
        } catch let error as ResultsError {
            throw error
        } catch {
            throw ResultsError(
                path: path,
                message: "is damaged or of another version (\(error)); begin a new search")
        }
    }

    /// Reads a file that is not longer than any search makes it.
    private static func contents(_ path: String) throws(ResultsError) -> Data {
        let large = ResultsError(
            path: path, message: "is larger than any search makes it; begin a new search")
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        guard size <= byteLimit else { throw large }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ResultsError(
                path: path,
                message: "cannot be read; give a directory that `millrace search` wrote")
        }
        guard data.count <= byteLimit else { throw large }
        return data
    }

    /// Says what in a file is impossible; nil if nothing is.
    private var fault: String? {
        let indices = trials.map(\.search) + calibrations.map(\.search)
        guard indices.allSatisfy({ searches.indices.contains($0) }) else {
            return "a trial belongs to a search that is not in the file; begin a new search"
        }
        guard trials.count <= 1_000_000, searches.count <= 100_000,
            trials.allSatisfy({ $0.verdicts.isEmpty || $0.verdicts.count == goals.count }),
            searches.allSatisfy({ $0.bounds.isEmpty || $0.bounds.count == goals.count })
        else { return "the verdicts are not those of its goals; begin a new search" }
        return nil
    }
}

extension SearchSummary {
    /// What a load counts, such as `viewers` for `viewers[0].count`.
    public var noun: String { Self.noun(of: vary) }

    /// What the swept key counts, such as `threads` for `stack.threads`.
    public var sweptNoun: String { Self.noun(of: sweptKey) }

    private static func noun(of path: String) -> String {
        var keys = path.split(separator: ".").map { $0.prefix { $0 != "[" } }
        if keys.last == "count", keys.count > 1 { keys.removeLast() }
        return keys.last.map { String($0).replacing("_", with: " ") } ?? ""
    }

    /// A load with its unit, such as `240 viewers` or `2.5 Mbit/s`.
    public func words(load: Double) -> String {
        variesBitrate
            ? "\(Figure.short(load / 1e6, digits: 3)) Mbit/s"
            : "\(Figure.number(load, digits: load == load.rounded() ? 0 : 1)) \(noun)"
    }

    /// The trials at a load of one search that are verdicts.
    public func verdicts(ofSearch search: Int, load: Int) -> [Trial] {
        trials.filter { $0.search == search && $0.load == load && $0.voidReason == nil }
    }

    /// Rows of search.csv: one for each trial and goal.
    public var rows: [SearchRow] {
        trials.flatMap { trial -> [SearchRow] in
            goals.indices.map { index in
                var row = SearchRow()
                row.runID = runID
                row.trial = trial.number
                row.value =
                    searches.indices.contains(trial.search)
                    ? searches[trial.search].value : ""
                row.repetition =
                    searches.indices.contains(trial.search)
                    ? searches[trial.search].repetition : nil
                row.load = trial.load
                row.durationSeconds = trial.durationS
                row.wallSeconds = trial.wallS
                row.goal = goals[index].name
                if trial.verdicts.indices.contains(index) {
                    row.good = trial.verdicts[index].good ? 1 : 0
                    row.observed = trial.verdicts[index].observed
                }
                row.deliveredMegabits = trial.deliveredMbps
                row.serverCPUPercent = trial.serverCPUPercent
                row.voidReason = trial.voidReason ?? ""
                row.directory = trial.directory
                return row
            }
        }
    }
}
