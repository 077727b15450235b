import Netem
import SimulationKernel
import Statistics

/// How a ladder does under one setting.
public struct LadderOutcome: Hashable, Sendable {
    /// The statistic over all viewers of all seeds.
    public var objective: Double
    /// The same per seed.
    public var objectives: [Double]
    /// Mean over viewers (kbit/s).
    public var egress: Double
    /// Stalled share of the time in which viewers wanted to watch.
    public var stallRatio: Double
    /// kbit/s
    public var meanBitrate: Double
    public var switchesPerMinute: Double
}

/// Simulates a problem's viewers on ladders. The same viewers, links and segment complexities meet
/// every ladder and setting (common random numbers), so that differences are the ladders'.
public struct LadderEvaluator: Sendable {
    struct Viewer: Sendable {
        var audience: Int
        var link: RateSchedule
    }

    public let problem: LadderProblem
    /// Per seed.
    private let viewers: [[Viewer]]
    /// Per seed: size of each segment relative to the average.
    private let complexities: [[Double]]
    /// ln of the lowest candidate's bit rate.
    private let lowest: Double
    private let highestQuality: Double
    /// Asked before each session, since a single ladder may take minutes.
    private var isCancelled: @Sendable () -> Bool = { false }

    /// - Parameter round: 0 draws the viewers to search with, 1 those that judge.
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

    /// The same evaluator, whose work ends in a `CancellationError` once `isCancelled` is true.
    func cancelled(when isCancelled: @escaping @Sendable () -> Bool) -> LadderEvaluator {
        var copy = self
        copy.isCancelled = isCancelled
        return copy
    }

    /// Viewers are dealt to audiences by largest remainder, so that shares hold in every seed.
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

    /// Whole numbers in the ratio of `shares` that add up to `total`, each at least 1.
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

    /// A set's cores; nil where it breaks a limit that needs no simulation.
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

    /// - Returns: per setting of the problem.
    public func evaluate(_ set: RungSet) throws -> [LadderOutcome] {
        try evaluate(set.indices.map { problem.candidates[$0] })
    }

    /// - Parameter rungs: ascending by bit rate, no two alike.
    public func evaluate(_ rungs: [LadderCandidate]) throws -> [LadderOutcome] {
        try problem.settings.map { setting in try evaluate(rungs, setting, nil) }
    }

    /// - Parameter usage: gets seed, audience and what was requested of each session.
    func evaluate(
        _ rungs: [LadderCandidate], _ setting: LadderSetting,
        _ usage: ((Int, [SegmentRecord]) -> Void)?
    ) throws -> LadderOutcome {
        try judge(rungs, setting, usage).outcome
    }

    /// - Returns: also the QoE of each viewer, per seed.
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

    /// The title as a viewer sees it whose player leaves out what is taller than `cap`, and whose
    /// screen shows no more than `screen`: what is taller costs, and looks no better.
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

    /// QoE of a session per segment.
    private func value(_ account: QoEAccount, _ title: Title) -> Double {
        guard account.segments > 0 else { return -.infinity }
        let count = Double(account.segments)
        switch problem.qoe {
        case .linear: return QoEMetrics(account, title: title).linear / count
        case .log:
            // The metric counts from the lowest rung of the ladder, here ladders differ in it.
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
