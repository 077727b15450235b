// How ladders are compared.
//
// Every ladder is simulated with the same viewers, links and segment sizes (common random numbers).
// The finalists are judged with other seeds, so that luck in the search does not appear as quality.

import SimulationKernel

/// Finds the set of rungs with the best score, either by scoring all sets or by local search.
///
/// The local search climbs from several starts (greedily built, evenly spread, and seeded random
/// sets) to the best neighbour (with one rung more, less or exchanged) until no neighbour is
/// better. From the best local optima it continues with up to two rungs exchanged at once. It keeps
/// the scores of all sets. It may miss the best set; `millrace bench ladder` measures by how much.
public struct LadderSearch: Sendable {
    public enum Method: String, CaseIterable, Sendable { case exact, heuristic }

    /// Scores sets; a set that breaks a limit scores minus infinity.
    public typealias Score = @Sendable ([RungSet]) async throws -> [Double]

    public struct Found: Sendable {
        public var best: RungSet
        public var score: Double
        /// Number of sets that were scored.
        public var evaluated: Int
    }

    /// Number of sets that the exact search scores at a time.
    static let batch = 256
    static let randomStarts = 8
    /// Number of local optima from which the search continues with up to two rungs exchanged at
    /// once.
    static let summitsClimbedOn = 3
    static let maximumSteps = 200

    let candidates: Int
    let maximumRungs: Int
    /// Limits that are cheap to check, before a set is scored.
    let isAllowed: @Sendable (RungSet) -> Bool

    public init(
        candidates: Int, maximumRungs: Int, isAllowed: @escaping @Sendable (RungSet) -> Bool
    ) {
        self.candidates = candidates
        self.maximumRungs = min(maximumRungs, candidates)
        self.isAllowed = isAllowed
    }

    /// Number of all sets; `Int.max` if an `Int` is too small.
    public var setCount: Int {
        var sum = 0
        var choose = 1
        for size in 1...maximumRungs {
            let (product, overflow) = choose.multipliedReportingOverflow(
                by: candidates - size + 1)
            if overflow { return .max }
            choose = product / size
            let (next, tooMany) = sum.addingReportingOverflow(choose)
            if tooMany { return .max }
            sum = next
        }
        return sum
    }

    // MARK: Exact

    /// Scores all sets. Among sets with equal scores, the one with fewer rungs is best, then the
    /// one with lower rungs.
    /// - Returns: nil if no set is allowed, or none has a score.
    public func exact(_ score: Score) async throws -> Found? {
        var found: Found?
        var evaluated = 0
        var pending: [RungSet] = []
        func flush() async throws {
            for (set, value) in zip(pending, try await score(pending)) {
                evaluated += 1
                if Self.isBetter(value, set, found.map { ($0.score, $0.best) }) {
                    found = Found(best: set, score: value, evaluated: 0)
                }
            }
            pending.removeAll(keepingCapacity: true)
        }
        for size in 1...maximumRungs {
            var set = RungSet(mask: (1 << UInt64(size)) - 1)
            while set.mask >> UInt64(candidates) == 0 {
                if isAllowed(set) { pending.append(set) }
                if pending.count == Self.batch { try await flush() }
                guard let next = Self.next(set) else { break }
                set = next
            }
        }
        try await flush()
        found?.evaluated = evaluated
        return found
    }

    /// Returns the next mask with the same number of bits (Gosper's hack).
    private static func next(_ set: RungSet) -> RungSet? {
        let low = set.mask & (~set.mask &+ 1)
        let (ripple, overflow) = set.mask.addingReportingOverflow(low)
        guard !overflow, ripple != 0 else { return nil }
        return RungSet(mask: ripple | (((set.mask ^ ripple) >> 2) / low))
    }

    static func isBetter(
        _ score: Double, _ set: RungSet, _ other: (score: Double, set: RungSet)?
    ) -> Bool {
        guard score > -.infinity else { return false }
        guard let other else { return true }
        if score != other.score { return score > other.score }
        return (set.count, set.mask) < (other.set.count, other.set.mask)
    }

    // MARK: Local search

    /// - Parameters:
    ///   - starts: sets from which to climb, besides the search's own starts.
    ///   - seed: seed of the random starts.
    public func heuristic(
        starts: [RungSet], seed: UInt64, _ score: Score
    ) async throws -> Found? {
        var memory: [RungSet: Double] = [:]
        func scores(_ sets: [RungSet]) async throws -> [(RungSet, Double)] {
            let new = sets.filter { memory[$0] == nil }
            for (set, value) in zip(new, try await score(new)) { memory[set] = value }
            return sets.map { ($0, memory[$0] ?? -.infinity) }
        }
        func climb(
            _ start: RungSet?, _ neighbours: (RungSet) -> [RungSet]
        ) async throws -> (score: Double, set: RungSet)? {
            var current: (score: Double, set: RungSet)?
            if let start, isAllowed(start) {
                let value = try await scores([start])[0].1
                if value > -.infinity { current = (value, start) }
            }
            for _ in 0..<Self.maximumSteps {
                var better = current
                for (set, value) in try await scores(neighbours(current?.set ?? RungSet(mask: 0)))
                where Self.isBetter(value, set, better) { better = (value, set) }
                guard let next = better, next.set != current?.set else { break }
                current = next
            }
            return current
        }
        var summits: [RungSet: Double] = [:]
        for start in [nil] + allStarts(starts, seed: seed).map(Optional.some) {
            if let found = try await climb(start, neighbours) { summits[found.set] = found.score }
        }
        var best: (score: Double, set: RungSet)?
        let ranked = summits.sorted { Self.isBetter($0.value, $0.key, ($1.value, $1.key)) }
        for summit in ranked.prefix(Self.summitsClimbedOn) {
            if let found = try await climb(summit.key, farNeighbours),
                Self.isBetter(found.score, found.set, best)
            {
                best = found
            }
        }
        return best.map { Found(best: $0.set, score: $0.score, evaluated: memory.count) }
    }

    private func allStarts(_ given: [RungSet], seed: UInt64) -> [RungSet] {
        var starts = given
        // These starts are evenly spread over the candidates.
        for size in Set([maximumRungs, max(1, maximumRungs - 1)]).sorted() {
            starts.append(
                RungSet(
                    (0..<size).map { step in
                        size == 1 ? 0 : (step * (candidates - 1)) / (size - 1)
                    }))
        }
        var generator = SeededGenerator(seed: seed, entity: "ladder search")
        for _ in 0..<Self.randomStarts {
            var set = RungSet(mask: 0)
            while set.count < maximumRungs {
                set = set.inserting(Int.random(in: 0..<candidates, using: &generator))
            }
            starts.append(set)
        }
        // A start that is not allowed loses its highest rungs until it is allowed.
        return starts.map { start in
            var set = start
            while set.count > 1, !isAllowed(set), let highest = set.indices.last {
                set = set.removing(highest)
            }
            return set
        }
    }

    /// Returns the sets with up to two rungs removed and up to two others added.
    private func farNeighbours(_ set: RungSet) -> [RungSet] {
        let (inside, outside) = (set.indices, (0..<candidates).filter { !set.contains($0) })
        func removed(_ set: RungSet) -> [RungSet] { inside.map(set.removing) }
        let fewer = Set([set] + removed(set) + removed(set).flatMap(removed))
        let more = fewer.flatMap { base in
            let once = outside.map(base.inserting)
            return [base] + once + once.flatMap { one in outside.map(one.inserting) }
        }
        return Set(more).filter {
            $0.count > 0 && $0.count <= maximumRungs && $0 != set && isAllowed($0)
        }.sorted()
    }

    /// Returns the sets with one rung more, one less, or one exchanged.
    private func neighbours(_ set: RungSet) -> [RungSet] {
        var result: [RungSet] = []
        let (inside, outside) = (set.indices, (0..<candidates).filter { !set.contains($0) })
        if set.count < maximumRungs { result += outside.map(set.inserting) }
        if set.count > 1 { result += inside.map(set.removing) }
        for rung in inside {
            let without = set.removing(rung)
            result += outside.map(without.inserting)
        }
        return result.filter(isAllowed)
    }
}
