import SimulationKernel
import Testing

@testable import Gate

@Suite struct PairedTestTests {
    /// Enumerates all signs as the definition says, without sets or their means.
    private static func enumerated(_ values: [Double], above shift: Double) -> Double {
        let shifted = values.map { $0 - shift }
        let observed = shifted.reduce(0, +)
        var extreme = 0
        for signs in 0..<(1 << values.count) {
            var sum = 0.0
            for index in shifted.indices {
                let isFlipped = (signs >> index) & 1 == 1
                sum += isFlipped ? -shifted[index] : shifted[index]
            }
            if sum >= observed - 1e-9 { extreme += 1 }
        }
        return Double(extreme) / Double(1 << values.count)
    }

    private static func random(_ count: Int, seed: UInt64) -> [Double] {
        var random = SeededGenerator(seed: seed, entity: "values")
        return (0..<count).map { _ in random.nextUnit() * 2 - 0.7 }
    }

    /// The sums of ±1 ±2 ∓3 are 6, 0, 2, −4, 4, −2, 0, −6, and five of them are at least 0.
    @Test func smallCasesByHand() throws {
        #expect(try PairedTest([1, 2, 3], seed: 1).pAbove(0) == 1.0 / 8)
        #expect(try PairedTest([1, 2, 3], seed: 1).pBelow(0) == 1)
        #expect(try PairedTest([1, 2, -3], seed: 1).pAbove(0) == 5.0 / 8)
        #expect(try PairedTest([1, 2, -3], seed: 1).pBelow(0) == 5.0 / 8)
        #expect(try PairedTest([4], seed: 1).pAbove(0) == 0.5)
        // Ties count as extreme.
        #expect(try PairedTest([0, 0, 0, 0], seed: 1).pAbove(0) == 1)
        #expect(try PairedTest([0.1, 0.1, 0.1], seed: 1).pAbove(0.1) == 1)
        // Eight values above the shift give the smallest p value, 2⁻⁸.
        let eight = try PairedTest([1, 2, 3, 4, 5, 6, 7, 8], seed: 1)
        #expect(eight.pAbove(0.9) == 1.0 / 256)
        #expect(eight.isExact && eight.flips == 255 && eight.mean == 4.5)
    }

    @Test(arguments: 1...6)
    func agreesWithTheEnumeration(seed: Int) throws {
        let values = Self.random(7, seed: UInt64(seed))
        let mirrored = values.map { -$0 }
        let test = try PairedTest(values, seed: 1)
        for shift in [-0.5, -0.1, 0, 0.05, 0.3, 0.8] {
            #expect(test.pAbove(shift) == Self.enumerated(values, above: shift))
            #expect(test.pBelow(shift) == Self.enumerated(mirrored, above: -shift))
        }
    }

    /// Of 32 sign changes, 5 % are one: the bounds are the smallest and the largest value.
    @Test func boundsByHand() throws {
        let test = try PairedTest([3, 1, 4, 2, 5], seed: 1)
        #expect(test.lowerBound(level: 0.05) == 1)
        #expect(test.upperBound(level: 0.05) == 5)
        #expect(test.pAbove(1) == 2.0 / 32)
        #expect(test.pAbove(0.99) == 1.0 / 32)
        // Four values give no bound at this level: the smallest p value is 1/16.
        let few = try PairedTest([3, 1, 4, 2], seed: 1)
        #expect(few.lowerBound(level: 0.05) == nil && few.upperBound(level: 0.05) == nil)
        for level in [0, 1, -1, Double.nan, Double.infinity] {
            #expect(test.lowerBound(level: level) == nil)
        }
    }

    /// The interval contains exactly the shifts that neither one-sided test rejects.
    @Test(arguments: [8, 9, 10, 11, 24], [0.05, 0.025, 0.01])
    func endsAgreeWithTheTest(count: Int, level: Double) throws {
        let test = try PairedTest(
            Self.random(count, seed: UInt64(count)), flips: 999, seed: 3)
        let low = try #require(test.lowerBound(level: level))
        let high = try #require(test.upperBound(level: level))
        #expect(low < test.mean && test.mean < high)
        #expect(test.pAbove(low - 1e-9) <= level)
        #expect(test.pAbove(low + 1e-9) > level)
        #expect(test.pBelow(high + 1e-9) <= level)
        #expect(test.pBelow(high - 1e-9) > level)
        for step in 0...40 {
            let shift = test.mean + Double(step - 20) * 0.05
            let isRejected = test.pAbove(shift) <= level || test.pBelow(shift) <= level
            #expect(isRejected == (shift < low || shift > high))
        }
    }

    /// Random sign changes give nearly the exact p value, the same for the same seed, and never 0.
    @Test func randomSignChanges() throws {
        let values = Self.random(12, seed: 5)
        let exact = try PairedTest(values, seed: 1)
        let drawn = try PairedTest(values, exactCount: 8, flips: 4999, seed: 1)
        let again = try PairedTest(values, exactCount: 8, flips: 4999, seed: 1)
        #expect(exact.isExact && !drawn.isExact && drawn.flips == 4999)
        for shift in [0.0, 0.2, 0.4, 0.6] {
            #expect(abs(exact.pAbove(shift) - drawn.pAbove(shift)) < 0.04)
            #expect(drawn.pAbove(shift) == again.pAbove(shift))
        }
        let far = try PairedTest(Self.random(64, seed: 6), flips: 999, seed: 1)
        #expect(far.pAbove(-100) == 1.0 / 1000)
    }

    @Test func valuesThatCannotBeUsed() throws {
        let all: [[Double]] = [
            [], Array(repeating: 1, count: 65), [1, .nan], [Double.infinity, 1], [-1e200, 1],
        ]
        for values in all {
            #expect(throws: GateFault.self) { try PairedTest(values, seed: 1) }
        }
        let test = try PairedTest([1e150, -1e150, 1e150], seed: 1)
        #expect(test.pAbove(.nan) == 1 && test.pBelow(.nan) == 1)
        #expect(test.pAbove(.infinity) == 1 && test.pAbove(-.infinity) == 1.0 / 8)
    }

    @Test func ranks() {
        // 0.05 · 256 = 12.8; 0.01 · 256 = 2.56; 0.05 · 1000 = 50, whatever the rounding.
        #expect(SignFlips.rank(level: 0.05, sets: 255) == 12)
        #expect(SignFlips.rank(level: 0.01, sets: 255) == 2)
        #expect(SignFlips.rank(level: 0.05, sets: 999) == 50)
        #expect(SignFlips.rank(level: 0.001, sets: 255) == 0)
    }
}

@Suite struct HolmTests {
    /// In ascending order 0.005 · 4, 0.01 · 3, 0.03 · 2, and 0.04 · 1, which may not be below its
    /// predecessor. R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") gives the same.
    @Test func workedExample() {
        let adjusted = Holm.adjusted([0.01, 0.04, 0.03, 0.005])
        for (actual, expected) in zip(adjusted, [0.03, 0.06, 0.06, 0.02]) {
            #expect(abs(actual - expected) < 1e-12)
        }
        #expect(adjusted.count == 4)
    }

    @Test func extremes() {
        #expect(Holm.adjusted([]).isEmpty)
        #expect(Holm.adjusted([0.02]) == [0.02])
        #expect(Holm.adjusted([0.9, 0.8]) == [1.0, 1])
        #expect(Holm.adjusted([.nan, 0.01]) == [1.0, 0.02])
        #expect(Holm.adjusted([-1, 2, .infinity]) == [1.0, 1, 1])
    }
}
