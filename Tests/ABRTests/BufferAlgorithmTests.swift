import Testing

@testable import ABR

/// BBA-0, BBA-1, BBA-2 by hand.
@Suite struct BufferAlgorithmTests {
    static let rates = [1000.0, 2000, 3000, 4000, 5000]

    /// With a buffer of 240 s the map runs from 90 s to 216 s; at 153 s it is 3000 kbit/s.
    @Test func bba0() throws {
        let title = try Make.title(Self.rates)
        func rendition(_ level: Double, last: Int) -> Int {
            var algorithm = BBA0(title: title, maximumBuffer: 240_000)
            return algorithm.decide(Make.state(title, buffer: level, last: last)).rendition
        }
        #expect(rendition(90_000, last: 4) == 0)
        #expect(rendition(216_000, last: 0) == 4)
        // Above R+ = 2000: the highest below 3000.
        #expect(rendition(153_000, last: 0) == 1)
        // Between R- = 2000 and R+ = 4000: unchanged.
        #expect(rendition(153_000, last: 2) == 2)
        // Below R- = 4000: the lowest above 3000.
        #expect(rendition(153_000, last: 4) == 3)
        #expect(rendition(153_001, last: 1) == 2)
    }

    /// A buffer that holds few segments must be able to reach the top rendition.
    @Test func bba0InSmallBuffers() throws {
        let title = try Make.title(Self.rates)
        var algorithm = BBA0(title: title, maximumBuffer: 20_000)
        let state = Make.state(title, buffer: 16_000, last: 0, maximumBuffer: 20_000)
        #expect(algorithm.decide(state).rendition == 4)
    }

    /// Constant bit rate: the reservoir is the minimum of 8 s, and at 112 s the map is half-way.
    @Test func bba1ConstantBitRate() throws {
        let title = try Make.title(Self.rates)
        func rendition(_ level: Double, last: Int) -> Int {
            var algorithm = BBA1(title: title, maximumBuffer: 240_000)
            return algorithm.decide(Make.state(title, buffer: level, last: last)).rendition
        }
        #expect(rendition(8000, last: 4) == 0)
        #expect(rendition(216_000, last: 0) == 4)
        #expect(rendition(112_000, last: 0) == 1)
        #expect(rendition(112_000, last: 2) == 2)
        #expect(rendition(112_000, last: 4) == 3)
    }

    /// Segments of twice the average each need 4 s more than they play.
    @Test func bba1Reservoir() throws {
        func reservoir(large: Range<Int>, at segment: Int) throws -> Double {
            let title = try Title(
                name: "t", segmentDuration: 4000, bitrates: [1000, 2000],
                sizes: (0..<300).map { large.contains($0) ? [8e6, 16e6] : [4e6, 8e6] })
            let algorithm = BBA1(title: title, maximumBuffer: 240_000)
            return algorithm.reservoir(Make.state(title, buffer: 0, segment: segment))
        }
        #expect(try reservoir(large: 0..<10, at: 0) == 40_000)
        #expect(try reservoir(large: 0..<10, at: 5) == 20_000)
        #expect(try reservoir(large: 0..<10, at: 9) == 8000)
        #expect(try reservoir(large: 0..<100, at: 0) == 140_000)
        // 480 s are 120 segments.
        #expect(try reservoir(large: 119..<300, at: 0) == 8000)
        #expect(try reservoir(large: 110..<300, at: 0) == 40_000)
        #expect(try reservoir(large: 0..<300, at: 299) == 8000)
    }

    /// Two segments in a buffer of 30 s; 90/240 of one of 8 s.
    @Test func bba1ReservoirOfSmallBuffers() throws {
        let title = try Make.title(Self.rates)
        let state = Make.state(title, buffer: 0)
        #expect(BBA1(title: title, maximumBuffer: 30_000).reservoir(state) == 8000)
        #expect(BBA1(title: title, maximumBuffer: 8000).reservoir(state) == 3000)
    }

    /// The next segment's own sizes decide: a large one is not taken at the same level.
    @Test func bba1FollowsTheNextSegment() throws {
        let title = try Title(
            name: "t", segmentDuration: 4000, bitrates: [1000, 2000, 3000],
            sizes: (0..<100).map { $0 == 10 ? [8e6, 16e6, 24e6] : [4e6, 8e6, 12e6] })
        // Seen from segment 10 the reservoir is 8 s, as from 11; half-way the map says 8 Mbit.
        for (segment, last, rendition) in [(11, 0, 1), (10, 0, 0), (10, 1, 0), (11, 1, 1)] {
            var algorithm = BBA1(title: title, maximumBuffer: 240_000)
            let state = Make.state(title, buffer: 112_000, last: last, segment: segment)
            #expect(
                algorithm.decide(state).rendition == rendition, "segment \(segment), last \(last)")
        }
    }

    /// Segments of 4 s: in 0.4 s a gain of 3.6 s, above 0.875 x 4 s; in 0.6 s not.
    @Test func bba2Start() throws {
        let title = try Make.title(Self.rates)
        func next(_ elapsed: Double, level: Double, last: Int) -> Int {
            var algorithm = BBA2(title: title, maximumBuffer: 240_000)
            let state = Make.state(title, buffer: level, last: last)
            algorithm.downloaded(Make.finished(state, rendition: last, elapsed: elapsed), state)
            return algorithm.decide(state).rendition
        }
        #expect(next(400, level: 4000, last: 0) == 1)
        #expect(next(600, level: 4000, last: 0) == 0)
        // One rendition at a time, to the top and not above.
        #expect(next(10, level: 8000, last: 3) == 4)
        #expect(next(10, level: 8000, last: 4) == 4)
        // A shrinking buffer ends the start: BBA-1 within its reservoir.
        #expect(next(4001, level: 8000, last: 3) == 0)
        #expect(next(4000, level: 8000, last: 3) == 3)
        let algorithm = BBA2(title: title, maximumBuffer: 240_000)
        #expect(algorithm.threshold(0) == 0.875)
        #expect(algorithm.threshold(108_000) == 0.6875)
        #expect(algorithm.threshold(216_000) == 0.5)
        #expect(algorithm.threshold(230_000) == 0.5)
    }

    /// Once the map wants more than the last rendition, BBA-1 decides, for good.
    @Test func bba2LeavesTheStart() throws {
        let title = try Make.title(Self.rates)
        var algorithm = BBA2(title: title, maximumBuffer: 240_000)
        #expect(algorithm.decide(Make.state(title, buffer: 112_000, last: 0)).rendition == 1)
        var state = Make.state(title, buffer: 20_000, last: 1)
        algorithm.downloaded(Make.finished(state, rendition: 1, elapsed: 10), state)
        // At 20 s the map says 4.9 Mbit: above R- = 4 Mbit. The start would have gone up.
        #expect(algorithm.decide(state).rendition == 1)
        // A seek starts again.
        algorithm.seeked(state)
        state.lastRendition = 1
        algorithm.downloaded(Make.finished(state, rendition: 1, elapsed: 10), state)
        #expect(algorithm.decide(state).rendition == 2)
    }

    @Test func moreBufferIsNeverLower() throws {
        let title = try Make.title(Self.rates)
        for last in 0..<5 {
            var before = [0, 0]
            for level in stride(from: 0.0, through: 240_000, by: 500) {
                let state = Make.state(title, buffer: level, last: last)
                var bba0 = BBA0(title: title, maximumBuffer: 240_000)
                var bba1 = BBA1(title: title, maximumBuffer: 240_000)
                let renditions = [bba0.decide(state).rendition, bba1.decide(state).rendition]
                #expect(renditions[0] >= before[0] && renditions[1] >= before[1], "\(level)")
                before = renditions
            }
        }
    }
}
