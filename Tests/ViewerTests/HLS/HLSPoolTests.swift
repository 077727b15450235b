import HLS
import Logging
import Media
import Netem
import Publisher
import Server
import SimulationKernel
import Sockets
import Statistics
import Testing

@testable import Viewer

/// Adaptive viewers against the embedded origin, all in this process.
@Suite(.timeLimit(.minutes(2))) struct HLSPoolTests {
    /// A relay with HLS and two renditions of a stream, for the time of `body`.
    func withChannel(
        part: Double? = nil, container: SegmenterConfiguration.Container = .fmp4,
        _ body: (String, Int64) async throws -> Void
    ) async throws {
        var configuration = ServerConfiguration()
        configuration.rtmpPort = 0
        configuration.httpPort = 0
        var hls = HLSConfiguration()
        hls.container = container
        hls.segmentSeconds = 1
        hls.partSeconds = part
        configuration.hls = hls
        let server = try await RelayServer.start(
            configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let pool = try await PublisherPool(
            [("lo", 150), ("hi", 600)].enumerated().map { i, rendition in
                PublishSpec(
                    url: "rtmp://127.0.0.1:\(server.rtmpPort)/live/a_\(rendition.0)",
                    streamID: UInt32(i + 1),
                    source: .synthetic(
                        SyntheticSpec(
                            width: 160 * (i + 1), height: 90 * (i + 1), framesPerSecond: 25,
                            gopFrames: 25, totalBitrate: Bitrate(kilobitsPerSecond: rendition.1),
                            audioBitrate: Bitrate(kilobitsPerSecond: 64))))
            }, options: .init())
        do {
            try await pool.connect()
            let start = Clock.monotonicNanoseconds() + 100_000_000
            pool.start(atNanoseconds: start)
            let port = try #require(server.httpPort)
            try await body("http://127.0.0.1:\(port)/hls/live/a/master.m3u8", start)
        } catch {
            try? await pool.stop()
            try? await server.stop()
            throw error
        }
        try await pool.stop()
        try await server.stop()
    }

    /// Plays until every viewer has started `segments` segments, or too long has passed.
    func play(
        _ specs: [HLSViewerSpec], links: [ViewerLink] = [], from start: Int64, seconds: Double
    ) async throws -> HLSReport {
        var options = HLSViewerPool.Options()
        options.links = links
        let viewers = try HLSViewerPool(specs, options: options)
        viewers.start(atNanoseconds: start, window: nil)
        try await Task.sleep(
            for: .nanoseconds(start - Clock.monotonicNanoseconds() + Int64(seconds * 1e9)))
        return await viewers.stop()
    }

    @Test func adaptsToItsLink() async throws {
        try await withChannel { url, start in
            let links = [250, 4000].map {
                ViewerLink(rate: RateSchedule(constant: Bitrate(kilobitsPerSecond: $0)))
            }
            let specs = (0..<6).map { i in
                var spec = HLSViewerSpec(
                    index: i, url: url, joinNanoseconds: 4_000_000_000 + Int64(i) * 10_000_000)
                spec.algorithm = "throughput"
                if i < 4 { spec.link = LinkAssignment(link: i % 2) }
                if i == 5 { spec.maximumHeight = 100 }
                return spec
            }
            let report = try await play(specs, links: links, from: start, seconds: 12)
            for viewer in report.viewers {
                #expect(viewer.failure == nil && viewer.isLive)
                #expect(viewer.playback.segments > 2)
                #expect(viewer.renditionNames == (viewer.index == 5 ? ["a_lo"] : ["a_lo", "a_hi"]))
                #expect(viewer.localPort > 0)
                // No answer before its request, on links without delay either.
                #expect(
                    viewer.segments.allSatisfy {
                        ($0.timeToFirstByte ?? 0) >= 0 && $0.transferTime >= 0
                    })
                let recorded = viewer.segments.reduce(0) { $0 + $1.bytes }
                // Of the download that was under way at the end the media counts, not the record.
                #expect(viewer.mediaBytes >= recorded)
                #expect(viewer.requests.refused == 0 && viewer.requests.broken == 0)
                #expect((viewer.requests.tightestReload ?? 1) >= 1)
                let top = viewer.segments.map(\.rendition).max()
                // 250 kbit/s carry only the lower rendition.
                let isSlow = viewer.index == 0 || viewer.index == 2 || viewer.index == 5
                #expect(top == (isSlow ? 0 : 1), "\(viewer.index): \(viewer.segments)")
            }
        }
    }

    @Test func lowLatency() async throws {
        try await withChannel(part: 0.2) { url, start in
            let specs = (0..<2).map {
                var spec = HLSViewerSpec(index: $0, url: url, joinNanoseconds: 4_000_000_000)
                spec.usesParts = $0 == 0
                return spec
            }
            let report = try await play(specs, from: start, seconds: 11)
            let (fast, plain) = (report.viewers[0], report.viewers[1])
            #expect(fast.failure == nil && plain.failure == nil)
            #expect(fast.requests.parts > 10 && plain.requests.parts == 0)
            #expect(fast.requests.blocked > 10 && plain.requests.blocked == 0)
            let latencies = (fast.playback.liveLatency, plain.playback.liveLatency)
            #expect((latencies.0 ?? 99) < (latencies.1 ?? 0))
        }
    }

    /// Frames are stamped by the publisher, packaged by the origin and found by probes; each step
    /// comes after the one before.
    @Test(arguments: SegmenterConfiguration.Container.allCases)
    func probesTimeFrames(container: SegmenterConfiguration.Container) async throws {
        try await withChannel(part: 0.2, container: container) { url, start in
            let links = [ViewerLink(rate: RateSchedule(constant: Bitrate(kilobitsPerSecond: 2000)))]
            let specs = (0..<4).map {
                var spec = HLSViewerSpec(index: $0, url: url, joinNanoseconds: 4_000_000_000)
                spec.algorithm = "fixed:1"
                spec.usesParts = $0 != 1
                spec.isProbe = $0 < 3
                if $0 == 2 { spec.link = LinkAssignment(link: 0) }
                return spec
            }
            let viewers = try await play(specs, links: links, from: start, seconds: 11).viewers
            #expect(viewers[3].probe == nil)
            for viewer in viewers.prefix(3) {
                let probe = try #require(viewer.probe)
                #expect(probe.unreadable == 0, "\(probe.problem ?? "")")
                // Only what it asked for, and every frame of it.
                #expect(probe.renditions.map(\.rendition) == [1])
                let rendition = try #require(probe.renditions.first)
                #expect(rendition.streamID == 2 && rendition.windowFrames > 50)
                #expect(rendition.unstampedFrames == 0)
                let due = rendition.runs.reduce(0) { $0 + Int($1.last - $1.first) + 1 }
                #expect(due == rendition.windowFrames, "\(rendition.runs)")
                let (published, delay) = (rendition.published, rendition.delay)
                #expect(published.count == delay.count && delay.count == rendition.windowFrames)
                #expect(published.negativeCount == 0 && delay.negativeCount == 0)
                for percentile in stride(from: 0.0, through: 100, by: 10) {
                    let (a, b) = (
                        published.milliseconds(atPercentile: percentile) ?? 1,
                        delay.milliseconds(atPercentile: percentile) ?? 0
                    )
                    #expect(a <= b, "viewer \(viewer.index) at \(percentile) %")
                }
            }
            let means = viewers.prefix(3).map {
                $0.probe!.renditions[0].published.meanMilliseconds ?? 0
            }
            // A part is published before its segment is.
            #expect(means[0] < means[1] && means[2] < means[1], "\(means)")
        }
    }

    /// A server that is not there, and one that goes away.
    @Test func brokenServers() async throws {
        let gone = try HLSViewerPool(
            [HLSViewerSpec(index: 0, url: "http://127.0.0.1:1/x.m3u8")], options: .init())
        gone.start(atNanoseconds: Clock.monotonicNanoseconds(), window: nil)
        try await Task.sleep(for: .milliseconds(300))
        let report = await gone.stop()
        #expect(report.viewers[0].requests.broken >= 1)
        #expect(report.viewers[0].playback.segments == 0)
        #expect(throws: (any Error).self) {
            _ = try HLSViewerPool(
                [HLSViewerSpec(index: 0, url: "http://nowhere.invalid/x.m3u8")], options: .init())
        }
    }
}
