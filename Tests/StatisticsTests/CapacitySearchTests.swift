import SimulationKernel
import Testing

@testable import Statistics

@Suite struct CapacitySearchTests {
    static func goal(_ name: String = "loss", exceedRatio: Double = 0.5) -> SearchGoal {
        SearchGoal(
            name: name, exceedRatio: exceedRatio, initialSeconds: 3, finalSeconds: 8,
            sumSeconds: 16, relativeWidth: 0.05)
    }

    static func search(
        _ range: ClosedRange<Int> = 10...1000, start: Int = 50,
        goals: [SearchGoal] = [CapacitySearchTests.goal()],
        budgetSeconds: Double = 1e5
    ) throws -> CapacitySearch {
        try CapacitySearch(
            .init(
                lowestLoad: range.lowerBound, highestLoad: range.upperBound, startLoad: start,
                goals: goals, budgetSeconds: budgetSeconds))
    }

    /// Runs a search to its end on a system that is given as a function of the load.
    /// - Returns: The steps that were taken, and why there was no further one.
    @discardableResult static func run(
        _ search: inout CapacitySearch,
        _ trial: (_ load: Int, _ seconds: Double) -> (good: [Bool], isVoid: Bool)
    ) throws -> (steps: [String], end: CapacitySearch.End) {
        var steps: [String] = []
        while true {
            switch search.next() {
            case .done(let end): return (steps, end)
            case .trial(let load, let seconds):
                steps.append("\(load) \(Int(seconds))")
                let (good, isVoid) = trial(load, seconds)
                try search.record(
                    .init(
                        load: load, durationSeconds: seconds, good: isVoid ? [] : good,
                        forwardingRate: isVoid ? nil : Double(load) * 2, isVoid: isVoid,
                        wallSeconds: seconds + 2))
            }
        }
    }

    /// Doubling, geometric and arithmetic halving, then long trials at both ends, by hand.
    @Test func exactSteps() throws {
        var search = try Self.search()
        let (steps, end) = try Self.run(&search) { load, _ in ([load <= 137], false) }
        #expect(
            steps == [
                "50 3", "100 3", "200 3", "141 3", "120 3", "130 3", "135 3", "135 8", "141 8",
            ])
        #expect(end == .complete)
        let result = try #require(search.result(ofGoal: 0))
        #expect(result.lowerBound == 135 && result.upperBound == 141)
        #expect(result.isConfirmed && !result.isIrregular && !result.hasNoUpperBound)
        #expect(result.conditionalThroughput == 270)
        #expect(search.result(ofGoal: 1) == nil)
    }

    @Test func allGood() throws {
        var search = try Self.search()
        let (steps, end) = try Self.run(&search) { _, _ in ([true], false) }
        #expect(steps == ["50 3", "100 3", "200 3", "400 3", "800 3", "1000 3", "1000 8"])
        #expect(end == .complete)
        let result = try #require(search.result(ofGoal: 0))
        #expect(result.lowerBound == 1000 && result.upperBound == nil)
        #expect(result.hasNoUpperBound && result.isConfirmed)
    }

    @Test func allBad() throws {
        var search = try Self.search()
        let (steps, end) = try Self.run(&search) { _, _ in ([false], false) }
        #expect(steps == ["50 3", "25 3", "12 3", "10 3", "10 8"])
        #expect(end == .complete)
        let result = try #require(search.result(ofGoal: 0))
        #expect(result.lowerBound == nil && result.upperBound == 10)
        #expect(result.isBelowLowest && result.isConfirmed)
    }

    /// Void trials are repeated; after three of them the load is the generators' limit.
    @Test func generatorsAreTheLimit() throws {
        var search = try Self.search(10...100, start: 40)
        let (steps, _) = try Self.run(&search) { load, _ in ([true], load > 60) }
        #expect(Array(steps.prefix(5)) == ["40 3", "80 3", "80 3", "80 3", "57 3"])
        let result = try #require(search.result(ofGoal: 0))
        #expect(result.isGeneratorLimited && result.isConfirmed && !result.isBelowLowest)
        let (lower, upper) = (try #require(result.lowerBound), try #require(result.upperBound))
        #expect(lower <= 60 && upper > 60)
    }

    @Test func oneVoidTrialIsRepeated() throws {
        var search = try Self.search()
        var count = 0
        let (steps, _) = try Self.run(&search) { load, _ in
            count += 1
            return ([load <= 137], count == 2)
        }
        #expect(Array(steps.prefix(4)) == ["50 3", "100 3", "100 3", "200 3"])
        #expect(search.result(ofGoal: 0)?.isGeneratorLimited == false)
    }

    /// A noisy machine voids a trial now and then. Only void trials in a row are the generators'.
    @Test func scatteredVoidTrialsAreNoLimit() throws {
        var search = try Self.search(10...100, start: 40)
        for isVoid in [true, true, false, true, true, false, true] {
            try search.record(
                .init(
                    load: 40, durationSeconds: 8, good: isVoid ? [] : [true], isVoid: isVoid,
                    wallSeconds: 10))
        }
        let result = try #require(search.result(ofGoal: 0))
        #expect(result.lowerBound == 40 && !result.isGeneratorLimited)
        for _ in 0..<2 {
            try search.record(
                .init(load: 40, durationSeconds: 8, good: [], isVoid: true, wallSeconds: 10))
        }
        #expect(search.result(ofGoal: 0)?.isGeneratorLimited == true)
    }

    /// RFC 9971 counts time that is missing up to the duration sum: of two trials that together are
    /// half of the sum, both must reach the rate.
    @Test func conditionalThroughputCountsMissingTime() throws {
        var goal = Self.goal()
        goal.sumSeconds = 32
        var search = try Self.search(goals: [goal])
        for rate in [100.0, 90] {
            try search.record(
                .init(
                    load: 50, durationSeconds: 8, good: [true], forwardingRate: rate,
                    wallSeconds: 10))
        }
        #expect(search.result(ofGoal: 0)?.lowerBound == 50)
        #expect(search.result(ofGoal: 0)?.conditionalThroughput == 90)
    }

    @Test func everyTrialIsVoid() throws {
        var search = try Self.search()
        let (_, end) = try Self.run(&search) { _, _ in ([], true) }
        #expect(end == .complete)
        let result = try #require(search.result(ofGoal: 0))
        #expect(result.lowerBound == nil && result.isGeneratorLimited && !result.isBelowLowest)
    }

    /// A calibration that is void bounds the search without a trial at that load.
    @Test func calibrationBoundsTheSearch() throws {
        var search = try Self.search()
        search.limitGenerators(to: 50)
        search.limitGenerators(to: 5000)
        let (steps, _) = try Self.run(&search) { _, _ in ([true], false) }
        #expect(steps.first == "25 3")
        let result = try #require(search.result(ofGoal: 0))
        #expect(result.upperBound == 50 && result.isGeneratorLimited)
        let lower = try #require(result.lowerBound)
        #expect(lower >= 47)
    }

    /// On inversion the bad load is trusted, and the result is marked.
    @Test func inversion() throws {
        var search = try Self.search(10...400, start: 100)
        for (load, isGood) in [(100, true), (200, false), (150, true), (300, true)] {
            try search.record(
                .init(load: load, durationSeconds: 16, good: [isGood], wallSeconds: 18))
        }
        let result = try #require(search.result(ofGoal: 0))
        #expect(result.lowerBound == 150 && result.upperBound == 200 && result.isIrregular)
    }

    /// The second goal begins with the trials of the first.
    @Test func severalGoals() throws {
        var search = try Self.search(goals: [Self.goal("delay"), Self.goal("loss")])
        let (steps, _) = try Self.run(&search) { load, _ in ([load <= 137, load <= 180], false) }
        #expect(
            steps.dropFirst(9).first == "170 3",
            "the bracket of the second goal is 141 to 200: \(steps)")
        let delay = try #require(search.result(ofGoal: 0))
        let loss = try #require(search.result(ofGoal: 1))
        #expect(delay.lowerBound == 135 && delay.isConfirmed && loss.isConfirmed)
        let (lower, upper) = (try #require(loss.lowerBound), try #require(loss.upperBound))
        #expect((172...180).contains(lower))
        #expect((181...189).contains(upper))
    }

    /// A long trial that contradicts a short one moves the bracket.
    @Test func shortTrialsAreRefuted() throws {
        var search = try Self.search()
        let (_, end) = try Self.run(&search) { load, seconds in
            ([load <= (seconds > 3 ? 100 : 137)], false)
        }
        #expect(end == .complete)
        let result = try #require(search.result(ofGoal: 0))
        #expect(result.isConfirmed)
        let lower = try #require(result.lowerBound)
        #expect(lower <= 100)
    }

    @Test func budgetEndsTheSearch() throws {
        var search = try Self.search(budgetSeconds: 22)
        let (steps, end) = try Self.run(&search) { load, _ in ([load <= 137], false) }
        #expect(end == .budget)
        // Each short trial takes 5 s.
        #expect(steps == ["50 3", "100 3", "200 3", "141 3"])
        let result = try #require(search.result(ofGoal: 0))
        #expect(result.lowerBound == 100 && result.upperBound == 141 && !result.isConfirmed)
    }

    /// The same trials give the same next step, wherever the search was cut off.
    @Test func resumesAtEveryCut() throws {
        var search = try Self.search(goals: [Self.goal("delay"), Self.goal("loss")])
        var generator = SeededGenerator(seed: 3)
        var next: [CapacitySearch.Step] = []
        while case .trial(let load, let seconds) = search.next() {
            next.append(search.next())
            let noise = Int(generator.nextUnit() * 20) - 10
            try search.record(
                .init(
                    load: load, durationSeconds: seconds,
                    good: [load + noise <= 137, load + noise <= 220],
                    wallSeconds: seconds + 2))
        }
        next.append(search.next())
        #expect(search.trials.count > 10)
        for cut in 0...search.trials.count {
            var again = try CapacitySearch(search.settings)
            for trial in search.trials.prefix(cut) { try again.record(trial) }
            #expect(again.next() == next[cut])
        }
    }

    /// On a noisy system with a planted limit, five searches agree within 10 % of their median.
    @Test(arguments: [23, 120, 137, 790]) func repeatable(limit: Int) throws {
        var capacities: [Int] = []
        for seed in 1...5 {
            var search = try Self.search(1...2000, start: 20)
            var generator = SeededGenerator(seed: UInt64(seed), entity: "\(limit)")
            let (_, end) = try Self.run(&search) { load, _ in
                // Around the limit, two of a hundred viewers decide.
                let noise = (generator.nextUnit() - 0.5) * 0.04 * Double(limit)
                return ([Double(load) + noise <= Double(limit)], false)
            }
            #expect(end == .complete)
            let result = try #require(search.result(ofGoal: 0))
            let (lower, upper) = (try #require(result.lowerBound), try #require(result.upperBound))
            #expect(Double(upper - lower) <= max(1, 0.05 * Double(upper)))
            capacities.append(lower)
        }
        let median = Double(capacities.sorted()[2])
        for capacity in capacities { #expect(abs(Double(capacity) - median) <= 0.1 * median) }
        #expect(abs(median - Double(limit)) <= max(1.5, 0.07 * Double(limit)))
    }

    /// Loads are classified as RFC 9971 adds seconds up: short good trials only outweigh short bad
    /// ones, and missing time counts against a lower bound.
    @Test func classification() {
        typealias Row = (
            longGood: Double, longBad: Double, shortGood: Double, shortBad: Double, ratio: Double,
            expected: LoadClass
        )
        let table: [Row] = [
            (8, 0, 0, 0, 0.5, .lowerBound), (8, 0, 0, 0, 0.25, .undecided),
            (0, 8, 0, 0, 0.5, .undecided), (0, 8, 0, 3, 0.5, .upperBound),
            (0, 8, 3, 3, 0.5, .undecided), (8, 8, 0, 0, 0.5, .lowerBound),
            (8, 8, 0, 3, 0.5, .upperBound), (16, 0, 0, 0, 0, .lowerBound),
            (15, 0, 0, 1, 0, .upperBound), (0, 0, 30, 0, 0.5, .undecided),
            (0, 0, 0, 0, 0.5, .undecided),
        ]
        for row in table {
            let tally = LoadTally(
                longGood: row.longGood, longBad: row.longBad, shortGood: row.shortGood,
                shortBad: row.shortBad)
            #expect(
                tally.loadClass(exceedRatio: row.ratio, sumSeconds: 16) == row.expected, "\(row)")
        }
    }

    /// The table of RFC 9971, "Example Search": its first five points in time for four goals.
    @Test func classificationOfTheExampleSearch() {
        // Seconds of short good, short bad, long good and long bad trials, for goals with a final
        // duration of 60 s. The third goal takes trials of 1 s as full-length ones.
        typealias Point = (shortGood: Double, shortBad: Double, longTrials: Int)
        let points: [Point] = [(59, 0, 0), (59, 1, 0), (59, 60, 0), (60, 60, 0), (60, 60, 1)]
        let expected: [[LoadClass]] = [
            [.undecided, .undecided, .undecided, .undecided],
            [.upperBound, .undecided, .undecided, .undecided],
            [.upperBound, .undecided, .undecided, .upperBound],
            [.upperBound, .undecided, .lowerBound, .upperBound],
            // The RFC's table calls the load a lower bound for the last goal here, although the ratio
            // that it computes, 42.857 %, is above the goal's 20 %. Its logic says upper bound.
            [.upperBound, .undecided, .lowerBound, .upperBound],
        ]
        for (point, row) in zip(points, expected) {
            let long = Double(point.longTrials) * 60
            // The long trial loses 0.1 %, which only the first two goals call bad.
            let strict = LoadTally(
                longBad: long, shortGood: point.shortGood, shortBad: point.shortBad)
            let whole = LoadTally(longGood: point.shortGood + long, longBad: point.shortBad)
            let loose = LoadTally(
                longGood: long, shortGood: point.shortGood, shortBad: point.shortBad)
            let found = [
                strict.loadClass(exceedRatio: 0, sumSeconds: 60),
                strict.loadClass(exceedRatio: 0.5, sumSeconds: 120),
                whole.loadClass(exceedRatio: 0.5, sumSeconds: 120),
                loose.loadClass(exceedRatio: 0.2, sumSeconds: 60),
            ]
            #expect(found == row, "\(point)")
        }
    }

    @Test func refusesWhatItCannotSearch() throws {
        #expect(throws: CapacitySearch.Fault.self) {
            try CapacitySearch(.init(lowestLoad: 10, highestLoad: 5, goals: [Self.goal()]))
        }
        #expect(throws: CapacitySearch.Fault.self) {
            try CapacitySearch(.init(lowestLoad: 0, highestLoad: 5, goals: [Self.goal()]))
        }
        #expect(throws: CapacitySearch.Fault.self) { try Self.search(start: 5) }
        #expect(throws: CapacitySearch.Fault.self) { try Self.search(goals: []) }
        #expect(throws: CapacitySearch.Fault.self) {
            try Self.search(goals: [Self.goal(exceedRatio: 1)])
        }
        var search = try Self.search()
        #expect(throws: CapacitySearch.Fault.self) {
            try search.record(.init(load: 9, durationSeconds: 3, good: [true], wallSeconds: 4))
        }
        #expect(throws: CapacitySearch.Fault.self) {
            try search.record(.init(load: 50, durationSeconds: 3, good: [], wallSeconds: 4))
        }
        #expect(throws: CapacitySearch.Fault.self) {
            try search.record(
                .init(load: 50, durationSeconds: .nan, good: [true], wallSeconds: 4))
        }
        #expect(search.trials.isEmpty)
    }
}
