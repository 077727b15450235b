import SimulationKernel
import Statistics
import Synchronization

/// Chooses a ladder together with the algorithm, buffer and device caps that suit it.
public struct LadderChooser: Sendable {
    /// Number of sets above which `nil` as method means the local search.
    public static let mostExactSets = 20_000
    /// Number of simulated segments above which `nil` as method means the local search.
    static let mostExactSegments = 1_000_000_000
    /// Largest number of combinations that a choice keeps.
    static let mostCombinations = 200_000
    /// Number of viewers drawn for a confidence interval, over all resamples (at least 100 are
    /// taken).
    static let mostResampled = 20_000_000
    /// Number of ladders of the search that are judged.
    static let finalists = 5

    public let problem: LadderProblem
    public let search: LadderSearch
    public let method: LadderSearch.Method
    private let evaluator: LadderEvaluator
    private let threads: Int

    /// - Parameters:
    ///   - method: nil = the exact search if the problem is small enough.
    ///   - threads: number of ladders simulated at a time, 1 or more.
    public init(
        _ problem: LadderProblem, method: LadderSearch.Method?, threads: Int
    ) throws {
        self.problem = problem
        self.threads = threads
        let evaluator = try LadderEvaluator(problem, round: 0)
        self.evaluator = evaluator
        search = LadderSearch(
            candidates: problem.candidates.count, maximumRungs: problem.maximumRungs,
            isAllowed: { evaluator.cores($0) != nil })
        let each = problem.settings.count * problem.viewers * problem.seeds * problem.segmentCount
        let (segments, overflow) = search.setCount.multipliedReportingOverflow(by: each)
        let isSmall =
            search.setCount <= Self.mostExactSets && !overflow
            && segments <= Self.mostExactSegments
        self.method = method ?? (isSmall ? .exact : .heuristic)
    }

    /// - Parameters:
    ///   - references: ladders to compare with, by name.
    ///   - isCancelled: called frequently.
    ///   - progress: receives the number of sets scored so far; may be called on any thread.
    /// - Returns: nil if the choice was cancelled.
    /// - Throws: `LadderChoiceError` if no ladder keeps within the limits.
    public func choose(
        references: [(name: String, rungs: [LadderCandidate])] = [],
        isCancelled: @escaping @Sendable () -> Bool = { false },
        progress: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws -> LadderChoice? {
        do {
            return try await choose(references, isCancelled, progress)
        } catch is CancellationError { return nil }
    }

    private func choose(
        _ references: [(name: String, rungs: [LadderCandidate])],
        _ isCancelled: @escaping @Sendable () -> Bool,
        _ progress: @escaping @Sendable (Int) -> Void
    ) async throws -> LadderChoice {
        let evaluator = evaluator.cancelled(when: isCancelled)
        let book = Book()
        let score: LadderSearch.Score = { sets in
            let outcomes = try await self.evaluate(sets, evaluator)
            book.add(sets, outcomes)
            progress(book.count)
            return outcomes.map { self.best($0)?.objective ?? -.infinity }
        }
        let found =
            switch method {
            case .exact: try await search.exact(score)
            case .heuristic: try await search.heuristic(starts: [], seed: problem.seed, score)
            }
        guard let found else {
            throw LadderChoiceError(
                "no ladder keeps within the limits: the cheapest candidate alone takes "
                    + "\(problem.candidates[0].bitrate) kbit/s; raise limits.egress or limits.cpu")
        }
        var combinations = book.combinations(evaluator, problem)
        Self.markPareto(&combinations)
        let ranked = Self.ranked(combinations, first: found.best)
        let judge = try LadderEvaluator(problem, round: 1).cancelled(when: isCancelled)
        let finalists = try self.finalists(ranked, references, evaluator, judge)
        if combinations.count > Self.mostCombinations {
            combinations = Self.shortened(combinations)
        }
        return LadderChoice(
            method: method, evaluated: found.evaluated, sets: search.setCount,
            combinations: combinations, finalists: finalists,
            contributions: try contributions(finalists[0], judge))
    }

    // MARK: Scoring

    private func evaluate(
        _ sets: [RungSet], _ evaluator: LadderEvaluator
    ) async throws -> [[LadderOutcome]] {
        try await withThrowingTaskGroup(of: (Int, [LadderOutcome]).self) { group in
            var result = Array(repeating: [LadderOutcome](), count: sets.count)
            var next = 0
            while next < sets.count || !group.isEmpty {
                while next < min(sets.count, threads) {
                    let (index, set) = (next, sets[next])
                    group.addTask { (index, try evaluator.evaluate(set)) }
                    next += 1
                }
                guard let (index, outcomes) = try await group.next() else { break }
                result[index] = outcomes
                if next < sets.count {
                    let (index, set) = (next, sets[next])
                    group.addTask { (index, try evaluator.evaluate(set)) }
                    next += 1
                }
            }
            return result
        }
    }

    /// Returns the best setting within the egress limit.
    private func best(_ outcomes: [LadderOutcome]) -> LadderOutcome? {
        outcomes.filter { $0.egress <= problem.maximumEgress }
            .max { $0.objective < $1.objective }
    }

    /// Records of what the search has scored.
    private final class Book: Sendable {
        private let outcomes = Mutex<[RungSet: [LadderOutcome]]>([:])

        var count: Int { outcomes.withLock { $0.count } }

        func add(_ sets: [RungSet], _ new: [[LadderOutcome]]) {
            outcomes.withLock { outcomes in
                for (set, value) in zip(sets, new) { outcomes[set] = value }
            }
        }

        func combinations(
            _ evaluator: LadderEvaluator, _ problem: LadderProblem
        ) -> [LadderChoice.Combination] {
            let all = outcomes.withLock { $0 }
            return all.keys.sorted().flatMap { set in
                let rungs = set.indices.map { problem.candidates[$0] }
                let cores = evaluator.cores(set) ?? .infinity
                return (all[set] ?? []).enumerated().map { index, outcome in
                    LadderChoice.Combination(
                        rungs: rungs, set: set, setting: index, cores: cores, searched: outcome,
                        isAllowed: outcome.egress <= problem.maximumEgress)
                }
            }
        }
    }

    // MARK: Pareto front

    /// Marks the combinations that no other combination beats in QoE, CPU and egress at once.
    static func markPareto(_ combinations: inout [LadderChoice.Combination]) {
        // The order begins with the best objective, so that only an earlier combination can beat a
        // later one.
        let order = combinations.indices.sorted { a, b in
            let (x, y) = (combinations[a], combinations[b])
            return (-x.searched.objective, x.cores, x.searched.egress, a)
                < (-y.searched.objective, y.cores, y.searched.egress, b)
        }
        var front: [(cores: Double, egress: Double)] = []
        for index in order where combinations[index].isAllowed {
            let (cores, egress) = (combinations[index].cores, combinations[index].searched.egress)
            guard !front.contains(where: { $0.cores <= cores && $0.egress <= egress }) else {
                continue
            }
            front.append((cores, egress))
            combinations[index].isPareto = true
        }
    }

    private static func shortened(
        _ combinations: [LadderChoice.Combination]
    ) -> [LadderChoice.Combination] {
        let floor = combinations.map(\.searched.objective).sorted(by: >)[mostCombinations - 1]
        return combinations.filter { $0.isPareto || $0.searched.objective >= floor }
            .prefix(mostCombinations).map { $0 }
    }

    /// Returns the best combination of each set, best sets first.
    private static func ranked(
        _ combinations: [LadderChoice.Combination], first: RungSet
    ) -> [LadderChoice.Combination] {
        var best: [RungSet: LadderChoice.Combination] = [:]
        for combination in combinations where combination.isAllowed {
            guard let set = combination.set else { continue }
            if let known = best[set], known.searched.objective >= combination.searched.objective {
                continue
            }
            best[set] = combination
        }
        return best.sorted { a, b in
            let (x, y) = (a.value.searched.objective, b.value.searched.objective)
            if (a.key == first) != (b.key == first) { return a.key == first }
            return x == y ? (a.key.count, a.key.mask) < (b.key.count, b.key.mask) : x > y
        }.prefix(finalists).map(\.value)
    }

    // MARK: Judging

    private func finalists(
        _ ranked: [LadderChoice.Combination],
        _ references: [(name: String, rungs: [LadderCandidate])], _ evaluator: LadderEvaluator,
        _ judge: LadderEvaluator
    ) throws -> [LadderChoice.Finalist] {
        let names = ["chosen", "second", "third", "fourth", "fifth"]
        var all: [(String, LadderChoice.Combination)] = Array(zip(names, ranked))
        for reference in references {
            let outcomes = try evaluator.evaluate(reference.rungs)
            // The ladder has its own best setting, so that ladders are compared and not unsuitable
            // players.
            guard
                let setting = outcomes.indices.max(by: {
                    outcomes[$0].objective < outcomes[$1].objective
                })
            else { continue }
            let cores = reference.rungs.reduce(0) { $0 + $1.cores }
            all.append(
                (
                    reference.name,
                    LadderChoice.Combination(
                        rungs: reference.rungs, set: nil, setting: setting, cores: cores,
                        searched: outcomes[setting],
                        isAllowed: LadderEvaluator.cores(reference.rungs, problem) != nil
                            && outcomes[setting].egress <= problem.maximumEgress)
                ))
        }
        var result: [LadderChoice.Finalist] = []
        var ofChosen: [[Double]] = []
        for (name, combination) in all {
            let (judged, values) = try judge.judge(
                combination.rungs, problem.settings[combination.setting], nil)
            let chosen = result.first?.judged ?? judged
            if result.isEmpty { ofChosen = values }
            result.append(
                LadderChoice.Finalist(
                    name: name, combination: combination, judged: judged,
                    interval: interval(values, less: nil, judge, name),
                    difference: judged.objective - chosen.objective,
                    differenceInterval: interval(
                        values, less: ofChosen, judge, "\(name) difference")))
        }
        return result
    }

    /// Resamples seeds, and takes the statistic over the viewers of the drawn seeds, as for the
    /// objective: a percentile of all viewers is not the mean of the seeds' percentiles.
    /// - Parameter values: QoE of each viewer, per seed.
    private func interval(
        _ values: [[Double]], less other: [[Double]]?, _ judge: LadderEvaluator, _ entity: String
    ) -> ClosedRange<Double>? {
        var generator = SeededGenerator(seed: problem.seed, entity: "bootstrap/\(entity)")
        let size = max(1, values.reduce(0) { $0 + $1.count })
        return Bootstrap.interval(
            groups: values.count,
            resamples: min(Bootstrap.defaultResamples, max(100, Self.mostResampled / size)),
            using: &generator
        ) { seeds in
            let value = judge.statistic(seeds.flatMap { values[$0] })
            return other.map { other in value - judge.statistic(seeds.flatMap { other[$0] }) }
                ?? value
        }
    }

    private func contributions(
        _ chosen: LadderChoice.Finalist, _ judge: LadderEvaluator
    ) throws -> [LadderChoice.Contribution] {
        let rungs = chosen.combination.rungs
        let setting = problem.settings[chosen.combination.setting]
        // The indices are requests[rung][audience].
        var requests = Array(
            repeating: Array(repeating: 0, count: problem.audiences.count), count: rungs.count)
        _ = try judge.evaluate(rungs, setting) { audience, segments in
            let cap = problem.cap(audience, setting)
            let seen = rungs.indices.filter { rungs[$0].height <= cap }
            for segment in segments where segment.abandonedFor == nil {
                requests[seen.isEmpty ? 0 : seen[segment.rendition]][audience] += 1
            }
        }
        let total = max(1, requests.reduce(0) { $0 + $1.reduce(0, +) })
        return try rungs.indices.map { index in
            let ofRung = requests[index].reduce(0, +)
            let main =
                requests[index].indices.max { requests[index][$0] < requests[index][$1] } ?? 0
            var others = rungs
            others.remove(at: index)
            let without = others.isEmpty ? nil : try judge.evaluate(others, setting, nil)
            return LadderChoice.Contribution(
                rung: rungs[index], share: Double(ofRung) / Double(total),
                mainAudience: problem.audiences[main].name,
                mainAudienceShare: Double(requests[index][main]) / Double(max(1, ofRung)),
                without: without,
                loss: without.map { chosen.judged.objective - $0.objective } ?? .nan,
                egress: without.map { chosen.judged.egress - $0.egress } ?? chosen.judged.egress)
        }
    }
}
