import Netem
import SimulationKernel
import Statistics
import Testing

@testable import Viewer

@Suite struct AudiencePlanTests {
    private static func plan(count: Int, probes: Int = 0) -> AudiencePlan {
        AudiencePlan(url: "rtmp://host/live/s{i}", count: count, probes: probes)
    }

    @Test(arguments: [
        ("http://h/a.m3u8", true), ("HTTP://H/A.M3U8?key=x", true), ("rtmp://h/live/a", false),
        ("http://h/live/a.flv?list=b.m3u8", false),
    ])
    func `an address of a playlist has adaptive viewers`(url: String, isHLS: Bool) {
        #expect(AudiencePlan.isHLS(url) == isHLS)
    }

    @Test func `probes sit evenly in the order of the joins`() {
        #expect(Self.plan(count: 10).probeIndices == [])
        #expect(Self.plan(count: 10, probes: 3).probeIndices == [0, 3, 6])
        #expect(Self.plan(count: 4, probes: 4).probeIndices == [0, 1, 2, 3])
        for count in 1...30 {
            for probes in 0...count {
                #expect(Self.plan(count: count, probes: probes).probeIndices.count == probes)
            }
        }
    }

    @Test func `viewers share the streams in turn and join at the rate`() {
        var plan = Self.plan(count: 5)
        plan.streams = 2
        plan.joinsPerSecond = 4
        let viewers = plan.streamViewers(mode: .prompt)
        #expect(viewers.map(\.index) == [0, 1, 2, 3, 4])
        #expect(viewers.map(\.url.last) == ["0", "1", "0", "1", "0"])
        #expect(
            viewers.map(\.joinNanoseconds) == [
                0, 250_000_000, 500_000_000, 750_000_000, 1_000_000_000,
            ])
        #expect(viewers.allSatisfy { $0.transport == .rtmp && $0.mode == .prompt })
        #expect(viewers.allSatisfy { $0.link == nil })
    }

    @Test func `the window begins a second after the last join`() {
        var plan = Self.plan(count: 100)
        plan.joinsPerSecond = 50
        plan.seconds = 7
        let window = plan.window(startNanoseconds: 10)
        #expect(window.startNanoseconds == 3_000_000_010)
        #expect(window.endNanoseconds == 10_000_000_010)
        #expect(window.seconds == 7)
    }

    @Test func `a run that is stopped counts up to then`() {
        let window = Window(startNanoseconds: 100, endNanoseconds: 200)
        for (now, end) in [(50, 100), (100, 100), (150, 150), (200, 200), (900, 200)]
            as [(
                Int64, Int64
            )]
        {
            let part = window.ended(byNanoseconds: now)
            #expect(part == Window(startNanoseconds: 100, endNanoseconds: end))
        }
    }

    @Test func `links begin at seeded places that both kinds of viewers share`() {
        var plan = Self.plan(count: 50, probes: 5)
        let link = ViewerLink(rate: RateSchedule(constant: Bitrate(kilobitsPerSecond: 1000)))
        plan.link = AudiencePlan.Link(link, cycleNanoseconds: 60_000_000_000)
        let places = plan.streamViewers(mode: .lazy).map(\.link)
        #expect(plan.links == [link])
        #expect(places.allSatisfy { $0?.link == 0 })
        #expect(places.allSatisfy { (0..<60_000_000_000).contains($0?.offsetNanoseconds ?? -1) })
        #expect(Set(places.map { $0?.seed }).count == 50)
        let adaptive = plan.adaptiveViewers(like: HLSViewerSpec(index: 0, url: ""))
        #expect(adaptive.map(\.link) == places)
    }

    @Test func `adaptive viewers have the settings of their model`() {
        var plan = Self.plan(count: 4, probes: 2)
        plan.url = "http://host/{i}.m3u8"
        plan.streams = 4
        var player = HLSViewerSpec(index: 9, url: "unused")
        player.algorithm = "bola-e"
        player.maximumHeight = 360
        let viewers = plan.adaptiveViewers(like: player)
        #expect(viewers.map(\.index) == [0, 1, 2, 3])
        #expect(viewers.map(\.isProbe) == [true, false, true, false])
        #expect(viewers[3].url == "http://host/3.m3u8")
        #expect(viewers.allSatisfy { $0.algorithm == "bola-e" && $0.maximumHeight == 360 })
    }
}

@Suite struct StreamAudienceSummaryTests {
    private static let window = Window(
        startNanoseconds: 0, endNanoseconds: 2_000_000_000)

    private static func counters(received: Int, payload: Int) -> ViewerCounters {
        var counters = ViewerCounters()
        counters.receivedBytes = received
        counters.payloadBytes = payload
        return counters
    }

    private static func load(failure: String? = nil) -> LoadReport {
        let viewer = LoadViewerReport(
            index: 0, localPort: 1, window: counters(received: 600_000, payload: 500_000),
            total: counters(received: 900_000, payload: 800_000), failure: failure)
        return LoadReport(
            connected: 1, playing: 1, failed: 0, receivedBytes: 0, lag: DelayHistogram(),
            viewers: [viewer])
    }

    private static func probes(_ viewers: [ProbeViewerReport]) -> ProbeReport {
        ProbeReport(
            playing: 0, failed: 0, lag: DelayHistogram(), delay: [:], viewers: viewers)
    }

    @Test func `load viewers and probes add up`() {
        var probe = ProbeViewerReport(index: 1, localPort: 2)
        probe.window = Self.counters(received: 0, payload: 250_000)
        probe.total = Self.counters(received: 100_000, payload: 300_000)
        let summary = StreamAudienceSummary(
            Self.load(failure: "cut"), Self.probes([probe]), window: Self.window)
        #expect(summary.seconds == 2)
        #expect(summary.payloadMegabits == 3)
        #expect(summary.totalPayloadBytes == 1_100_000)
        #expect(summary.receivedBytes == 1_000_000)
        #expect(summary.failures == ["cut", nil])
    }

    @Test func `an empty window has no rate`() {
        let empty = Window(startNanoseconds: 5, endNanoseconds: 5)
        let summary = StreamAudienceSummary(Self.load(), Self.probes([]), window: empty)
        #expect(summary.payloadMegabits == nil)
    }

    @Test func `a probe tells what kind of stream it saw`() throws {
        let silent = ProbeViewerReport(index: 0, localPort: 1)
        var unstamped = silent
        unstamped.total.payloadBytes = 1
        unstamped.window.videoMessages = 25
        var stamped = silent
        stamped.streamID = 7
        (stamped.windowFrames, stamped.missingFrames, stamped.duplicateFrames) = (50, 2, 1)
        var timed = stamped
        timed.delay.record(nanoseconds: 3_000_000)
        let probes = StreamAudienceSummary(
            Self.load(), Self.probes([silent, unstamped, stamped, timed]), window: Self.window
        ).probes
        guard case .nothingCame = probes[0].frames,
            case .unstamped(videoMessages: 25) = probes[1].frames,
            case .stamped(received: 50, missing: 2, twice: 1, delay: nil) = probes[2].frames,
            case .stamped(_, _, _, let delay?) = probes[3].frames
        else {
            Issue.record("\(probes)")
            return
        }
        #expect(delay.p50 == 3 && delay.p99 == 3 && delay.maximum == 3)
    }
}

@Suite struct AdaptiveAudienceSummaryTests {
    private static let window = Window(
        startNanoseconds: 0, endNanoseconds: 4_000_000_000)

    private static func viewer(_ index: Int, bitrate: Double) -> HLSViewerReport {
        var viewer = HLSViewerReport(index: index)
        viewer.isLive = true
        viewer.bitrates = [500, 1000]
        (viewer.mediaBytes, viewer.windowMediaBytes) = (2_000_000, 1_000_000)
        viewer.playback.segments = 10
        viewer.playback.meanBitrate = bitrate
        viewer.playback.startup = bitrate / 1000
        viewer.requests.playlists = 3
        viewer.requests.tightestReload = bitrate / 1000
        return viewer
    }

    @Test func `figures are of the viewers that played`() {
        var report = HLSReport()
        report.viewers = [
            Self.viewer(0, bitrate: 500), Self.viewer(1, bitrate: 900), HLSViewerReport(index: 2),
        ]
        report.viewers[2].trouble = "404"
        let summary = AdaptiveAudienceSummary(report, window: Self.window)
        #expect(summary.viewers == 3 && summary.live == 2 && summary.renditionCount == 2)
        #expect(summary.mediaMegabits == 4)
        #expect(summary.mediaBytes == 4_000_000)
        #expect(summary.bitrate?.mean == 700 && summary.bitrate?.median == 700)
        #expect(summary.bitrate?.least == 500 && summary.bitrate?.most == 900)
        #expect(summary.startup?.most == 0.9)
        #expect(summary.latency == nil)
        #expect(summary.requests.playlists == 6)
        #expect(summary.requests.tightestReload == 0.5)
        #expect(summary.failures == [nil, nil, nil])
        #expect(summary.troubles == [nil, nil, "404"])
        #expect(summary.probes == nil && summary.lagP50 == nil)
    }

    @Test func `probes are added up over their renditions`() {
        var frames = HLSRenditionFrames(rendition: 0)
        frames.delay.record(nanoseconds: 5_000_000)
        var report = HLSReport()
        report.viewers = [Self.viewer(0, bitrate: 500), Self.viewer(1, bitrate: 500)]
        report.viewers[0].probe = HLSProbeReport(
            renditions: [frames], unreadable: 2, problem: "cut")
        report.viewers[1].probe = HLSProbeReport(renditions: [frames])
        let probes = AdaptiveAudienceSummary(report, window: Self.window).probes
        #expect(probes?.count == 2 && probes?.unreadable == 2)
        #expect(probes?.p50 == 5 && probes?.problem == "cut")
    }

    @Test func `every count is added up`() {
        var one = HLSRequestCounts()
        one.playlists = 1
        one.repeated = 2
        one.wastedBytes = 3
        let sum = HLSRequestCounts(sumOf: [one, one])
        #expect(sum.playlists == 2 && sum.repeated == 4 && sum.wastedBytes == 6)
        #expect(sum.tightestReload == nil)
    }
}

@Suite struct ViewerCostTests {
    @Test func `a gigabit's cost needs a megabyte`() {
        let little = ViewerCost.secondsPerGigabit(
            receivedBytes: 1_000_000, cpuNanoseconds: 1_000_000_000)
        #expect(little == nil)
        let enough = ViewerCost.secondsPerGigabit(
            receivedBytes: 250_000_000, cpuNanoseconds: 3_000_000_000)
        #expect(enough == 1.5)
    }
}
