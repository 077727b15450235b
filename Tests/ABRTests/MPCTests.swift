import SimulationKernel
import Testing

@testable import ABR

@Suite struct MPCTests {
    /// One segment is left; 1 and 3 Mbit/s, 4 s, 3 Mbit/s of throughput: the high rendition takes 4 s.
    @Test func byHand() throws {
        let title = try Make.title([1000, 3000], segments: 100)
        func rendition(buffer: Double, last: Int, left: Int = 1, throughput: Double = 3000) -> Int {
            var algorithm = MPC(.plain)
            return algorithm.decide(
                Make.state(
                    title, buffer: buffer, throughput: throughput, last: last,
                    segment: 100 - left)
            ).rendition
        }
        // 3 - 2 (switch) = 1 equals staying at 1: of equals the lower.
        #expect(rendition(buffer: 4000, last: 0) == 0)
        #expect(rendition(buffer: 4000, last: 1) == 1)
        // 0.4 s of stall cost 1.72: 3 - 1.72 > 1 - 2.
        #expect(rendition(buffer: 3600, last: 1) == 1)
        // 1 s costs 4.3: 3 - 4.3 = -1.3 < 1 - 2 = -1.
        #expect(rendition(buffer: 3000, last: 1) == 0)
        // Two left: 3 + 3 - 2 = 4 > 2.
        #expect(rendition(buffer: 4000, last: 0, left: 2) == 1)
        // Nothing left to plan, nothing known.
        #expect(rendition(buffer: 4000, last: 1, left: 0) == 0)
        #expect(rendition(buffer: 4000, last: 1, throughput: .nan) == 0)
        // The request's latency is part of the time: 4.4 s.
        var algorithm = MPC(.plain)
        let late = Make.state(
            title, buffer: 4000, throughput: 3000, last: 1, segment: 99, latency: 1000)
        #expect(algorithm.decide(late).rendition == 0)
    }

    /// Predicted 4000, measured 2000: an error of 1 halves the next prediction, for five segments.
    @Test func robustDiscount() throws {
        let title = try Make.title([1000, 3000])
        var robust = MPC(.robust)
        var plain = MPC(.plain)
        #expect(robust.discount == 1)
        for (index, measured) in [2000.0, 4000, 5000, 4000, 4000, 4000].enumerated() {
            var state = Make.state(title, buffer: 20_000, throughput: 4000, last: 1)
            _ = robust.decide(state)
            _ = plain.decide(state)
            state.lastThroughput = measured
            robust.downloaded(Make.finished(state, rendition: 1, elapsed: 1000), state)
            plain.downloaded(Make.finished(state, rendition: 1, elapsed: 1000), state)
            #expect(robust.discount == (index < 5 ? 2 : 1.2), "\(index)")
            #expect(plain.discount == 1)
        }
        // A download that was given up says nothing.
        var state = Make.state(title, buffer: 20_000, throughput: 4000, last: 1)
        _ = robust.decide(state)
        state.lastThroughput = 10
        var given = Make.finished(state, rendition: 1, elapsed: 1000)
        given.abandonedFor = 0
        robust.downloaded(given, state)
        #expect(robust.discount == 1.2)
    }

    /// Random ladders, VBR sizes, buffers and throughputs.
    @Test(arguments: 0..<40)
    func prunedEqualsExhaustive(_ seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed), entity: "mpc")
        for _ in 0..<8 {
            let renditions = 1 + Int(random.nextUnit() * 4)
            var rates = [100 + 400 * random.nextUnit()]
            while rates.count < renditions { rates.append(rates.last! * (1.1 + random.nextUnit())) }
            let duration = 1000 + 5000 * random.nextUnit()
            let title = try Title(
                name: "t", segmentDuration: duration, bitrates: rates,
                sizes: (0..<6).map { _ in
                    let complexity = 0.4 + 1.2 * random.nextUnit()
                    return rates.map { $0 * duration * complexity }
                })
            var state = Make.state(
                title, buffer: 20_000 * random.nextUnit(),
                throughput: 10 * exponential(7 * random.nextUnit()),
                last: Int(random.nextUnit() * Double(renditions + 1)) - 1,
                segment: Int(random.nextUnit() * 6), maximumBuffer: 25_000)
            state.latency = 300 * random.nextUnit()
            check(state)
        }
    }

    /// Whole numbers everywhere: plans of equal value abound.
    @Test(arguments: 0..<40)
    func prunedEqualsExhaustiveOnTies(_ seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed), entity: "ties")
        for _ in 0..<8 {
            let title = try Make.title(
                [1000, 2000, 3000, 4000], segmentDuration: 4000, segments: 5)
            let state = Make.state(
                title, buffer: 2000 * (random.nextUnit() * 8).rounded(),
                throughput: 500 * (1 + (random.nextUnit() * 12).rounded()),
                last: Int(random.nextUnit() * 5) - 1, segment: Int(random.nextUnit() * 5),
                maximumBuffer: 16_000)
            check(state)
        }
    }

    @Test func prunedEqualsExhaustiveWithSixRungs() throws {
        let title = try Make.title([300, 750, 1200, 1850, 2850, 4300])
        var random = SeededGenerator(seed: 1, entity: "six")
        for _ in 0..<12 {
            check(
                Make.state(
                    title, buffer: 30_000 * random.nextUnit(),
                    throughput: 200 + 5000 * random.nextUnit(),
                    last: Int(random.nextUnit() * 6), maximumBuffer: 60_000))
        }
    }

    /// Of the 9331 prefixes of plans with six renditions few are looked at: that is what makes it fast.
    @Test func prunes() throws {
        let title = try Make.title([300, 546, 994, 1810, 3296, 6000])
        var random = SeededGenerator(seed: 2, entity: "prune")
        var visited = 0
        for _ in 0..<500 {
            let state = Make.state(
                title, buffer: 30_000 * random.nextUnit(),
                throughput: 200 * exponential(4 * random.nextUnit()),
                last: Int(random.nextUnit() * 6), maximumBuffer: 30_000, latency: 40)
            visited += MPCSearch.run(state, throughput: state.throughput, horizon: 5).visited
        }
        #expect(visited / 500 < 40, "\(visited / 500) on average")
    }

    private func check(_ state: PlayerState) {
        let pruned = MPCSearch.run(state, throughput: state.throughput, horizon: 5).rendition
        let best = Self.exhaustive(state, horizon: 5)
        #expect(
            pruned == best,
            "\(state.title.bitrates) \(state.bufferLevel) \(state.throughput) \(state.lastRendition)"
        )
    }

    /// All plans in lexicographic order, the first of the best.
    private static func exhaustive(_ state: PlayerState, horizon: Int) -> Int {
        let title = state.title
        let length = min(horizon, title.segmentCount - state.segment)
        guard length > 0 else { return 0 }
        var plan = [Int](repeating: 0, count: length)
        var best = 0
        var most = -Double.infinity
        while true {
            let value = value(of: plan, state)
            if value > most {
                most = value
                best = plan[0]
            }
            var position = length - 1
            while position >= 0, plan[position] == title.renditionCount - 1 {
                plan[position] = 0
                position -= 1
            }
            guard position >= 0 else { return best }
            plan[position] += 1
        }
    }

    /// sum q - 4.3 stall - |change|, in the order of the segments.
    private static func value(of plan: [Int], _ state: PlayerState) -> Double {
        let title = state.title
        var buffer = state.bufferLevel / 1000
        var last = state.lastRendition
        var value = 0.0
        for (position, rendition) in plan.enumerated() {
            let size = title.size(segment: state.segment + position, rendition: rendition)
            let time = (state.latency + size / state.throughput) / 1000
            let quality = title.bitrates[rendition] / 1000
            let change = last < 0 ? 0 : abs(quality - title.bitrates[last] / 1000)
            value += quality - 4.3 * max(time - buffer, 0) - change
            buffer = min(
                max(buffer - time, 0) + title.segmentDuration / 1000, state.maximumBuffer / 1000)
            last = rendition
        }
        return value
    }
}
