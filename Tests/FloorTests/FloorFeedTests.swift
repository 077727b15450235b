import Media
import NIOCore
import RTMP
import SimulationKernel
import Testing

@testable import Floor

/// The batches of a stream, without a socket and without a clock.
@Suite struct FloorFeedTests {
    private static let start: Int64 = 5_000_000_000

    private func feed(
        flush: Int, _ change: (inout FloorStream) -> Void = { _ in }
    ) throws -> FloorFeed {
        var stream = FloorStream(name: "a", streamID: 9, source: FloorServerTests.source)
        change(&stream)
        var configuration = FloorConfiguration(streams: [stream])
        configuration.flushIntervalMilliseconds = flush
        return try FloorFeed(
            stream, source: SyntheticSource(spec: stream.source), configuration: configuration)
    }

    /// Returns the messages in bytes that a floor sender would send with chunks of 64 KiB.
    private func messages(_ bytes: ByteBuffer) throws -> [Message] {
        var reader = ChunkReader()
        var sizes = ByteBuffer()
        ChunkWriter().write(.setChunkSize(65536), into: &sizes)
        reader.append(sizes)
        reader.append(bytes)
        var all: [Message] = []
        while let message = try reader.next() {
            if message.type.isMedia { all.append(message) }
        }
        return all
    }

    @Test func nothingIsDueBeforeTheStart() throws {
        var feed = try feed(flush: 0)
        #expect(feed.dueNanoseconds == nil)
        feed.begin(atNanoseconds: Self.start)
        #expect(feed.dueNanoseconds == Self.start)
        // A second start changes nothing.
        feed.begin(atNanoseconds: 1)
        #expect(feed.dueNanoseconds == Self.start)
    }

    /// Players may begin where the publisher's key frames are.
    @Test func keyFramesOfAShortFirstGroup() throws {
        var feed = try feed(flush: 0) { $0.firstGroupFrames = 4 }
        feed.begin(atNanoseconds: Self.start)
        let beginnings = (0..<30).filter { _ in feed.take().beginning != nil }
        #expect(beginnings == [0, 4, 14, 24])
    }

    /// Each batch is one frame and the audio before it, on the publisher's schedule.
    @Test func oneFrameForEachFlush() throws {
        var feed = try feed(flush: 0) { $0.phaseNanoseconds = 3_000_000 }
        feed.begin(atNanoseconds: Self.start)
        var source = try SyntheticSource(spec: FloorServerTests.source)
        for number in 0..<30 as Range<UInt64> {
            let intended = Self.start + 3_000_000 + Int64(number) * 40_000_000
            #expect(feed.dueNanoseconds == intended)
            let batch = feed.take()
            #expect(batch.frames == 1)
            #expect((batch.beginning != nil) == (number % 10 == 0))
            #expect(batch.framesFromBeginning == (number % 10 == 0 ? 1 : 0))
            let all = try messages(batch.bytes)
            #expect(all.count { $0.type == .video } == 1)
            let last = try #require(all.last)
            #expect(last.type == .video && last.messageStreamID == 1)
            let stamp = try #require(
                FrameStamp.find(inVideoPayload: last.payload, nalUnitLengthSize: 4))
            #expect(
                stamp
                    == FrameStamp(
                        streamID: 9, frameNumber: number, intendedNanoseconds: intended))
            for message in all {
                let next = source.next()
                let expected = try #require(next)
                #expect(message.timestamp == expected.timestamp)
                #expect(message.payload.readableBytes == expected.payload.readableBytes)
                #expect((message.type == .video) == (expected.kind == .video))
            }
            if let beginning = batch.beginning {
                var rest = batch.bytes
                rest.moveReaderIndex(forwardBy: beginning)
                #expect(try messages(rest).first?.type == .video)
            }
        }
    }

    /// A batch is everything of its interval, and a player begins at the key frame inside.
    @Test func mergedFlushes() throws {
        var feed = try feed(flush: 120)
        feed.begin(atNanoseconds: Self.start)
        var frames = 0
        for flush in 0..<20 {
            #expect(feed.dueNanoseconds == Self.start + Int64(flush) * 120_000_000)
            let batch = feed.take()
            #expect(batch.frames == (flush == 0 ? 1 : 3))
            let keys = (frames..<frames + batch.frames).filter { $0 % 10 == 0 }
            #expect((batch.beginning != nil) == !keys.isEmpty)
            if let key = keys.first, let beginning = batch.beginning {
                #expect(batch.framesFromBeginning == frames + batch.frames - key)
                var rest = batch.bytes
                rest.moveReaderIndex(forwardBy: beginning)
                let first = try #require(try messages(rest).first)
                #expect(VideoTagHeader.parse(first.payload)?.isKeyFrame == true)
            }
            frames += batch.frames
        }
        #expect(frames == 58)
    }

    /// A flush between two frames may be empty.
    @Test func emptyFlushes() throws {
        var feed = try feed(flush: 10) {
            $0.source.audioBitrate = nil
            $0.source.totalBitrate = Bitrate(kilobitsPerSecond: 400)
        }
        feed.begin(atNanoseconds: Self.start)
        let sizes = (0..<8).map { _ in feed.take().bytes.readableBytes }
        #expect(sizes.map { $0 > 0 } == [true, false, false, false, true, false, false, false])
    }

    /// Without video a player may begin at any batch.
    @Test func audioAlone() throws {
        var feed = try feed(flush: 0) {
            $0.source = SyntheticSpec(
                width: 0, height: 0, audioBitrate: Bitrate(kilobitsPerSecond: 64))
        }
        feed.begin(atNanoseconds: Self.start)
        for _ in 0..<10 {
            let batch = feed.take()
            #expect(batch.beginning == 0 && batch.frames == 0)
            #expect(try messages(batch.bytes).map(\.type) == [.audio])
        }
    }

    @Test func headersComeFirst() throws {
        let all = try messages(try feed(flush: 0).headers)
        #expect(all.map(\.type) == [.dataAMF0, .video, .audio])
        #expect(VideoTagHeader.parse(all[1].payload)?.isSequenceHeader == true)
    }

    /// A queue counts its parts and hands them out in order.
    @Test func queues() {
        var queue = FloorQueue()
        #expect(queue.isEmpty && queue.cost == 0)
        #expect(queue.hasRoom(for: 744, limit: 1000) && !queue.hasRoom(for: 745, limit: 1000))
        #expect(!queue.hasRoom(for: 1, limit: 10))
        queue.append(ByteBuffer(string: "abc"))
        queue.append(ByteBuffer())
        queue.append(ByteBuffer(string: "de"))
        #expect(queue.cost == 5 + 2 * 256)
        queue.advance(by: 2)
        #expect(queue.first == ByteBuffer(string: "c"))
        queue.advance(by: 9)
        #expect(queue.first == ByteBuffer(string: "de"))
        queue.advance(by: 2)
        queue.advance(by: 1)
        #expect(queue.isEmpty && queue.cost == 0)
    }
}
