import ABR
import Glibc
import Netem
import SimulationKernel

/// Difference between the ladder chooser's local search and the exact search, over seeded random
/// problems.
package struct LadderBench: Sendable {
    package struct Instance: Codable, Sendable {
        package var instance: Int
        package var exact: Double
        package var heuristic: Double
        /// Relative loss of the local search: (exact - heuristic) / |exact|.
        package var gap: Double
        package var exactSets: Int
        package var heuristicSets: Int

        private enum CodingKeys: String, CodingKey {
            case instance, exact, heuristic, gap
            case exactSets = "exact_sets"
            case heuristicSets = "heuristic_sets"
        }
    }

    package struct Report: Codable, Sendable {
        package var benchmark = "ladder"
        package var instances: [Instance] = []
        package var largestGap = 0.0
        package var meanGap = 0.0
        /// Number of instances in which both searches found the same objective.
        package var same = 0
        /// Mean share of all sets that the local search scored.
        package var setsShare = 0.0

        private enum CodingKeys: String, CodingKey {
            case benchmark, instances, same
            case largestGap = "largest_gap"
            case meanGap = "mean_gap"
            case setsShare = "sets_share"
        }
    }

    package var instances = 100
    package var candidates = 16
    package var rungs = 5
    package var threads = 1

    package init() {}

    package func run(progress: (Instance) -> Void) async throws -> Report {
        var report = Report()
        for index in 0..<instances {
            let problem = try Self.problem(index, candidates: candidates, rungs: rungs)
            let evaluator = try LadderEvaluator(problem, round: 0)
            let search = LadderSearch(
                candidates: candidates, maximumRungs: rungs,
                isAllowed: { evaluator.cores($0) != nil })
            let threads = threads
            let score: LadderSearch.Score = { sets in
                try await Self.scores(sets, evaluator, threads: threads)
            }
            guard let exact = try await search.exact(score),
                let found = try await search.heuristic(
                    starts: [], seed: problem.seed, score)
            else { continue }
            let instance = Instance(
                instance: index, exact: exact.score, heuristic: found.score,
                gap: (exact.score - found.score) / abs(exact.score), exactSets: exact.evaluated,
                heuristicSets: found.evaluated)
            progress(instance)
            report.instances.append(instance)
        }
        let gaps = report.instances.map(\.gap)
        let count = Double(max(1, gaps.count))
        report.largestGap = gaps.max() ?? 0
        report.meanGap = gaps.reduce(0, +) / count
        report.same = gaps.count { $0 == 0 }
        report.setsShare =
            report.instances.reduce(0) { $0 + Double($1.heuristicSets) / Double($1.exactSets) }
            / count
        return report
    }

    /// Draws a problem from its number: rates, costs, population and limits.
    static func problem(_ index: Int, candidates: Int, rungs: Int) throws -> LadderProblem {
        var random = SeededGenerator(seed: UInt64(index), entity: "ladder bench")
        let heights = [(500.0, 240), (1000, 360), (2000, 480), (4500, 720), (.infinity, 1080)]
        let rates = (0..<candidates).map { _ in 150 * exp2(random.nextUnit() * 6) }
        let chosen = rates.map { rate in
            let height = heights.first { rate < $0.0 }?.1 ?? 1080
            let pixels = Double(height * height) * 16 / 9
            return LadderCandidate(
                bitrate: rate.rounded(), height: height,
                cores: pixels * (0.7 + 0.6 * random.nextUnit()) / 1e6)
        }
        let profiles = LinkProfile.all.shuffled(using: &random).prefix(3)
        let screens = [720, 1080, 2160]
        let audiences = profiles.map { profile in
            LadderAudience(
                name: profile.name, share: 0.2 + random.nextUnit(),
                link: .schedule(profile.schedule(.down, seed: UInt64(index))),
                screenHeight: screens[Int(random.nextUnit() * 3)])
        }
        var problem = LadderProblem(
            candidates: chosen, audiences: audiences,
            settings: [
                LadderSetting(algorithm: .bolaE, maximumBuffer: 20_000, fitsDevice: true)
            ], maximumRungs: rungs)
        problem.maximumCores = 1 + 4 * random.nextUnit()
        problem.viewers = 9
        problem.seeds = 1
        problem.seed = UInt64(index)
        problem.segmentCount = 25
        return problem
    }

    private static func scores(
        _ sets: [RungSet], _ evaluator: LadderEvaluator, threads: Int
    ) async throws -> [Double] {
        let size = max(1, (sets.count + threads - 1) / threads)
        return try await withThrowingTaskGroup(of: (Int, [Double]).self) { group in
            for start in stride(from: 0, to: sets.count, by: size) {
                let part = sets[start..<min(sets.count, start + size)]
                group.addTask {
                    (start, try part.map { try evaluator.evaluate($0)[0].objective })
                }
            }
            var parts: [(Int, [Double])] = []
            for try await part in group { parts.append(part) }
            return parts.sorted { $0.0 < $1.0 }.flatMap(\.1)
        }
    }
}
