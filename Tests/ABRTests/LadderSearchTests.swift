import Netem
import SimulationKernel
import Synchronization
import Testing

@testable import ABR

@Suite struct LadderSearchTests {
    /// 12 candidates, viewers on three kinds of links, a CPU and an egress limit.
    private static func problem(_ seed: UInt64) -> LadderProblem {
        let rates = [200.0, 300, 450, 700, 1000, 1300, 1700, 2200, 2900, 3800, 5000, 7000]
        let candidates = rates.enumerated().map { index, rate in
            LadderCandidate(
                bitrate: rate, height: [240, 360, 480, 720][index / 3],
                cores: 0.1 + 0.1 * Double(index))
        }
        let links: [(String, Int)] = [("slow", 900), ("middle", 2500), ("fast", 6500)]
        var problem = LadderProblem(
            candidates: candidates,
            audiences: links.map { name, rate in
                LadderAudience(
                    name: name, share: 1,
                    link: .schedule(
                        RateSchedule(constant: Bitrate(kilobitsPerSecond: rate + Int(seed) * 40))),
                    screenHeight: name == "middle" ? 480 : 1080)
            },
            settings: [
                LadderSetting(algorithm: .throughput, maximumBuffer: 12_000, fitsDevice: false),
                LadderSetting(algorithm: .bolaE, maximumBuffer: 12_000, fitsDevice: true),
            ], maximumRungs: 4)
        problem.maximumCores = 2.2
        problem.maximumEgress = 2400
        problem.viewers = 3
        problem.seeds = 1
        problem.seed = seed
        problem.segmentCount = 6
        return problem
    }

    /// Every subset by counting in binary, with sums and comparisons of its own.
    private static func bruteForce(_ problem: LadderProblem) throws -> (Double, [Int]) {
        var best = (-Double.infinity, [Int]())
        let evaluator = try LadderEvaluator(problem, round: 0)
        for bits in 1..<(1 << problem.candidates.count) {
            let chosen = problem.candidates.indices.filter { bits / (1 << $0) % 2 == 1 }
            guard chosen.count <= problem.maximumRungs else { continue }
            var cores = 0.0
            for index in chosen { cores += problem.candidates[index].cores }
            guard cores <= problem.maximumCores + 1e-9 else { continue }
            for outcome in try evaluator.evaluate(chosen.map { problem.candidates[$0] })
            where outcome.egress <= problem.maximumEgress {
                let isSmaller = outcome.objective == best.0 && chosen.count < best.1.count
                if outcome.objective > best.0 || isSmaller { best = (outcome.objective, chosen) }
            }
        }
        return best
    }

    @Test(arguments: 0..<3) func exactEqualsBruteForce(seed: UInt64) async throws {
        let problem = Self.problem(seed)
        let chooser = try LadderChooser(problem, method: nil, threads: 2)
        #expect(chooser.method == .exact)
        let choice = try #require(try await chooser.choose())
        let (objective, indices) = try Self.bruteForce(problem)
        let chosen = choice.chosen.combination
        #expect(chosen.searched.objective == objective)
        #expect(chosen.set?.indices == indices)
        #expect(chosen.cores <= problem.maximumCores + 1e-9)
        #expect(chosen.searched.egress <= problem.maximumEgress)
        // 793 subsets of at most four of twelve.
        #expect(choice.sets == 793)
        // Each rung has a reason, and the shares are of all segments.
        #expect(choice.contributions.count == indices.count)
        #expect(abs(choice.contributions.reduce(0) { $0 + $1.share } - 1) < 1e-9)
    }

    /// The front by its definition, pair by pair.
    @Test func paretoFront() async throws {
        let choice = try #require(
            try await LadderChooser(Self.problem(1), method: .exact, threads: 1).choose())
        let allowed = choice.combinations.filter(\.isAllowed)
        func beats(_ a: LadderChoice.Combination, _ b: LadderChoice.Combination) -> Bool {
            let (x, y) = (a.searched, b.searched)
            let noWorse =
                x.objective >= y.objective && a.cores <= b.cores && x.egress <= y.egress
            let better = x.objective > y.objective || a.cores < b.cores || x.egress < y.egress
            return noWorse && better
        }
        for combination in allowed {
            let isBeaten = allowed.contains { beats($0, combination) }
            if combination.isPareto { #expect(!isBeaten) }
            if !isBeaten {
                // One of those that are alike in all three stands for them.
                let alike = allowed.contains {
                    $0.isPareto && $0.cores == combination.cores
                        && $0.searched.objective == combination.searched.objective
                        && $0.searched.egress == combination.searched.egress
                }
                #expect(alike)
            }
        }
        #expect(allowed.contains { $0.isPareto })
    }

    /// The local search on 100 instances of 5 of 16 whose objective is a closed form: each link
    /// gets the utility of its highest rung at or below its rate, less a price per rung's cost.
    @Test(arguments: 0..<100) func heuristicIsClose(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed, entity: "instance")
        let rates = (0..<16).map { _ in 150 * exponential(random.nextUnit() * 4) }.sorted()
        let costs = rates.map { 0.1 + $0 / 4000 * (0.5 + random.nextUnit()) }
        let links = (0..<12).map { _ in 100 * exponential(random.nextUnit() * 5) }
        let limit = 1 + 3 * random.nextUnit()
        let search = LadderSearch(candidates: 16, maximumRungs: 5) { set in
            set.indices.reduce(0) { $0 + costs[$1] } <= limit
        }
        let score: LadderSearch.Score = { sets in
            sets.map { set in
                links.reduce(0) { sum, link in
                    let best = set.indices.last { rates[$0] <= link }
                    return sum + (best.map { Title.logarithm(rates[$0] / 100) } ?? -2)
                }
            }
        }
        let exact = try #require(try await search.exact(score))
        let found = try #require(try await search.heuristic(starts: [], seed: seed, score))
        #expect(found.score >= exact.score - 0.01 * abs(exact.score))
        #expect(found.score <= exact.score)
    }

    @Test func setsAreCountedAndVisitedOnce() async throws {
        let search = LadderSearch(candidates: 10, maximumRungs: 3) { _ in true }
        #expect(search.setCount == 10 + 45 + 120)
        let visited = Mutex<[RungSet]>([])
        _ = try await search.exact { sets in
            visited.withLock { $0 += sets }
            return sets.map { _ in 0 }
        }
        let all = visited.withLock { $0 }
        #expect(all.count == 175 && Set(all).count == 175)
    }

    @Test func sharesAreDealtByLargestRemainder() {
        #expect(LadderEvaluator.apportion(10, to: [0.5, 0.3, 0.2]) == [5, 3, 2])
        #expect(LadderEvaluator.apportion(10, to: [1, 1, 1]) == [4, 3, 3])
        #expect(LadderEvaluator.apportion(4, to: [100, 1, 1]) == [2, 1, 1])
    }

    /// A picture taller than the screen costs bits and looks no better: with it a viewer on a fast
    /// link is no better off than with the rung that fits, and fetches more.
    @Test(arguments: LadderQoE.allCases) func tallPicturesOnSmallScreens(qoe: LadderQoE) throws {
        func outcome(_ rungs: [LadderCandidate], screen: Int) throws -> LadderOutcome {
            var problem = LadderProblem(
                candidates: rungs,
                audiences: [
                    LadderAudience(
                        name: "fast", share: 1,
                        link: .schedule(RateSchedule(constant: Bitrate(kilobitsPerSecond: 50_000))),
                        screenHeight: screen)
                ],
                settings: [
                    LadderSetting(algorithm: .throughput, maximumBuffer: 20_000, fitsDevice: false)
                ], maximumRungs: 2)
            problem.viewers = 2
            problem.seeds = 1
            problem.segmentCount = 20
            problem.qoe = qoe
            return try LadderEvaluator(problem, round: 0).evaluate(rungs)[0]
        }
        let low = LadderCandidate(bitrate: 1000, height: 480, quality: 60)
        let high = LadderCandidate(bitrate: 5000, height: 1080, quality: 60)
        let alone = try outcome([low], screen: 480)
        let both = try outcome([low, high], screen: 480)
        #expect(abs(both.objective - alone.objective) < 0.05 * max(1, abs(alone.objective)))
        #expect(both.egress > 3 * alone.egress)
        #expect(both.meanBitrate == 1000 && both.switchesPerMinute == 0)
        if qoe != .quality {
            #expect(try outcome([low, high], screen: 1080).objective > both.objective + 0.5)
        }
    }

    @Test func noLadderWithinLimits() async throws {
        var problem = Self.problem(0)
        problem.maximumEgress = 1
        let chooser = try LadderChooser(problem, method: .exact, threads: 1)
        await #expect(throws: LadderChoiceError.self) { try await chooser.choose() }
        problem.maximumEgress = .infinity
        problem.maximumCores = 0.01
        #expect(throws: LadderChoiceError.self) { try problem.check() }
    }

    @Test func cancelled() async throws {
        let chooser = try LadderChooser(Self.problem(0), method: .exact, threads: 2)
        let choice = try await chooser.choose(isCancelled: { true })
        #expect(choice == nil)
    }

    /// Not after the ladder that is being simulated, which may take minutes.
    @Test func cancelledWithinALadder() async throws {
        let asked = Atomic(0)
        var problem = Self.problem(0)
        problem.seeds = 50
        let evaluator = try LadderEvaluator(problem, round: 0).cancelled(when: {
            asked.add(1, ordering: .relaxed).newValue > 3
        })
        #expect(throws: CancellationError.self) { try evaluator.evaluate(problem.candidates) }
        #expect(asked.load(ordering: .relaxed) == 4)
    }

    /// The interval is that of the objective: of a percentile over the viewers of all seeds.
    @Test func percentileLiesInItsInterval() async throws {
        var problem = Self.problem(1)
        problem.statistic = .percentile(5)
        problem.seeds = 12
        problem.segmentCount = 10
        let choice = try #require(
            try await LadderChooser(problem, method: .heuristic, threads: 2).choose())
        for finalist in choice.finalists {
            #expect(try #require(finalist.interval).contains(finalist.judged.objective))
            #expect(
                try #require(finalist.differenceInterval).contains(finalist.difference))
        }
    }
}
