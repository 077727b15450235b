import Netem
import SimulationKernel
import Statistics

/// Result of a ladder under one setting.
public struct LadderOutcome: Hashable, Sendable {
    /// Statistic over all viewers of all seeds.
    public var objective: Double
    /// Statistic over the viewers of each seed.
    public var objectives: [Double]
    /// Mean egress over viewers (kbit/s).
    public var egress: Double
    /// Stalled share of the time in which viewers wanted to watch.
    public var stallRatio: Double
    /// Mean bit rate in kbit/s.
    public var meanBitrate: Double
    public var switchesPerMinute: Double
}

/// Simulates a problem's viewers on ladders. Every ladder and setting is simulated with the same
/// viewers, links and segment complexities (common random numbers), so that only the ladders cause
/// differences.
public struct LadderEvaluator: Sendable {
    struct Viewer: Sendable {
        var audience: Int
        var link: RateSchedule
    }

    public let problem: LadderProblem
    /// Viewers per seed.
    private let viewers: [[Viewer]]
    /// Size of each segment relative to the average, per seed.
    private let complexities: [[Double]]
    /// Natural logarithm of the lowest candidate's bit rate.
    private let lowest: Double
    private let highestQuality: Double
    /// Called before each session, since a single ladder may take minutes.
    private var isCancelled: @Sendable () -> Bool = { false }

    /// - Parameter round: 0 draws the viewers of the search, 1 the viewers of the judgement.
    public init(_ problem: LadderProblem, round: Int) throws {
        try problem.check()
        self.problem = problem
        lowest = Title.logarithm(problem.candidates[0].bitrate)
        highestQuality = problem.candidates.compactMap(\.quality).max() ?? 0
        var viewers: [[Viewer]] = []
        var complexities: [[Double]] = []
        for seed in 0..<problem.seeds {
            let entity = "ladder/\(round)/\(seed)"
            viewers.append(try Self.viewers(problem, entity))
            var generator = SeededGenerator(seed: problem.seed, entity: "\(entity)/title")
            complexities.append(
                Ladder.complexities(
                    problem.segmentCount, variation: problem.variation, using: &generator))
        }
        self.viewers = viewers
        self.complexities = complexities
    }

    /// Returns the same evaluator, but its work ends in a `CancellationError` once `isCancelled` is
    /// true.
    func cancelled(when isCancelled: @escaping @Sendable () -> Bool) -> LadderEvaluator {
        var copy = self
        copy.isCancelled = isCancelled
        return copy
    }

    /// Draws the viewers. They are distributed to audiences by largest remainder, so that shares
    /// hold in every seed.
    private static func viewers(_ problem: LadderProblem, _ entity: String) throws -> [Viewer] {
        let counts = apportion(problem.viewers, to: problem.audiences.map(\.share))
        var result: [Viewer] = []
        for (audience, count) in counts.enumerated() {
            let link = problem.audiences[audience].link
            let cycle = try link.rateSchedule().cycleNanoseconds
            var generator = SeededGenerator(
                seed: problem.seed, entity: "\(entity)/audience/\(audience)")
            for _ in 0..<count {
                let offset = Int64(generator.nextUnit() * Double(cycle))
                result.append(
                    Viewer(
                        audience: audience,
                        link: try link.rateSchedule(startOffsetNanoseconds: offset)))
            }
        }
        return result
    }

    /// Returns whole numbers in the ratio of `shares` that add up to `total`, each at least 1.
    static func apportion(_ total: Int, to shares: [Double]) -> [Int] {
        let sum = shares.reduce(0, +)
        let exact = shares.map { $0 / sum * Double(total) }
        var counts = exact.map { max(1, Int($0)) }
        let byRemainder = exact.indices.sorted {
            let (a, b) = (exact[$0] - Double(counts[$0]), exact[$1] - Double(counts[$1]))
            return a == b ? $0 < $1 : a > b
        }
        var next = 0
        while counts.reduce(0, +) < total {
            counts[byRemainder[next % counts.count]] += 1
            next += 1
        }
        while counts.reduce(0, +) > total,
            let largest = counts.indices.max(by: { counts[$0] < counts[$1] })
        {
            counts[largest] -= 1
        }
        return counts
    }

    // MARK: Ladders

    /// Returns a set's cores; nil if the set breaks a limit that needs no simulation.
    public func cores(_ set: RungSet) -> Double? {
        let chosen = set.indices.map { problem.candidates[$0] }
        return Self.cores(chosen, problem)
    }

    static func cores(_ rungs: [LadderCandidate], _ problem: LadderProblem) -> Double? {
        guard !rungs.isEmpty, rungs.count <= problem.maximumRungs else { return nil }
        for (lower, upper) in zip(rungs, rungs.dropFirst()) where lower.bitrate == upper.bitrate {
            return nil
        }
        let cores = rungs.reduce(0) { $0 + $1.cores }
        return cores <= problem.maximumCores * (1 + 1e-12) ? cores : nil
    }

    /// - Returns: an outcome per setting of the problem.
    public func evaluate(_ set: RungSet) throws -> [LadderOutcome] {
        try evaluate(set.indices.map { problem.candidates[$0] })
    }

    /// - Parameter rungs: rungs in ascending order of bit rate, without equal ones.
    public func evaluate(_ rungs: [LadderCandidate]) throws -> [LadderOutcome] {
        try problem.settings.map { setting in try evaluate(rungs, setting, nil) }
    }

    /// - Parameter usage: receives the seed, the audience and the requests of each session.
    func evaluate(
        _ rungs: [LadderCandidate], _ setting: LadderSetting,
        _ usage: ((Int, [SegmentRecord]) -> Void)?
    ) throws -> LadderOutcome {
        try judge(rungs, setting, usage).outcome
    }

    /// - Returns: the outcomes, and the QoE of each viewer per seed.
    func judge(
        _ rungs: [LadderCandidate], _ setting: LadderSetting,
        _ usage: ((Int, [SegmentRecord]) -> Void)?
    ) throws -> (outcome: LadderOutcome, values: [[Double]]) {
        var player = problem.player
        player.maximumBuffer = setting.maximumBuffer
        var values: [[Double]] = []
        var egress = 0.0
        var (stalled, playing, bitrate, switches) = (0.0, 0.0, 0.0, 0)
        var count = 0
        for seed in viewers.indices {
            var titles: [Int: Title] = [:]
            var ofSeed: [Double] = []
            for viewer in viewers[seed] {
                if isCancelled() { throw CancellationError() }
                let screen = problem.audiences[viewer.audience].screenHeight
                let title: Title
                if let known = titles[screen] {
                    title = known
                } else {
                    title = try self.title(
                        rungs, cap: problem.cap(viewer.audience, setting), screen: screen,
                        seed: seed)
                    titles[screen] = title
                }
                var run = try SoloSimulation(
                    SimulatedViewer(
                        title: title, player: player, algorithm: setting.algorithm,
                        link: viewer.link), tcp: problem.tcp, records: usage != nil)
                let session = run.run()
                let account = session.account
                usage?(viewer.audience, run.segments)
                ofSeed.append(value(account, title))
                egress += account.sessionTime > 0 ? session.bits / account.sessionTime : 0
                stalled += account.stalled
                playing += account.playing
                bitrate += account.segments > 0 ? account.meanBitrate : 0
                switches += account.switches
                count += 1
            }
            values.append(ofSeed)
        }
        let outcome = LadderOutcome(
            objective: statistic(values.flatMap { $0 }), objectives: values.map(statistic),
            egress: egress / Double(count), stallRatio: stalled / (stalled + playing),
            meanBitrate: bitrate / Double(count),
            switchesPerMinute: playing > 0 ? Double(switches) / (playing / 60_000) : 0)
        return (outcome, values)
    }

    /// Returns the title for a viewer whose player leaves out renditions taller than `cap`, and
    /// whose screen shows at most `screen`: taller renditions cost more, and do not look better.
    private func title(
        _ rungs: [LadderCandidate], cap: Int, screen: Int, seed: Int
    ) throws -> Title {
        let fitting = rungs.filter { $0.height <= cap }
        let seen = fitting.isEmpty ? [rungs[0]] : fitting
        let duration = problem.segmentDuration
        return try Title(
            name: "ladder", segmentDuration: duration, bitrates: seen.map(\.bitrate),
            sizes: complexities[seed].map { complexity in
                seen.map { ($0.bitrate * duration * complexity).rounded() }
            }, heights: seen.map(\.height),
            qualities: problem.qoe == .quality ? seen.map { $0.quality ?? 0 } : [],
            screenHeight: screen)
    }

    /// Returns the QoE of a session per segment.
    private func value(_ account: QoEAccount, _ title: Title) -> Double {
        guard account.segments > 0 else { return -.infinity }
        let count = Double(account.segments)
        switch problem.qoe {
        case .linear: return QoEMetrics(account, title: title).linear / count
        case .log:
            // The metric counts from the lowest rung of a ladder, and the ladders here differ in
            // this rung.
            let base = Title.logarithm(title.bitrates[0]) - lowest
            return QoEMetrics(account, title: title).log / count + base
        case .quality:
            let stall = (account.stalled + account.startup) / 1000
            return (account.qualitySum - highestQuality * stall - account.qualityChange) / count
        }
    }

    func statistic(_ values: [Double]) -> Double {
        switch problem.statistic {
        case .mean: values.reduce(0, +) / Double(values.count)
        case .percentile(let p): Quantile.of(values, p / 100)
        }
    }
}
