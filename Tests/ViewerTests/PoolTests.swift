import Logging
import Media
import NIOCore
import NIOPosix
import Netem
import Publisher
import Server
import SimulationKernel
import Sockets
import Statistics
import Testing

@testable import Viewer

/// Load viewers and probes, publisher and relay, all in this process.
@Suite(.timeLimit(.minutes(2))) struct PoolTests {
    private static let source = SyntheticSpec(
        width: 160, height: 90, framesPerSecond: 25, gopFrames: 10,
        totalBitrate: Bitrate(kilobitsPerSecond: 400), audioBitrate: Bitrate(kilobitsPerSecond: 64))

    /// A run that cannot begin stops what it has not started yet.
    @Test func stopBeforeTheStartEnds() async throws {
        #expect(try await LoadViewerPool([], options: .init()).stop().viewers.isEmpty)
        #expect(try await HLSViewerPool([], options: .init()).stop().viewers.isEmpty)
    }

    /// Runs a relay with one stream for the time of `body`, which gets the start time.
    private func withStream(
        _ body: (RelayServer, PublisherPool, Int64) async throws -> Void
    ) async throws {
        var configuration = ServerConfiguration()
        configuration.rtmpPort = 0
        configuration.httpPort = 0
        let server = try await RelayServer.start(
            configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let pool = try await PublisherPool(
            [
                PublishSpec(
                    url: "rtmp://127.0.0.1:\(server.rtmpPort)/live/a", streamID: 5,
                    source: .synthetic(Self.source))
            ], options: .init())
        do {
            try await pool.connect()
            try await body(server, pool, Clock.monotonicNanoseconds() + 100_000_000)
        } catch {
            try? await pool.stop()
            try? await server.stop()
            throw error
        }
        try await pool.stop()
        try await server.stop()
    }

    private func specs(
        _ server: RelayServer, _ transport: ViewerProtocol, _ count: Int, from first: Int = 0,
        mode: LoadReadMode = .lazy, link: LinkAssignment? = nil, leave: Int64? = nil
    ) throws -> [ViewerSpec] {
        let url =
            transport == .rtmp
            ? "rtmp://127.0.0.1:\(server.rtmpPort)/live/a"
            : "http://127.0.0.1:\(try #require(server.httpPort))/live/a.flv"
        return (first..<first + count).map {
            ViewerSpec(
                index: $0, transport: transport, url: url, stream: "a", rendition: "x",
                joinNanoseconds: Int64($0 % 10) * 10_000_000, leaveNanoseconds: leave,
                link: link, mode: mode)
        }
    }

    private func waitUntil(_ moment: Int64) async throws {
        while Clock.monotonicNanoseconds() < moment {
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Lazy, prompt, RTMP and HTTP-FLV viewers of one stream count the same: what the publisher
    /// sent in the window, give or take what is under way at its two edges.
    @Test func loadViewersCountWhatWasSent() async throws {
        try await withStream { server, publishers, start in
            let specs =
                try specs(server, .rtmp, 5) + specs(server, .rtmp, 5, from: 10, mode: .prompt)
                + specs(server, .httpFLV, 5, from: 20)
                + specs(server, .httpFLV, 5, from: 30, mode: .prompt)
            let pool = try LoadViewerPool(specs, options: .init())
            let window = Window(
                startNanoseconds: start + 1_000_000_000, endNanoseconds: start + 3_000_000_000)
            publishers.setWindow(window)
            publishers.start(atNanoseconds: start)
            pool.start(atNanoseconds: start, window: window)
            try await waitUntil(window.endNanoseconds + 200_000_000)
            let sent = try #require(try await publishers.report().streams.first)
            let report = await pool.stop()
            #expect(report.viewers.count == 20)
            #expect(report.playing == 20)
            #expect(report.failed == 0)
            #expect(sent.windowFrames == 50)
            let late = Int((report.lag.maximumMilliseconds ?? 0) / 40)
            for viewer in report.viewers {
                #expect(viewer.failure == nil)
                #expect(viewer.localPort > 0)
                #expect(viewer.firstMediaNanoseconds ?? 0 > 0)
                // A frame at an edge may be counted on either side: one, or as many as come while
                // the viewers' loop is late.
                #expect(abs(viewer.window.videoMessages - sent.windowFrames) <= 3 + late)
                #expect(abs(viewer.window.audioMessages - sent.windowAudioFrames) <= 6 + 2 * late)
                #expect(viewer.window.receivedBytes > viewer.window.payloadBytes)
                let ratio = Double(viewer.window.payloadBytes) / Double(sent.windowPayloadBytes)
                #expect(ratio > 0.85 && ratio < 1.15, "\(ratio)")
            }
        }
    }

    @Test func probesReceiveEveryFrame() async throws {
        try await withStream { server, publishers, start in
            let specs = try specs(server, .rtmp, 3) + specs(server, .httpFLV, 3, from: 10)
            let pool = try ProbePool(specs, congestionControl: nil)
            let window = Window(
                startNanoseconds: start + 1_000_000_000, endNanoseconds: start + 3_000_000_000)
            publishers.setWindow(window)
            publishers.start(atNanoseconds: start)
            // They join late, so that the GOP cache holds something.
            pool.start(atNanoseconds: start + 500_000_000, window: window)
            try await waitUntil(window.endNanoseconds + 300_000_000)
            let sent = try #require(try await publishers.report().streams.first)
            let interval = try await pool.interval()
            #expect(interval.playing == 6)
            #expect(interval.failed == 0)
            for key in ["a/x/rtmp", "a/x/http-flv"] {
                #expect(interval.delay[key]?.count == 3 * sent.windowFrames)
            }
            let report = try await pool.stop()
            #expect(report.viewers.map(\.index) == [0, 1, 2, 10, 11, 12])
            for viewer in report.viewers {
                #expect(viewer.failure == nil)
                #expect(viewer.streamID == 5)
                #expect(viewer.windowFrames == sent.windowFrames)
                #expect(viewer.firstWindowFrame == sent.windowFirstFrame)
                #expect(viewer.lastWindowFrame == sent.windowLastFrame)
                #expect(viewer.missingFrames == 0)
                #expect(viewer.duplicateFrames == 0)
                #expect(viewer.joinBurstFrames >= 1)
                #expect(viewer.joinBurstFrames <= 10)
                #expect(viewer.delay.count == sent.windowFrames)
                #expect(viewer.delay.negativeCount == 0)
                #expect(viewer.frames.count == sent.windowFrames)
                #expect(viewer.startupNanoseconds ?? 0 > 0)
            }
        }
    }

    /// Viewers that come and go inside the window count all they got; those that left before it
    /// count nothing. Lazy ones too, though the window is over before they would next wake.
    @Test func sessionsInsideTheWindow() async throws {
        try await withStream { server, publishers, start in
            let second: Int64 = 1_000_000_000
            var specs =
                try specs(server, .rtmp, 2, leave: 900_000_000) + specs(server, .rtmp, 2, from: 10)
                + specs(server, .httpFLV, 2, from: 20)
            for i in specs.indices where specs[i].index >= 10 {
                specs[i].joinNanoseconds = 1_500_000_000
                specs[i].leaveNanoseconds = 2_500_000_000
            }
            let pool = try LoadViewerPool(specs, options: .init())
            let window = Window(
                startNanoseconds: start + second, endNanoseconds: start + 3 * second)
            publishers.start(atNanoseconds: start)
            pool.start(atNanoseconds: start, window: window)
            try await waitUntil(window.endNanoseconds + 100_000_000)
            let report = await pool.stop()
            #expect(report.windowLag.count > 0)
            #expect(report.windowLag.count <= 41)
            for viewer in report.viewers {
                #expect(viewer.failure == nil)
                #expect(viewer.total.payloadBytes > 0)
                #expect(viewer.endedAtNanoseconds != nil)
                #expect(
                    viewer.window.payloadBytes
                        == (viewer.index < 10 ? 0 : viewer.total.payloadBytes))
            }
        }
    }

    /// Both kinds of viewers count from the attempt to the first message; a low-water mark must not
    /// hold that back, though the stream takes a second to fill it.
    @Test func startupIsTheFirstMessage() async throws {
        try await withStream { server, publishers, start in
            let load = try LoadViewerPool(
                try specs(server, .rtmp, 1) + specs(server, .httpFLV, 1, from: 10), options: .init()
            )
            let probes = try ProbePool(try specs(server, .rtmp, 1), congestionControl: nil)
            publishers.start(atNanoseconds: start)
            load.start(atNanoseconds: start + 300_000_000, window: nil)
            probes.start(atNanoseconds: start + 300_000_000, window: nil)
            try await waitUntil(start + 1_200_000_000)
            let all =
                await load.stop().viewers.map {
                    ($0.askedAtNanoseconds ?? 0, $0.firstMediaNanoseconds)
                }
                + (try await probes.stop().viewers.map {
                    ($0.askedAtNanoseconds, $0.firstMediaNanoseconds)
                })
            #expect(all.count == 3)
            for (asked, first) in all {
                #expect(asked >= start + 300_000_000)
                #expect(try #require(first) > 0)
            }
        }
    }

    /// A slow link carries no more than its rate; the stream has three times that.
    @Test func rateLimit() async throws {
        try await withStream { server, publishers, start in
            let rate = Bitrate(kilobitsPerSecond: 120)
            let specs =
                try specs(server, .rtmp, 2, link: .init(link: 0))
                + specs(server, .httpFLV, 2, from: 10, link: .init(link: 0))
            var options = LoadViewerPool.Options()
            options.links = [ViewerLink(rate: RateSchedule(constant: rate), headerBytes: 0)]
            let pool = try LoadViewerPool(specs, options: options)
            publishers.start(atNanoseconds: start)
            pool.start(atNanoseconds: start, window: nil)
            try await waitUntil(start + 3_000_000_000)
            let report = await pool.stop()
            let seconds = Double(Clock.monotonicNanoseconds() - start) / 1e9
            for viewer in report.viewers {
                #expect(viewer.failure == nil)
                let most = Double(rate.bitsPerSecond) / 8 * seconds
                #expect(Double(viewer.total.receivedBytes) <= most)
                #expect(Double(viewer.total.receivedBytes) > most / 4)
            }
        }
    }

    /// Behind a link of 30 ms each way a viewer starts after the round trips of TCP, of the RTMP
    /// handshake and of its commands, and sees every frame at least 30 ms late.
    @Test func delayedLink() async throws {
        try await withStream { server, publishers, start in
            let rtmp = try specs(server, .rtmp, 1, link: .init(link: 0))
            let http = try specs(server, .httpFLV, 1, from: 10, link: .init(link: 0))
            let link = ViewerLink(
                rate: RateSchedule(constant: Bitrate(kilobitsPerSecond: 20_000)),
                delay: DelayModel(nanoseconds: 30_000_000))
            var options = LoadViewerPool.Options()
            options.links = [link]
            let load = try LoadViewerPool(rtmp + http, options: options)
            let probes = try ProbePool(rtmp + http, congestionControl: nil, links: [link])
            publishers.start(atNanoseconds: start)
            let window = Window(
                startNanoseconds: start + 1_500_000_000, endNanoseconds: start + 3_000_000_000)
            load.start(atNanoseconds: start, window: window)
            probes.start(atNanoseconds: start, window: window)
            try await waitUntil(window.endNanoseconds + 300_000_000)
            for viewer in await load.stop().viewers {
                #expect(viewer.failure == nil)
                // TCP 60 ms, then at least one request and its answer.
                #expect(try #require(viewer.firstMediaNanoseconds) >= 120_000_000)
                #expect(viewer.total.videoMessages > 0 && viewer.modelledStalls == 0)
            }
            for viewer in try await probes.stop().viewers {
                #expect(viewer.failure == nil && viewer.windowFrames > 0)
                #expect(viewer.missingFrames == 0)
                #expect(try #require(viewer.firstMediaNanoseconds) >= 120_000_000)
                #expect(try #require(viewer.delay.milliseconds(atPercentile: 1)) >= 29)
            }
        }
    }

    @Test func churn() async throws {
        try await withStream { server, publishers, start in
            let load = try LoadViewerPool(
                try specs(server, .rtmp, 3, leave: 3_000_000_000)
                    + specs(server, .httpFLV, 2, from: 10), options: .init())
            let probes = try ProbePool(
                try specs(server, .rtmp, 1, leave: 3_000_000_000)
                    + specs(server, .httpFLV, 1, from: 10), congestionControl: nil)
            publishers.start(atNanoseconds: start)
            load.start(atNanoseconds: start, window: nil)
            probes.start(atNanoseconds: start, window: nil)
            var most = 0
            var status = ServerStatus.Stream?.none
            let deadline = start + 20_000_000_000
            repeat {
                try await Task.sleep(for: .milliseconds(10))
                status = try await server.status().streams.first
                most = max(most, status?.rtmpSubscribers ?? 0)
            } while (most < 4 || status?.rtmpSubscribers != 0)
                && Clock.monotonicNanoseconds() < deadline
            #expect(most == 4)
            #expect(status?.rtmpSubscribers == 0)
            #expect(status?.flvSubscribers == 3)
            let probed = try await probes.stop()
            #expect(probed.viewers.count == 2)
            #expect(probed.viewers.allSatisfy { $0.failure == nil })
            #expect(await load.stop().viewers.allSatisfy { $0.failure == nil })
        }
    }

    /// What a server may do wrong, and what is said about it.
    @Test(
        arguments: [
            (ViewerProtocol.rtmp, nil, "connect"), (.httpFLV, nil, "connect"),
            (.rtmp, "", "closed"), (.httpFLV, "", "closed"),
            (.rtmp, "HTTP/1.1 400 Bad Request\r\n\r\n", "not RTMP"),
            (.httpFLV, "HTTP/1.1 404 Not Found\r\n\r\n", "404"),
            (.httpFLV, "HTTP/1.1 200 OK\r\n\r\nno media at all", "FLV"),
        ] as [(ViewerProtocol, String?, String)])
    func failingServers(_ transport: ViewerProtocol, _ answer: String?, _ reason: String)
        async throws
    {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answer(text: answer ?? ""))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        defer { listener.close(promise: nil) }
        // Nobody has port 1.
        let port = answer == nil ? 1 : try #require(listener.localAddress?.port)
        let spec = ViewerSpec(
            index: 0, transport: transport,
            url: transport == .rtmp
                ? "rtmp://127.0.0.1:\(port)/live/a" : "http://127.0.0.1:\(port)/live/a.flv")
        let load = try LoadViewerPool([spec], options: .init())
        let probes = try ProbePool([spec], congestionControl: nil)
        let start = Clock.monotonicNanoseconds()
        load.start(atNanoseconds: start, window: nil)
        probes.start(atNanoseconds: start, window: nil)
        var failed = [0, 0]
        while failed != [1, 1], Clock.monotonicNanoseconds() < start + 20_000_000_000 {
            try await Task.sleep(for: .milliseconds(5))
            failed = [load.interval().failed, try await probes.interval().failed]
        }
        #expect(failed == [1, 1])
        let reasons = [
            await load.stop().viewers.first?.failure,
            try await probes.stop().viewers.first?.failure,
        ]
        for text in reasons { #expect(text?.contains(reason) == true, "\(text ?? "nil")") }
    }

    @Test func unknownCongestionControl() async throws {
        try await withStream { server, _, start in
            var options = LoadViewerPool.Options()
            options.congestionControl = "nosuch"
            let load = try LoadViewerPool(try specs(server, .rtmp, 1), options: options)
            let probes = try ProbePool(try specs(server, .rtmp, 1), congestionControl: "nosuch")
            load.start(atNanoseconds: start, window: nil)
            probes.start(atNanoseconds: start, window: nil)
            var failed = [0, 0]
            while failed != [1, 1], Clock.monotonicNanoseconds() < start + 20_000_000_000 {
                try await Task.sleep(for: .milliseconds(5))
                failed = [load.interval().failed, try await probes.interval().failed]
            }
            let reasons = [
                await load.stop().viewers.first?.failure,
                try await probes.stop().viewers.first?.failure,
            ]
            for text in reasons {
                #expect(text?.contains("congestion control 'nosuch'") == true, "\(text ?? "nil")")
            }
        }
    }

    @Test func wrongURLs() {
        for (transport, url) in [
            (ViewerProtocol.rtmp, "http://h/live/a"), (.httpFLV, "rtmp://h/live/a"),
            (.httpFLV, "ftp://h/live/a.flv"), (.rtmp, "rtmp://h:99999/live/a"),
        ] {
            let spec = ViewerSpec(index: 0, transport: transport, url: url)
            #expect(throws: (any Error).self) { try LoadViewerPool([spec], options: .init()) }
            #expect(throws: (any Error).self) { try ProbePool([spec], congestionControl: nil) }
        }
    }
}

/// Says one thing on each connection; closes it where that is nothing.
private final class Answer: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let text: String

    init(text: String) { self.text = text }

    func channelActive(context: ChannelHandlerContext) {
        if text.isEmpty {
            context.close(promise: nil)
        } else {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        }
    }
}
