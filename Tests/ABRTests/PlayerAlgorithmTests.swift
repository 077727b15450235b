import Testing

@testable import ABR

/// The defaults of hls.js and media3, and the throughput rule, by hand.
@Suite struct PlayerAlgorithmTests {
    static let rates = [500.0, 1000, 2000]

    private func hls(
        _ title: Title, buffer: Double, throughput: Double, last: Int, isLive: Bool = false,
        rate: Double = 1, latency: Double = 0
    ) -> Int {
        var algorithm = HLSJSRule()
        var state = Make.state(
            title, buffer: buffer, throughput: throughput, last: last, latency: latency)
        state.isLive = isLive
        state.playbackRate = rate
        return algorithm.decide(state).rendition
    }

    /// At 1400 kbit/s: 1330 for the rendition played and below, 980 above.
    @Test func hlsJSFactors() throws {
        let title = try Make.title(Self.rates)
        #expect(hls(title, buffer: 12_000, throughput: 1400, last: 1) == 1)
        #expect(hls(title, buffer: 12_000, throughput: 1400, last: 0) == 0)
        #expect(hls(title, buffer: 12_000, throughput: 1429, last: 0) == 1)
        #expect(hls(title, buffer: 12_000, throughput: 1052, last: 2) == 0)
        #expect(hls(title, buffer: 12_000, throughput: 1053, last: 2) == 1)
        // Nothing is sustained: the lowest.
        #expect(hls(title, buffer: 12_000, throughput: 100, last: 2) == 0)
    }

    /// Rendition 1 takes 4 s x 1000 / 1330 = 3.008 s, rendition 0 1.504 s.
    @Test func hlsJSStarvation() throws {
        let title = try Make.title(Self.rates)
        #expect(hls(title, buffer: 3100, throughput: 1400, last: 1) == 1)
        #expect(hls(title, buffer: 3000, throughput: 1400, last: 1) == 0)
        // At twice the speed the buffer lasts half as long.
        #expect(hls(title, buffer: 3100, throughput: 1400, last: 1, rate: 2) == 0)
        // The latency is part of the time.
        #expect(hls(title, buffer: 3100, throughput: 1400, last: 1, latency: 200) == 0)
        // Not even rendition 0 comes in time: a stall of at most 4 s is accepted, which suits rendition 1.
        #expect(hls(title, buffer: 1000, throughput: 1400, last: 1) == 1)
        // Live: the time does not count.
        #expect(hls(title, buffer: 3000, throughput: 1400, last: 1, isLive: true) == 1)
    }

    /// Rendition 1 averages 1000 kbit/s and peaks at 1500.
    @Test func hlsJSPeakAndAverage() throws {
        let title = try Title(
            name: "t", segmentDuration: 4000, bitrates: [500, 1000],
            sizes: [[2e6, 6e6], [2e6, 2e6], [2e6, 4e6]])
        #expect(title.peakBitrates == [500, 1500])
        #expect(hls(title, buffer: 7999, throughput: 1400, last: 1) == 0)
        #expect(hls(title, buffer: 8000, throughput: 1400, last: 1) == 1)
    }

    /// The default of 500 kbit/s and 100 ms, no margins, at most 4 s.
    @Test func hlsJSStart() throws {
        let algorithm = HLSJSRule()
        let tight = try Make.title([200, 400, 500])
        #expect(algorithm.firstRendition(Make.state(tight, buffer: 0)) == 1)
        let high = try Make.title(Self.rates)
        #expect(algorithm.firstRendition(Make.state(high, buffer: 0)) == 0)
    }

    /// 8 Mbit on rendition 2, checked after half a segment.
    @Test func hlsJSEmergency() throws {
        let title = try Make.title(Self.rates)
        let state = Make.state(title, buffer: 3000, throughput: 2900, last: 2, latency: 50)
        func judge(_ algorithm: inout HLSJSRule, _ downloaded: Double, _ elapsed: Double) -> Int? {
            algorithm.abandon(
                Make.progress(
                    state, rendition: 2, size: 8e6, downloaded: downloaded, elapsed: elapsed), state
            )
        }
        // 500 kbit/s: 14 s to go, 3 s of buffer; rendition 0 takes 4.05 s.
        var algorithm = HLSJSRule()
        #expect(judge(&algorithm, 0.95e6, 2000) == nil)
        #expect(judge(&algorithm, 1e6, 2100) == 0)
        // 2500 kbit/s: 1.2 s to go.
        #expect(judge(&algorithm, 5e6, 2100) == nil)
        // With 1 s of buffer: rendition 0 in 0.85 s, not half of 1.2 s: later, at 2950 ms.
        var short = state
        short.bufferLevel = 1000
        var patient = HLSJSRule()
        func later(_ elapsed: Double) -> Int? {
            patient.abandon(
                Make.progress(short, rendition: 2, size: 8e6, downloaded: 5e6, elapsed: elapsed),
                short)
        }
        #expect(later(2100) == nil)
        #expect(later(2900) == nil)
        #expect(later(2950) == 0)
        // Nothing lower than the lowest.
        var lowest = HLSJSRule()
        #expect(
            lowest.abandon(
                Make.progress(short, rendition: 0, size: 2e6, downloaded: 1, elapsed: 9000), short)
                == nil)
        #expect(lowest.mayAbandon)
    }

    @Test func media3() throws {
        let title = try Make.title(Self.rates)
        func rendition(
            _ throughput: Double, buffer: Double, last: Int, edge: Double? = nil,
            maximumBuffer: Double = 50_000
        ) -> Int {
            var algorithm = Media3Rule()
            var state = Make.state(
                title, buffer: buffer, throughput: throughput, last: last,
                maximumBuffer: maximumBuffer)
            state.isLive = edge != nil
            state.liveLatency = edge ?? 0
            return algorithm.decide(state).rendition
        }
        // 0.7 x 1500 = 1050: rendition 1, with 10 s of buffer.
        #expect(rendition(1500, buffer: 9900, last: 0) == 0)
        #expect(rendition(1500, buffer: 10_000, last: 0) == 1)
        #expect(rendition(1420, buffer: 10_000, last: 0) == 0)
        // Down at once below 25 s.
        #expect(rendition(1500, buffer: 24_900, last: 2) == 1)
        #expect(rendition(1500, buffer: 25_000, last: 2) == 2)
        // 8 s from the edge: 0.75 x (8 - 4) = 3 s.
        #expect(rendition(1500, buffer: 2900, last: 0, edge: 8000) == 0)
        #expect(rendition(1500, buffer: 3000, last: 0, edge: 8000) == 1)
        // A buffer of 12 s: 0.75 x (12 - 4) = 6 s.
        #expect(rendition(1500, buffer: 6000, last: 0, maximumBuffer: 12_000) == 1)
        #expect(rendition(1500, buffer: 5900, last: 0, maximumBuffer: 12_000) == 0)
        // 1000 kbit/s before the first estimate.
        let algorithm = Media3Rule()
        #expect(algorithm.firstRendition(Make.state(title, buffer: 0)) == 0)
        let low = try Make.title([300, 700, 710])
        #expect(algorithm.firstRendition(Make.state(low, buffer: 0)) == 1)
    }

    /// More throughput never means a lower rendition. hls.js: with two segments buffered; with less the
    /// stall that its second pass accepts breaks the order.
    @Test func moreThroughputIsNeverLower() throws {
        let title = try Make.title([300, 546, 994, 1810, 3296, 6000])
        for buffer in [8100.0, 12_000, 26_000] {
            for last in 0..<6 {
                var before = [0, 0, 0]
                for throughput in stride(from: 100.0, through: 12_000, by: 37) {
                    let state = Make.state(
                        title, buffer: buffer, throughput: throughput, last: last, latency: 40)
                    var rule = ThroughputRule()
                    var hls = HLSJSRule()
                    var media3 = Media3Rule()
                    let renditions = [
                        rule.decide(state).rendition, hls.decide(state).rendition,
                        media3.decide(state).rendition,
                    ]
                    for index in renditions.indices { #expect(renditions[index] >= before[index]) }
                    before = renditions
                }
            }
        }
    }

    /// 90 % of 1000 kbit/s holds 900 and no more; a latency of 400 ms leaves 3.6 of 4 s.
    @Test func throughputRule() throws {
        let title = try Make.title([100, 810, 900, 1000])
        var rule = ThroughputRule()
        #expect(
            rule.decide(Make.state(title, buffer: 100_000, throughput: 1000, last: 0)).rendition
                == 2)
        var late = ThroughputRule()
        let state = Make.state(title, buffer: 100_000, throughput: 1000, last: 0, latency: 400)
        #expect(late.decide(state).rendition == 1)
        // The buffer covers 0.9 x 2 s x 1000 kbit/s = 1800 kbit: less than rendition 1's 3240.
        var short = ThroughputRule()
        #expect(
            short.decide(Make.state(title, buffer: 2000, throughput: 1000, last: 2)).rendition == 0)
    }
}
