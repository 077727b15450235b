import HLS
import Media
import NIOCore
import NIOEmbedded
import RTMP
import SimulationKernel
import TestServer
import Testing

@testable import Server

/// Ended and shrunken streams give back the memory of HLS.
@Suite(.timeLimit(.minutes(1))) struct HLSMemoryTests {
    private let loop = EmbeddedEventLoop()

    private func origin(_ configure: (inout ServerLimits) -> Void) -> HLSOrigin {
        var limits = ServerLimits()
        configure(&limits)
        var configuration = HLSConfiguration()
        configuration.segmentSeconds = 1
        return HLSOrigin(configuration, limits: limits, logger: quiet)
    }

    /// Configurations, and ten seconds of a stream of a megabyte a second.
    private static let units: [MediaUnit] = {
        let spec = SyntheticSpec(
            width: 160, height: 96, framesPerSecond: 10, gopFrames: 10,
            totalBitrate: Bitrate(kilobitsPerSecond: 8_000))
        let writer = ChunkWriter(chunkSize: 65536)
        func unit(_ time: UInt32, _ payload: ByteBuffer) -> MediaUnit? {
            let message = Message(
                chunkStreamID: 6, timestamp: time, type: .video, messageStreamID: 1,
                payload: payload)
            return try? MediaUnit(message, writer: writer)
        }
        guard var source = try? SyntheticSource(spec: spec), let header = source.videoSequenceHeader
        else { return [] }
        var units = [unit(0, header)]
        for _ in 0..<100 {
            guard let frame = source.next() else { break }
            units.append(unit(frame.timestamp, frame.payload))
        }
        return units.compactMap(\.self)
    }()

    private func bytes(_ origin: HLSOrigin) -> Int {
        origin.streams.values.reduce(0) { $0 + $1.byteCount }
    }

    /// One stream after the other ends: together they keep to the limit.
    @Test func endedStreamsKeepToTheLimit() {
        let origin = origin { $0.hlsBytes = 16 << 20 }
        var most = 0
        for number in 0..<20 {
            let stream = origin.publisherStarted("live/s\(number)")
            origin.deliver(Self.units, to: stream)
            origin.publisherEnded(stream, on: loop)
            most = max(most, bytes(origin))
        }
        #expect(most > 4 << 20)
        #expect(most <= 24 << 20, "\(most >> 20) MiB")
    }

    /// No stream keeps the memory that was allowed when there were fewer streams, not even a silent
    /// one.
    @Test func silentStreamsGiveMemoryBack() {
        let origin = origin { $0.hlsBytes = 16 << 20 }
        var most = 0
        for number in 0..<20 {
            let stream = origin.publisherStarted("live/s\(number)")
            origin.deliver(Self.units, to: stream)
            most = max(most, bytes(origin))
        }
        #expect(most <= 24 << 20, "\(most >> 20) MiB")
    }

    /// A stream that was forgotten early frees its memory before its time.
    @Test func whatHasToGoIsGone() {
        let origin = origin { $0.streams = 1 }
        weak var first: PackagedStream?
        do {
            let stream = origin.publisherStarted("live/a")
            first = stream
            origin.deliver(Self.units, to: stream)
            origin.publisherEnded(stream, on: loop)
        }
        #expect(first != nil)
        let second = origin.publisherStarted("live/b")
        #expect(first == nil)
        // The end of its time does not end another stream of the same name.
        origin.publisherEnded(second, on: loop)
        let again = origin.publisherStarted("live/a")
        loop.advanceTime(by: .seconds(1_000))
        #expect(origin.stream("live/a") === again)
        origin.deliver(Self.units, to: again)
        #expect(origin.stream("live/a")?.facts.playlist != nil)
    }

    /// A stream is not forgotten before the first frame if its publisher comes back.
    @Test func returningStreamsStay() {
        let origin = origin { $0.streams = 1 }
        let stream = origin.publisherStarted("live/a")
        origin.deliver(Self.units, to: stream)
        origin.publisherEnded(stream, on: loop)
        _ = origin.publisherStarted("live/a")
        let other = origin.publisherStarted("live/b")
        #expect(origin.stream("live/a") === stream)
        origin.publisherEnded(other, on: loop)
        #expect(origin.stream("live/a") === stream)
    }
}
