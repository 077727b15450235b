import Netem
import SimulationKernel
import Testing

@testable import ABR

/// Live sessions that hear of segments by playlists, by hand from RFC 8216, 6.3.4.
@Suite struct PlaylistReloadTests {
    /// One rendition of 1 Mbit/s, or two; segments of 2 s; a link of 10 Mbit/s and 50 ms.
    private func records(
        _ playlists: PlaylistReloads?, renditions: [Double] = [1000], algorithm: AlgorithmName,
        latency: Double = 4000, joined: Double = 20_500,
        link: RateSchedule? = nil
    ) throws -> [SegmentRecord] {
        let title = try Title(
            name: "t", segmentDuration: 2000, bitrates: renditions, segmentCount: 1)
        var configuration = PlayerConfiguration()
        configuration.live = .init(targetLatency: latency)
        var viewer = SimulatedViewer(
            title: title, player: configuration, algorithm: algorithm,
            link: link
                ?? RateSchedule(
                    constant: Bitrate(kilobitsPerSecond: 10_000), delayNanoseconds: 50_000_000))
        viewer.arrival = joined
        viewer.watchTime = 20_000
        var timeline = LiveTimeline()
        timeline.playlists = playlists
        var simulation = try SoloSimulation(viewer, timeline: timeline, records: true)
        _ = simulation.run()
        return simulation.segments
    }

    /// Of a link of 50 ms.
    private func period(_ milliseconds: Int64, _ kilobits: Int64) -> RateSchedule.Period {
        RateSchedule.Period(
            durationNanoseconds: milliseconds * 1_000_000, bitsPerSecond: kilobits * 1000,
            delayNanoseconds: 50_000_000)
    }

    /// Joined at 20.5 s: what is there is fetched at once, then one segment at each reload, 22.5 s,
    /// 24.5 s…, though it has been there for half a second.
    @Test func segmentsComeWithReloads() throws {
        let records = try records(
            PlaylistReloads(interval: 2000, bits: 0), algorithm: .fixed(rendition: 0))
        // 4 s behind 20.5 s is in segment 8; 9 is the newest. The first opens a connection: a round
        // trip for that, one for the answer.
        #expect(records.prefix(2).map(\.segment) == [8, 9])
        #expect(records[0].requested == 20_500)
        #expect(abs(records[0].timeToFirstByte - 200) < 0.01)
        #expect(abs(records[1].timeToFirstByte - 100) < 0.01)
        for (i, record) in records.dropFirst(2).enumerated() {
            #expect(record.segment == 10 + i)
            #expect(abs(record.requested - (22_500 + 2000 * Double(i))) < 1e-6)
        }
        let atOnce = try self.records(nil, algorithm: .fixed(rendition: 0))
        #expect(abs(atOnce[2].requested - 22_000) < 1e-6)
    }

    /// A new rendition costs its playlist and its initialization section, a round trip and their bits.
    @Test func switchesCostRoundTrips() throws {
        let bits = 100_000.0
        let records = try records(
            PlaylistReloads(interval: 2000, bits: bits, initializationBits: bits),
            renditions: [500, 5000], algorithm: .throughput, latency: 6000)
        let place = try #require(records.firstIndex { $0.rendition == 1 })
        let before = records[place - 1]
        let ended = before.requested + before.timeToFirstByte + before.transferTime
        // Two round trips of 100 ms, twice 10 ms of transfer.
        #expect(abs(records[place].requested - (ended + 220)) < 1e-6)
        // The second time its initialization section is there.
        #expect(records.dropFirst(place + 1).allSatisfy { $0.rendition == 1 })
    }

    /// What a playlist lists is what the server had when the request came to it: segment 10 is there
    /// at 22.0 s, and a load that begins at 21.97 s and comes to the server at 22.02 s tells of it.
    /// One that begins at 21.93 s does not; the next begins 2 s later, as it told of segment 9. One
    /// that began at 21.9 s, 1.5 s after the last, brought no news: the next begins 0.75 s later.
    @Test(arguments: [
        (20_070.0, 2000.0, 22_070.0), (20_030, 2000, 24_030), (20_500, 1500, 22_750),
    ])
    func playlistsTellWhatTheServerHad(
        joined: Double, interval: Double, asked: Double
    ) throws {
        let records = try records(
            PlaylistReloads(interval: interval, bits: 0), algorithm: .fixed(rendition: 0),
            joined: joined)
        let tenth = try #require(records.first { $0.segment == 10 })
        #expect(abs(tenth.requested - asked) < 1e-6)
    }

    /// An outage from 22 s to 26 s holds the load of 22.4 s back; the next begins as that is over, as
    /// it is late, and is in the way of the segment's first byte.
    @Test func outagesHoldNewsBack() throws {
        let records = try records(
            PlaylistReloads(interval: 2000, bits: 1000), algorithm: .fixed(rendition: 0),
            latency: 8000,
            link: RateSchedule(
                periods: [period(22_000, 10_000), period(4000, 0), period(60_000, 10_000)],
                wraps: false))
        let tenth = try #require(records.first { $0.segment == 10 })
        #expect(abs(tenth.requested - 26_000.1) < 1e-6)
        #expect(abs(tenth.timeToFirstByte - 100.1) < 0.01)
        #expect(abs(tenth.transferTime - 200) < 0.01)
        let eleventh = try #require(records.first { $0.segment == 11 })
        #expect(abs(eleventh.requested - 26_300.2) < 0.01)
    }

    /// An outage that begins after a request makes its first byte late, not its transfer long.
    @Test func outagesAreLateAnswers() throws {
        let records = try records(
            PlaylistReloads(interval: 2000, bits: 0), algorithm: .fixed(rendition: 0),
            latency: 8000,
            link: RateSchedule(
                periods: [
                    period(22_550, 10_000), period(1000, 0), period(60_000, 10_000),
                ], wraps: false))
        let tenth = try #require(records.first { $0.segment == 10 })
        #expect(abs(tenth.requested - 22_500) < 1e-6)
        #expect(abs(tenth.timeToFirstByte - 1050) < 0.01)
        #expect(abs(tenth.transferTime - 200) < 0.01)
    }

    /// A playlist that comes in mid-transfer takes its time of the link: 12,000 bits, 10 ms.
    @Test func playlistsShareTheLink() throws {
        let records = try records(
            PlaylistReloads(interval: 2000, bits: 12_000), algorithm: .fixed(rendition: 0),
            link: RateSchedule(
                constant: Bitrate(kilobitsPerSecond: 1200), delayNanoseconds: 50_000_000))
        #expect(abs(records[0].transferTime - 2000 / 1.2) < 0.01)
        // Asked for at 22.367 s; the playlist comes from 22.490 s to 22.500 s.
        #expect(abs(records[1].transferTime - 2000 / 1.2 - 10) < 0.01)
    }

    /// Giving a download up closes its connection: the next request opens one, a round trip more.
    @Test func givingUpCostsAConnection() throws {
        let records = try records(
            PlaylistReloads(interval: 2000, bits: 1000), renditions: [200, 5000],
            algorithm: .throughput, latency: 8000,
            link: RateSchedule(
                periods: [period(22_600, 10_000), period(60_000, 500)], wraps: false))
        let place = try #require(records.firstIndex { $0.abandonedFor != nil })
        // Judged every 100 ms from the request on.
        let judged = records[place].timeToFirstByte + records[place].transferTime
        #expect(abs((judged / 100).rounded() * 100 - judged) < 1e-6)
        #expect(records[place + 1].segment == records[place].segment)
        #expect(records[place + 1].timeToFirstByte >= 200)
        #expect(records[place + 2].timeToFirstByte < 150)
    }

    /// A rendition's playlist is loaded again only where it does not list what is wanted.
    @Test func playlistsThatListTheSegmentServe() throws {
        let viewer = try SimulatedViewer(
            title: Title(
                name: "t", segmentDuration: 2000, bitrates: [500, 1000], segmentCount: 1),
            player: PlayerConfiguration(), algorithm: .fixed(rendition: 0),
            link: RateSchedule(
                constant: Bitrate(kilobitsPerSecond: 10_000), delayNanoseconds: 50_000_000))
        var client = PlaylistClient(
            PlaylistReloads(interval: 2000, bits: 0), LiveTimeline(), viewer, at: 20_500)
        let end = 100_000.0
        #expect(client.lists(9, rendition: 0, from: 20_500, until: end) == 20_500)
        #expect(client.lists(9, rendition: 1, from: 20_600, until: end) == 20_700)
        #expect(client.lists(9, rendition: 0, from: 20_800, until: end) == 20_800)
        // 2 s after rendition 1's load began, as that was the latest.
        #expect(client.timeListed(10, from: 20_900, until: end) == 22_700)
    }

    /// A link that dies for good: the session ends where the viewer leaves, with the algorithms that
    /// ask whether to go on, too.
    @Test(arguments: [AlgorithmName.bolaE, .dynamic, .throughput])
    func deadLinksEnd(algorithm: AlgorithmName) throws {
        let records = try records(
            PlaylistReloads(interval: 2000, bits: 1000), renditions: [500, 1000],
            algorithm: algorithm, latency: 8000,
            link: RateSchedule(
                periods: [
                    .init(durationNanoseconds: 22_700_000_000, bitsPerSecond: 10_000_000),
                    .init(durationNanoseconds: 1_000_000_000, bitsPerSecond: 0),
                ], wraps: false))
        let fetched = records.filter { $0.abandonedFor == nil }
        #expect(fetched.map(\.segment) == [6, 7, 8, 9])
    }
}
