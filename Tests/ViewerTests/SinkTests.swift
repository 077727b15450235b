import Media
import NIOCore
import NIOPosix
import RTMP
import Server
import SimulationKernel
import Sockets
import Statistics
import TestServer
import TestSupport
import Testing

@testable import Publisher
@testable import Viewer

/// Sinks, publishers and a relay, all in this process.
@Suite(.timeLimit(.minutes(2))) struct SinkTests {
    private static let source = SyntheticSpec(
        width: 160, height: 90, framesPerSecond: 25, gopFrames: 10,
        totalBitrate: Bitrate(kilobitsPerSecond: 400), audioBitrate: Bitrate(kilobitsPerSecond: 64))

    private static var anyStream: SinkOptions {
        var options = SinkOptions()
        options.takesAny = true
        return options
    }

    /// Runs a sink for the time of `body`, and returns the sink's report.
    private func report(
        _ specs: [SinkSpec] = [], _ options: SinkOptions = SinkTests.anyStream,
        _ body: (SinkPool) async throws -> Void
    ) async throws -> SinkReport {
        let sink = try await SinkPool.listen(specs, options: options)
        do {
            try await body(sink)
        } catch {
            _ = try? await sink.stop()
            throw error
        }
        return try await sink.stop()
    }

    /// Publishes a stream for the time of `body`.
    private func withPublisher(
        _ url: String, _ body: (PublisherPool) async throws -> Void
    ) async throws {
        let pool = try await PublisherPool(
            [PublishSpec(url: url, streamID: 5, source: .synthetic(Self.source))], options: .init())
        do {
            try await pool.connect()
            try await body(pool)
        } catch {
            try? await pool.stop()
            throw error
        }
        try await pool.stop()
    }

    private func waitUntilEmpty(_ sink: SinkPool) async throws {
        try await eventually("the connections have ended") {
            try await sink.interval().connections == 0
        }
    }

    /// Publishes a stream, and waits until the sink has counted each of the 25 frames of a window.
    private func publish(_ url: String, to sink: SinkPool, key: String) async throws {
        try await withPublisher(url) { publishers in
            try await eventually("the stream is at the sink") {
                try await sink.interval().streams == 1
            }
            let start = Clock.monotonicNanoseconds() + 100_000_000
            let window = Window(
                startNanoseconds: start + 400_000_000, endNanoseconds: start + 1_400_000_000)
            sink.setWindow(window)
            publishers.setWindow(window)
            publishers.start(atNanoseconds: start)
            var counted = 0
            try await eventually("every frame of the window has come") {
                let interval = try await sink.interval()
                counted += interval.probes.delay[key]?.count ?? 0
                return counted >= 25
            }
            let sent = try #require(try await publishers.report().streams.first)
            #expect(counted == 25 && sent.windowFrames == 25)
        }
    }

    @Test(arguments: [false, true]) func `every frame is counted once`(isPushed: Bool) async throws
    {
        let spec = SinkSpec(index: 7, name: "relay0/a", stream: "a", rendition: "x")
        let report = try await report([spec], SinkOptions()) { sink in
            let target = "rtmp://127.0.0.1:\(sink.port)/relay0"
            if isPushed {
                let rules = [try PushRule("live/*=\(target)/{stream}")]
                try await withServer {
                    $0.pushes = rules
                } _: { server in
                    try await publish(
                        "rtmp://127.0.0.1:\(server.rtmpPort)/live/a", to: sink,
                        key: "a/x/rtmp-push")
                }
            } else {
                try await publish("\(target)/a", to: sink, key: "a/x/rtmp-push")
            }
            try await waitUntilEmpty(sink)
        }
        #expect(report.names == ["relay0/a"] && report.refused.isEmpty)
        let stream = try #require(report.probes.viewers.first)
        #expect(stream.index == 7 && stream.streamID == 5 && stream.failure == nil)
        #expect(stream.windowFrames == 25)
        #expect(stream.missingFrames == 0 && stream.duplicateFrames == 0)
        #expect(stream.delay.count == 25 && stream.delay.negativeCount == 0)
        #expect(stream.uncorrectedDelay.count == 25)
        #expect(stream.total.videoMessages > 25 && stream.total.audioMessages > 25)
        #expect(stream.total.receivedBytes > stream.total.payloadBytes)
        let counts = try #require(stream.pushed)
        #expect(counts.sessions == 1 && counts.reconnects == 0)
        #expect(counts.orderlyEnds == 1 && counts.cutOffs == 0)
    }

    @Test func `a stream that comes again goes on with its account`() async throws {
        let report = try await report { sink in
            for round in 1...2 {
                try await withPublisher("rtmp://127.0.0.1:\(sink.port)/live/a") { publishers in
                    publishers.start(atNanoseconds: Clock.monotonicNanoseconds())
                    try await eventually("frames have come") {
                        try await sink.interval().payloadBytes > 10_000 * round
                    }
                }
                try await waitUntilEmpty(sink)
            }
        }
        #expect(report.names == ["live/a"] && report.reconnects == 1)
        let stream = try #require(report.probes.viewers.first)
        #expect(stream.pushed?.sessions == 2 && stream.pushed?.orderlyEnds == 2)
        // Both publishers began with frame 0.
        #expect(stream.duplicateFrames > 0)
        #expect(stream.failure == nil)
    }

    @Test func `a connection that breaks is a cut-off`() async throws {
        let report = try await report { sink in
            let url = try RTMPURL("rtmp://127.0.0.1:\(sink.port)/live/a")
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            let started = loop.makePromise(of: Void.self)
            let channel = try await ClientBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let handler = PublishHandler(
                            url: url, chunkSize: 4096, started: started
                        ) { _ in }
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                }
                .connect(host: url.host, port: url.port).get()
            try await started.futureResult.get()
            try await channel.close()
            try await waitUntilEmpty(sink)
        }
        let stream = try #require(report.probes.viewers.first)
        #expect(stream.pushed?.cutOffs == 1 && stream.pushed?.orderlyEnds == 0)
        #expect(stream.failure != nil && stream.endedAtNanoseconds != nil)
    }

    @Test func `a connection too many is refused`() async throws {
        var options = Self.anyStream
        options.connectionLimit = 1
        let report = try await report([], options) { sink in
            try await withPublisher("rtmp://127.0.0.1:\(sink.port)/live/a") { _ in
                _ = await #expect(throws: (any Error).self) {
                    try await withPublisher("rtmp://127.0.0.1:\(sink.port)/live/b") { _ in }
                }
            }
        }
        #expect(report.names == ["live/a"])
        #expect(report.refused["more than 1 connections", default: 0] >= 1)
    }

    @Test func `a stream that nobody expects is refused`() async throws {
        let spec = SinkSpec(index: 0, name: "relay0/a", stream: "a", rendition: "x")
        let report = try await report([spec], SinkOptions()) { sink in
            _ = await #expect(throws: (any Error).self) {
                try await withPublisher("rtmp://127.0.0.1:\(sink.port)/relay0/b") { _ in }
            }
        }
        #expect(report.names.isEmpty)
        #expect(report.refused["the sink expects no such stream", default: 0] >= 1)
    }

    @Test func `a peer that does not speak RTMP is counted`() async throws {
        let report = try await report { sink in
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: sink.port).get()
            let request = ByteBuffer(repeating: UInt8(ascii: "G"), count: 4_000)
            channel.writeAndFlush(request, promise: nil)
            try await eventually("the peer is counted") {
                try await !sink.interval().refused.isEmpty
            }
            channel.close(promise: nil)
            try await waitUntilEmpty(sink)
        }
        #expect(report.names.isEmpty && report.refused.values.reduce(0, +) == 1)
    }

    /// A connection that is read at 8 kbit/s gets no more than that, while another one gets all.
    @Test func `a slow sink reads slowly`() async throws {
        let slow = SinkSpec(
            index: 0, name: "live/slow", stream: "slow", rendition: "x",
            readRate: Bitrate(bitsPerSecond: 8000))
        let fast = SinkSpec(index: 1, name: "live/fast", stream: "fast", rendition: "x")
        let begin = Clock.monotonicNanoseconds()
        let report = try await report([slow, fast], SinkOptions()) { sink in
            let base = "rtmp://127.0.0.1:\(sink.port)/live"
            try await withPublisher("\(base)/slow") { one in
                try await withPublisher("\(base)/fast") { other in
                    one.start(atNanoseconds: Clock.monotonicNanoseconds())
                    other.start(atNanoseconds: Clock.monotonicNanoseconds())
                    try await eventually("the fast stream has come") {
                        try await sink.interval().payloadBytes > 40_000
                    }
                }
            }
        }
        let seconds = Double(Clock.monotonicNanoseconds() - begin) / 1e9
        let streams = report.probes.viewers
        #expect(streams.map(\.index) == [0, 1])
        let (slowBytes, fastBytes) = (
            try #require(streams.first).total.receivedBytes,
            try #require(streams.last).total.receivedBytes
        )
        #expect(Double(slowBytes) <= 1000 * seconds + 1, "\(slowBytes) bytes in \(seconds) s")
        #expect(fastBytes > slowBytes)
    }

    @Test func `a link gives each byte its time`() throws {
        let second: Int64 = 1_000_000_000
        var pacer = SinkPacer(Bitrate(bitsPerSecond: 80_000), now: second)
        #expect(pacer.isEmpty && pacer.next(at: 2 * second) == nil)
        // What the link could have carried before is lost: 10,000 bytes take a second from here.
        pacer.append(ByteBuffer(repeating: 1, count: 5_000), at: 2 * second)
        let early1 = pacer.next(at: 2 * second)
        #expect(early1 == nil)
        let dueFirst = pacer.next(at: 2 * second + second / 10)
        let first = try #require(dueFirst)
        #expect(first.bytes.readableBytes == 1_000)
        #expect(abs(first.arrival - (2 * second + second / 10)) <= 1)
        let early2 = pacer.next(at: 2 * second + second / 10)
        #expect(early2 == nil)
        // A late tick gives the times of the link all the same.
        var arrivals: [Int64] = []
        var count = 0
        while let part = pacer.next(at: 10 * second) {
            arrivals.append(part.arrival)
            count += part.bytes.readableBytes
        }
        #expect(count == 4_000 && pacer.isEmpty && arrivals == arrivals.sorted())
        let last = try #require(arrivals.last)
        #expect(abs(last - (2 * second + second / 2)) <= 1)
        #expect(pacer.wantsMore)
        pacer.append(ByteBuffer(repeating: 1, count: SinkPacer.backlogLimit), at: 10 * second)
        #expect(!pacer.wantsMore)
    }
}
