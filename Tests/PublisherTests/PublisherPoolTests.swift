import Media
import NIOCore
import NIOPosix
import Server
import SimulationKernel
import Sockets
import Statistics
import TestServer
import TestSupport
import Testing

@testable import Publisher

@Suite(.timeLimit(.minutes(2))) struct PublisherPoolTests {
    static let spec = SyntheticSpec(
        width: 160, height: 90, framesPerSecond: 25, gopFrames: 10,
        totalBitrate: Bitrate(kilobitsPerSecond: 300),
        audioBitrate: Bitrate(kilobitsPerSecond: 64))

    private func publishSpec(
        _ server: RelayServer, _ name: String = "a", id: UInt32 = 7, phase: Int64 = 0
    ) -> PublishSpec {
        PublishSpec(
            url: "rtmp://127.0.0.1:\(server.rtmpPort)/live/\(name)", streamID: id,
            source: .synthetic(Self.spec), phaseNanoseconds: phase)
    }

    /// Runs a pool for the time of `body`.
    private func withPool(
        _ specs: [PublishSpec], _ options: PublisherOptions = .init(),
        _ body: (PublisherPool) async throws -> Void
    ) async throws {
        let pool = try await PublisherPool(specs, options: options)
        do {
            try await pool.connect()
            try await body(pool)
        } catch {
            try? await pool.stop()
            throw error
        }
        try await pool.stop()
    }

    /// What comes out of the relay is the source's frames, byte by byte, each with a stamp that
    /// says its number and exactly the time that the schedule meant. A stamp may lie in the first
    /// chunk of its message or in several chunks.
    @Test(arguments: [0, 17_000_000] as [Int64], [4096, 64, 16])
    func framesStampsAndSchedule(phase: Int64, chunkSize: Int) async throws {
        try await withServer { server in
            let download = try FLVDownload(server, "/live/a.flv")
            var options = PublisherOptions()
            options.chunkSize = chunkSize
            try await withPool([publishSpec(server, phase: phase)], options) { pool in
                let start = Clock.monotonicNanoseconds() + 50_000_000
                pool.start(atNanoseconds: start)
                var source = try SyntheticSource(spec: Self.spec)
                for number in 0..<40 as Range<UInt64> {
                    // Audio in between; the source has the same order.
                    let first = source.next()
                    var expected = try #require(first)
                    while expected.kind == .audio {
                        let tag = try #require(try await download.frame())
                        #expect(tag.payload == expected.payload)
                        #expect(tag.timestamp == expected.timestamp)
                        let following = source.next()
                        expected = try #require(following)
                    }
                    let tag = try #require(try await download.frame())
                    let arrival = Clock.monotonicNanoseconds()
                    let stamp = try #require(
                        FrameStamp.find(
                            inVideoPayload: tag.payload,
                            nalUnitLengthSize: source.nalUnitLengthSize))
                    #expect(stamp.streamID == 7)
                    #expect(stamp.frameNumber == number)
                    #expect(stamp.intendedNanoseconds == start + phase + expected.dtsNanoseconds)
                    let sent =
                        stamp.intendedNanoseconds + Int64(stamp.latenessMicroseconds) * 1000
                    #expect(sent <= arrival)
                    #expect(tag.timestamp == expected.timestamp)
                    expected.stamp(stamp, nalUnitLengthSize: source.nalUnitLengthSize)
                    #expect(tag.payload == expected.payload)
                }
            }
        }
    }

    /// Frames, audio frames and payload of a window, exactly as the source has them.
    @Test(arguments: [1, 2]) func windowCounts(threads: Int) async throws {
        try await withServer { server in
            var options = PublisherOptions()
            options.threads = threads
            let specs = (0..<4).map {
                publishSpec(server, "s\($0)", id: UInt32($0), phase: Int64($0) * 3_000_000)
            }
            try await withPool(specs, options) { pool in
                let start = Clock.monotonicNanoseconds() + 50_000_000
                let window = Window(
                    startNanoseconds: start + 200_000_000, endNanoseconds: start + 1_200_000_000)
                pool.setWindow(window)
                pool.start(atNanoseconds: start)
                var lateness = DelayHistogram()
                var report = try await pool.report()
                lateness.add(report.lateness)
                try await eventually("the window is over") {
                    report = try await pool.report()
                    lateness.add(report.lateness)
                    return report.streams.allSatisfy { $0.framesSent >= 35 }
                }
                #expect(report.streams.map(\.streamID) == [0, 1, 2, 3])
                var frames = 0
                for (stream, spec) in zip(report.streams, specs) {
                    var source = try SyntheticSource(spec: Self.spec)
                    var expected = (video: 0, audio: 0, bytes: 0)
                    while let frame = source.next() {
                        let intended = start + spec.phaseNanoseconds + frame.dtsNanoseconds
                        if intended >= window.endNanoseconds { break }
                        guard window.contains(intended) else { continue }
                        if frame.kind == .video { expected.video += 1 } else { expected.audio += 1 }
                        expected.bytes += frame.payload.readableBytes
                    }
                    #expect(stream.windowFrames == expected.video)
                    #expect(stream.windowAudioFrames == expected.audio)
                    #expect(stream.windowPayloadBytes == expected.bytes)
                    let first = try #require(stream.windowFirstFrame)
                    let last = try #require(stream.windowLastFrame)
                    #expect(Int(last - first) + 1 == expected.video)
                    #expect(stream.framesNotSent == 0)
                    #expect(stream.isConnected)
                    frames += expected.video + expected.audio
                }
                #expect(report.windowLateness.count == frames)
                // Nothing goes out before its time.
                #expect(lateness.negativeCount == 0)
                #expect(lateness.count >= frames)
            }
        }
    }

    /// The numbers go on, what could not be sent is counted, and the stream begins again with a
    /// key frame.
    @Test func reconnectsAfterACut() async throws {
        try await withServer { server in
            let download = try FLVDownload(server, "/live/a.flv")
            try await withPool([publishSpec(server)]) { pool in
                pool.start(atNanoseconds: Clock.monotonicNanoseconds() + 20_000_000)
                var tags: [FLVTag] = []
                func stamps() -> [FrameStamp] {
                    tags.compactMap {
                        FrameStamp.find(inVideoPayload: $0.payload, nalUnitLengthSize: 4)
                    }
                }
                func read(_ count: Int) async throws {
                    while stamps().count < count {
                        let tag = try #require(try await download.frame())
                        if tag.type == .video { tags.append(tag) }
                    }
                }
                try await read(14)
                #expect(cutConnections(acceptedOn: server.rtmpPort) == 1)
                try await read(40)
                let report = try #require(try await pool.report().streams.first)
                #expect(report.reconnects >= 1)
                #expect(report.isConnected)
                #expect(report.failure == nil)
                #expect(report.framesNotSent >= 1)
                let numbers = stamps().map(\.frameNumber)
                #expect(numbers == numbers.sorted())
                #expect(Set(numbers).count == numbers.count)
                let gaps = zip(numbers, numbers.dropFirst()).filter { $1 != $0 + 1 }
                #expect(gaps.count == 1)
                let gap = try #require(gaps.first)
                #expect(gap.1 % 10 == 0, "goes on at frame \(gap.1), which is no key frame")
                #expect(Int(gap.1 - gap.0) - 1 >= report.framesNotSent)
                #expect(report.framesSent + report.framesNotSent >= Int(numbers.last!) + 1)
                let times = tags.map(\.timestamp)
                #expect(times == times.sorted())
            }
        }
    }

    @Test func refusalsSayWhy() async throws {
        try await withServer {
            $0.streamKeys = ["guarded:s3cret"]
        } _: { server in
            for (name, reason) in [
                ("other", "NetStream.Publish.Denied"), ("guarded", "NetStream.Publish.Denied"),
            ] {
                let pool = try await PublisherPool([publishSpec(server, name)], options: .init())
                let error = await #expect(throws: PublisherError.self) { try await pool.connect() }
                #expect(error?.description.contains(reason) == true)
                #expect(error?.isFinal == true)
                let report = try #require(try await pool.report().streams.first)
                #expect(report.failure?.contains(reason) == true)
                #expect(report.reconnects == 0)
                try await pool.stop()
            }
            try await withPool([publishSpec(server, "guarded?key=s3cret")]) { _ in
                #expect(try await server.status().streams.first?.name == "live/guarded")
                let second = try await PublisherPool(
                    [publishSpec(server, "guarded?key=s3cret")], options: .init())
                let error = await #expect(throws: PublisherError.self) {
                    try await second.connect()
                }
                #expect(error?.description.contains("already published") == true)
                try await second.stop()
            }
        }
    }

    @Test func nobodyListens() async throws {
        // Port 1 (tcpmux) is in nobody's range of free ports.
        let spec = PublishSpec(
            url: "rtmp://127.0.0.1:1/live/a", streamID: 1, source: .synthetic(Self.spec))
        let pool = try await PublisherPool([spec], options: .init())
        let error = await #expect(throws: PublisherError.self) { try await pool.connect() }
        #expect(error?.description.contains("cannot connect to 127.0.0.1:") == true)
        #expect(error?.isFinal == false)
        try await pool.stop()
    }

    /// A server that accepts and then says nothing is left after the timeout.
    @Test func silentServer() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let closed = loop.makePromise(of: Void.self)
        let listener = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.closeFuture.cascade(to: closed)
                return channel.eventLoop.makeSucceededVoidFuture()
            }.bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        var options = PublisherOptions()
        options.connectTimeoutMilliseconds = 200
        let pool = try await PublisherPool(
            [
                PublishSpec(
                    url: "rtmp://127.0.0.1:\(port)/live/a", streamID: 1,
                    source: .synthetic(Self.spec))
            ], options: options)
        let error = await #expect(throws: PublisherError.self) { try await pool.connect() }
        #expect(error?.description.contains("did not let us publish in 200 ms") == true)
        // Before the pool stops.
        try await closed.futureResult.get()
        try await pool.stop()
        try await listener.close()
    }

    @Test func impossibleSpecs() async throws {
        for spec in [
            PublishSpec(
                url: "http://127.0.0.1/live/a", streamID: 1, source: .synthetic(Self.spec)),
            PublishSpec(
                url: "rtmp://127.0.0.1/live/a", streamID: 1, source: .file(path: "/no/file.flv")),
            PublishSpec(
                url: "rtmp://127.0.0.1/live/a", streamID: 1,
                source: .synthetic(SyntheticSpec(width: 160, height: 90))),
        ] {
            await #expect(throws: (any Error).self) {
                _ = try await PublisherPool([spec], options: .init())
            }
        }
    }
}
