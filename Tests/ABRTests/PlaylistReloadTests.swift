import ABR
import Netem
import SimulationKernel
import Testing

/// Live sessions that hear of segments by playlists, by hand from RFC 8216, 6.3.4.
@Suite struct PlaylistReloadTests {
    /// One rung of 1 Mbit/s, or two; segments of 2 s; a link of 10 Mbit/s and 50 ms.
    private func records(
        _ playlists: PlaylistReloads?, rungs: [Double] = [1000], algorithm: AlgorithmName,
        latency: Double = 4000
    ) throws -> [SegmentRecord] {
        let title = try Title(
            name: "t", segmentDuration: 2000, bitrates: rungs, segmentCount: 1)
        var configuration = PlayerConfiguration()
        configuration.live = .init(targetLatency: latency)
        var viewer = SimulatedViewer(
            title: title, player: configuration, algorithm: algorithm,
            link: RateSchedule(
                constant: Bitrate(kilobitsPerSecond: 10_000), delayNanoseconds: 50_000_000))
        viewer.arrival = 20_500
        viewer.watchTime = 20_000
        var timeline = LiveTimeline()
        timeline.playlists = playlists
        var simulation = try SoloSimulation(viewer, timeline: timeline, records: true)
        _ = simulation.run()
        return simulation.segments
    }

    /// Joined at 20.5 s: what is there is fetched at once, then one segment at each reload, 22.5 s,
    /// 24.5 s…, though it has been there for half a second.
    @Test func segmentsComeWithReloads() throws {
        let records = try records(
            PlaylistReloads(interval: 2000, bits: 0), algorithm: .fixed(rung: 0))
        // 4 s behind 20.5 s is in segment 8; 9 is the newest. The first waits for a handshake.
        #expect(records.prefix(2).map(\.segment) == [8, 9])
        #expect(abs(records[0].requested - 20_600) < 1e-6)
        for (i, record) in records.dropFirst(2).enumerated() {
            #expect(record.segment == 10 + i)
            #expect(abs(record.requested - (22_500 + 2000 * Double(i))) < 1e-6)
        }
        let atOnce = try self.records(nil, algorithm: .fixed(rung: 0))
        #expect(abs(atOnce[2].requested - 22_000) < 1e-6)
    }

    /// A new rung costs its playlist and its initialization section, a round trip and their bits.
    @Test func switchesCostRoundTrips() throws {
        let bits = 100_000.0
        let records = try records(
            PlaylistReloads(interval: 2000, bits: bits, initializationBits: bits),
            rungs: [500, 5000], algorithm: .throughput, latency: 6000)
        let place = try #require(records.firstIndex { $0.rung == 1 })
        let before = records[place - 1]
        let ended = before.requested + before.timeToFirstByte + before.transferTime
        // Two round trips of 100 ms, twice 10 ms of transfer.
        #expect(abs(records[place].requested - (ended + 220)) < 1e-6)
        // The second time its initialization section is there.
        #expect(records.dropFirst(place + 1).allSatisfy { $0.rung == 1 })
    }
}
