import Foundation
import Testing

@testable import ABR

/// L2A-LL, LoL+ and SODA by hand.
@Suite struct LowLatencyAlgorithmTests {
    private func near(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-9 }

    // MARK: L2A-LL

    @Test func simplex() {
        let cases: [(from: [Double], to: [Double])] = [
            ([0.5, 0.5], [0.5, 0.5]), ([2, 0], [1, 0]), ([1, 1], [0.5, 0.5]),
            ([1.25, 0.5], [0.875, 0.125]), ([-1, -1, -1, -1], [0.25, 0.25, 0.25, 0.25]),
            ([0, 0, 5], [0, 0, 1]), ([0.5, -3, 0.5], [0.5, 0, 0.5]), ([7], [1]),
        ]
        for c in cases {
            var values = c.from
            L2ALL.projectOnSimplex(&values)
            #expect(zip(values, c.to).allSatisfy { near($0, $1) }, "\(c.from)")
        }
    }

    /// Started on rendition 0 of [1000, 2000] with segments of 2 s: w = (1, 0), Q = V_L. Since
    /// alpha = 2 V_L, the first step is V / (2 alpha) (Q + V_L) / C = 1 / C.
    private func started(_ title: Title) -> L2ALL {
        var algorithm = L2ALL(title: title)
        let decision = algorithm.decide(
            Make.state(title, buffer: 1500, throughput: 1500, last: 0))
        #expect(decision.rendition == 0)
        return algorithm
    }

    @Test func l2aByHand() throws {
        let title = try Make.title([1000, 2000], segmentDuration: 2000)
        let cautiousness = pow(4, 0.99)
        #expect(near(L2ALL.cautiousness, cautiousness))
        #expect(near(L2ALL.stepSize, 2 * cautiousness))
        var start = started(title)
        #expect(start.weights == [1, 0])
        #expect(near(start.multiplier, cautiousness))
        // C = 4000: (1.25, 0.5) is projected to (0.875, 0.125): 1125 kbit/s, rendition 0;
        // Q = V_L - 2 + 2 (1125 + 125) / 4000.
        #expect(
            start.decide(Make.state(title, buffer: 4000, throughput: 4000, last: 0)).rendition == 0)
        #expect(near(start.weights[0], 0.875) && near(start.weights[1], 0.125))
        #expect(near(start.multiplier, cautiousness - 2 + 0.625))
        // C = 900 sustains neither: rendition 0 stays, and Q = 2 max(V_L, V_L - 2 + 2000 / 900).
        var low = started(title)
        #expect(
            low.decide(Make.state(title, buffer: 4000, throughput: 900, last: 0)).rendition == 0)
        #expect(low.weights == [1, 0])
        #expect(near(low.multiplier, 2 * (cautiousness - 2 + 2000 / 900)))
    }

    /// The start: throughput with its margin, until 1.5 s are buffered, and again after a seek.
    @Test func l2aStart() throws {
        let title = try Make.title([1000, 2000, 4000], segmentDuration: 1000)
        var algorithm = L2ALL(title: title)
        let little = Make.state(title, buffer: 1400, throughput: 4600, last: 0)
        #expect(algorithm.decide(little).rendition == 2)
        #expect(algorithm.weights == [0, 0, 0])
        #expect(algorithm.decide(Make.state(title, buffer: 1500, throughput: 4000)).rendition == 1)
        #expect(algorithm.weights == [0, 1, 0])
        algorithm.seeked(little)
        #expect(algorithm.decide(little).rendition == 2)
    }

    /// On a fast link it climbs a rendition at a time and gets to the top.
    @Test func l2aClimbsInSteps() throws {
        let title = try Make.title([500, 1000, 2000, 4000], segmentDuration: 1000)
        var algorithm = L2ALL(title: title)
        var state = Make.state(title, buffer: 1500, throughput: 400, last: 0)
        state.lastRendition = algorithm.decide(state).rendition
        #expect(state.lastRendition == 0)
        state.throughput = 20_000
        state.lastThroughput = 20_000
        for _ in 0..<200 {
            let rendition = algorithm.decide(state).rendition
            #expect(rendition <= state.lastRendition + 1)
            #expect(abs(algorithm.weights.reduce(0, +) - 1) < 1e-9)
            state.lastRendition = rendition
        }
        #expect(state.lastRendition == 3)
    }

    // MARK: LoL+

    /// The norm of (300, 400) is 500: neurons at 0.6 and 0.8.
    @Test func lolPlusByHand() throws {
        let title = try Make.title([300, 400], segmentDuration: 1000)
        func decide(_ throughput: Double, buffer: Double, last: Int) -> (Int, LoLPlus) {
            var algorithm = LoLPlus(title: title)
            #expect(algorithm.neurons.map(\.x) == [0.6, 0.8])
            let state = Make.state(title, buffer: buffer, throughput: throughput, last: last)
            return (algorithm.decide(state).rendition, algorithm)
        }
        // 900 kbit/s exceed the norm: saturated at the highest neuron.
        let (fast, map) = decide(1000, buffer: 5000, last: 1)
        #expect(fast == 1)
        // Latency weight: all the same at no latency, the first counts; stall weight: 1.
        #expect(map.weights == SIMD4(0.2, 0.2, 1, 0.2))
        // 360 kbit/s is 0.72: nearer to 0.8 even so, but rendition 1 is above 350 kbit/s.
        #expect(decide(400, buffer: 5000, last: 1).0 == 0)
        // 0.9 x 456 = 410.4: a headroom of 10 kbit/s is left; 0.9 x 455 = 409.5: not.
        #expect(decide(456, buffer: 5000, last: 0).0 == 1)
        #expect(decide(455, buffer: 5000, last: 0).0 == 0)
        // 1.3 s less 400 / 360 s leaves less than 0.3 s: the highest lower rendition that fits.
        #expect(decide(400, buffer: 1300, last: 1).0 == 0)
        // No lower rendition fits: the lowest all the same.
        #expect(decide(100, buffer: 300, last: 1).0 == 0)
    }

    /// With sigma 0.1 a neuron 0.2 away moves by e^-2 of the rate; the winner twice.
    @Test func lolPlusLearns() throws {
        let title = try Make.title([300, 400], segmentDuration: 1000)
        var algorithm = LoLPlus(title: title)
        // 0.9 x 500 = 450 kbit/s: 0.9; rendition 1 wins, and is the current one.
        _ = algorithm.decide(Make.state(title, buffer: 5000, throughput: 500, last: 1))
        let once = 0.8 + 0.01 * 0.1
        let twice = once + 0.01 * (0.9 - once)
        #expect(near(algorithm.neurons[1].x, twice))
        let far = 0.6 + 0.01 * exp(-2) * 0.3
        let distance = once - far
        let further = far + 0.01 * exp(-distance * distance / 0.02) * (0.9 - far)
        #expect(near(algorithm.neurons[0].x, further))
    }

    /// p r - |dr| - r_max stall - c(latency) latency - r_min |1 - rho|
    @Test func lolPlusQoE() throws {
        let title = try Make.title([300, 400], segmentDuration: 1000)
        func quality(_ latency: Double) -> Double {
            LoLPlusQoE.segment(
                bitrate: 400, change: 100, title: title, stall: 100, latency: latency, rate: 1.1)
        }
        #expect(near(quality(1000), 400 - 100 - 40 - 15 - 30))
        #expect(near(quality(2000), 400 - 100 - 40 - 80 - 30))
    }

    // MARK: SODA

    /// Segments of 10 s: one slot. Target 24 s of 40 s; v = (1, 0) for [1000, 4000].
    @Test func sodaByHand() throws {
        let title = try Make.title([1000, 4000], segmentDuration: 10_000)
        func rendition(_ level: Double, last: Int, throughput: Double = 2000) -> Int {
            var algorithm = SODA(title: title, maximumBuffer: 40_000)
            return algorithm.decide(
                Make.state(
                    title, buffer: level, throughput: throughput, last: last,
                    maximumBuffer: 40_000)
            ).rendition
        }
        // Rendition 0: 2 segments of distortion 1, buffer 34 s: 2 + 4 x 0.2 (10/24)^2 = 2.14.
        // Rendition 1: half a segment of distortion 0, buffer 19 s: 4 (5/24)^2 = 0.17.
        #expect(rendition(24_000, last: -1) == 1)
        #expect(rendition(24_000, last: 1) == 1)
        // Plus 12 for the switch.
        #expect(rendition(24_000, last: 0) == 0)
        // 6 s: buffer 16 s, 2 + 4 (8/24)^2 = 2.44; buffer 1 s: 4 (23/24)^2 = 3.67.
        #expect(rendition(6000, last: -1) == 0)
        // 4 s: rendition 1 runs dry.
        #expect(rendition(4000, last: 1) == 0)
        // Everything runs dry.
        #expect(rendition(0, last: 1, throughput: 500) == 0)
    }

    /// Nothing above the first rendition that reaches the estimate.
    @Test func sodaCap() throws {
        let title = try Make.title([500, 1000, 2000, 4000])
        var algorithm = SODA(title: title, maximumBuffer: 40_000)
        let state = Make.state(
            title, buffer: 40_000, throughput: 1500, last: 3, maximumBuffer: 40_000)
        #expect(algorithm.decide(state).rendition <= 2)
    }

    /// Against all plans of five slots that only rise or only fall.
    @Test func sodaEqualsExhaustive() throws {
        let title = try Make.title([500, 900, 1600, 3000], segmentDuration: 2000)
        for level in stride(from: 0.0, through: 20_000, by: 2300) {
            for throughput in stride(from: 300.0, through: 4000, by: 410) {
                for last in -1..<4 {
                    let state = Make.state(
                        title, buffer: level, throughput: throughput, last: last,
                        maximumBuffer: 20_000)
                    var algorithm = SODA(title: title, maximumBuffer: 20_000)
                    #expect(
                        algorithm.decide(state).rendition == exhaustive(state),
                        "\(level) \(throughput) \(last)")
                }
            }
        }
    }

    private func exhaustive(_ state: PlayerState) -> Int {
        let rates = state.title.bitrates
        let v = rates.map { log(3000 / $0) / log(3000.0 / 500) }
        let highest = rates.firstIndex { $0 >= state.throughput } ?? 3
        var best = 0
        var least = Double.infinity
        for code in 0..<1024 {
            let plan = (0..<5).map { code >> (8 - 2 * $0) & 3 }
            let path = (state.lastRendition < 0 ? [] : [state.lastRendition]) + plan
            let rises = zip(path, path.dropFirst()).allSatisfy { $0 <= $1 }
            let falls = zip(path, path.dropFirst()).allSatisfy { $0 >= $1 }
            guard plan[0] <= highest, rises || falls else { continue }
            var level = state.bufferLevel
            var last = state.lastRendition
            var cost = 0.0
            for rendition in plan {
                let media = state.throughput / rates[rendition]
                level += (media - 1) * 2000
                if level < 0 { cost = .infinity }
                level = min(level, 20_000)
                let distance = level / 12_000 - 1
                let change = last < 0 ? 0 : v[rendition] - v[last]
                cost += v[rendition] * media + 4 * distance * distance * (distance < 0 ? 1 : 0.2)
                cost += 12 * change * change
                last = rendition
            }
            if cost < least - 1e-12 {
                least = cost
                best = plan[0]
            }
        }
        return best
    }
}
