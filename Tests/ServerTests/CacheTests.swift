import Media
import NIOCore
import RTMP
import Testing

@testable import Server

/// The cache for joining players has a bounded cost and holds what players need.
@Suite struct CacheTests {
    private let frames = TestFrames()
    private let writer = ChunkWriter(chunkSize: 65536)

    private func unit(_ type: MessageType, _ payload: [UInt8]) throws -> MediaUnit {
        try #require(try MediaUnit(frames.message(type, payload), writer: writer))
    }

    @Test func aLowerLimitActsAtOnce() throws {
        var cache = GOPCache(gopLimit: 1, byteLimit: 8 << 20)
        var big = frames
        big.size = 60_000
        for number in 0..<10 {
            cache.append(try #require(try MediaUnit(big.video(number), writer: writer)))
        }
        #expect(cache.byteCount > 500_000)
        cache.byteLimit = 256 << 10
        #expect(cache.byteCount == 0)
    }

    /// The list of units has room for the units of a group, and not for twice as many.
    @Test func theListFitsItsGroup() throws {
        var cache = GOPCache(gopLimit: 1, byteLimit: 8 << 20)
        let group = TestFrames(gop: 130)
        for number in 0..<390 {
            cache.append(try #require(try MediaUnit(group.video(number), writer: writer)))
        }
        #expect(cache.units.count == 130)
        #expect(cache.units.capacity < 160, "\(cache.units.capacity)")
    }

    /// Metadata and configurations are kept for players too.
    @Test func headersCost() throws {
        var cache = GOPCache(gopLimit: 1, byteLimit: 1 << 20)
        let long = [UInt8](repeating: 1, count: 240_000)
        cache.append(try unit(.video, [0x17, 0, 0, 0, 0] + long))
        cache.append(try unit(.audio, [0xAF, 0] + long))
        #expect(cache.headers.isEmpty)
        cache.append(try unit(.video, [0x17, 0, 0, 0, 0] + long.prefix(60_000)))
        #expect(cache.headers.count == 1)
        cache.byteLimit = 256 << 10
        var big = frames
        big.size = 60_000
        for number in 0..<4 {
            cache.append(try #require(try MediaUnit(big.video(number), writer: writer)))
        }
        #expect(cache.byteCount <= 196 << 10, "\(cache.byteCount)")
    }

    /// With several tracks, each has its configuration, and players join at a key frame of the main
    /// video.
    @Test func tracksHaveConfigurationsOfTheirOwn() throws {
        func video(_ track: UInt8, _ type: UInt8, key: Bool = true) throws -> MediaUnit {
            // The head has frame type and multitrack, one track and packet type, avc1, and the
            // track.
            let head: [UInt8] = [(key ? 0x90 : 0xA0) | 6, type] + Array("avc1".utf8) + [track]
            return try unit(.video, head + (type == 1 ? [0, 0, 0] : []) + [track, 7])
        }
        var cache = GOPCache(gopLimit: 1, byteLimit: 1 << 20)
        let main = try unit(.video, TestFrames.videoHeader)
        let sound = try unit(.audio, TestFrames.audioHeader)
        let second = try video(1, 0)
        for header in [sound, second, main] { cache.append(header) }
        #expect(cache.headers.map(\.payload) == [main, second, sound].map(\.payload))
        cache.append(try #require(try MediaUnit(frames.video(0), writer: writer)))
        cache.append(try video(1, 1))
        cache.append(try #require(try MediaUnit(frames.video(1), writer: writer)))
        #expect(cache.units.count == 3)
        // The headers are sent again, as encoders do: nothing is lost.
        for header in [main, second] { cache.append(header) }
        #expect(cache.units.count == 3 && cache.headers.count == 3)
    }

    /// A part of an aggregate message does not keep the whole message in memory.
    @Test func partsOfAggregatesStandAlone() throws {
        var payload = ByteBuffer()
        func part(_ type: UInt8, _ count: Int) {
            payload.writeInteger(type)
            payload.writeBytes([UInt8(count >> 16), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF)])
            payload.writeBytes([0, 0, 0, 0, 0, 0, 0, 0x17, 1, 0, 0, 0])
            payload.writeRepeatingByte(7, count: count - 5)
            payload.writeInteger(UInt32(count + 11))
        }
        part(9, 70_000)
        part(18, 4_000_000)
        let message = Message(
            chunkStreamID: 6, type: .aggregate, messageStreamID: 1, payload: payload)
        let first = try #require(try message.split().first)
        let unit = try #require(try MediaUnit(first, writer: writer))
        #expect(unit.payload.readableBytes == 70_000)
        #expect(unit.payload.storageCapacity < 200_000)
        #expect(unit.payload == first.payload)
    }

    /// A frame in the cache does not keep the long metadata of the same read in memory.
    @Test func framesStandAloneBesideLongData() throws {
        var data = ByteBuffer()
        AMF0.write(.string("onCuePoint"), into: &data)
        data.writeRepeatingByte(5, count: 60_000)
        let message = Message(
            chunkStreamID: 5, type: .dataAMF0, messageStreamID: 1, payload: data)
        func written(_ messages: [Message]) throws -> (units: [MediaUnit], chunks: ByteBuffer) {
            var units: [MediaUnit] = []
            for message in messages {
                units.append(try #require(try MediaUnit(unwritten: message)))
            }
            let chunks = MediaUnit.write(&units, writer)
            return (units, chunks)
        }
        let mixed = try written([frames.audio(0), message, frames.audio(1)])
        for unit in [mixed.units[0], mixed.units[2]] {
            #expect(unit.chunks.storageCapacity < 1000)
            #expect(unit.payload.storageCapacity < 1000)
        }
        #expect(mixed.chunks == StreamHub.joinedChunks(mixed.units))
        // Frames share one buffer, and are copied once.
        let pure = try written([frames.video(0), frames.audio(0), frames.video(1)])
        for unit in pure.units {
            #expect(unit.chunks.storageCapacity == pure.chunks.storageCapacity)
            #expect(unit.copies == 1)
        }
        #expect(pure.chunks == StreamHub.joinedChunks(pure.units))
    }

    /// With small chunks, a message is in memory twice: as chunks, and as one piece for HTTP-FLV.
    @Test func aPayloadOfItsOwnCosts() throws {
        let one = try #require(try MediaUnit(frames.video(0), writer: writer))
        #expect(one.cost < 2 * frames.size + MediaUnit.overhead)
        let small = ChunkWriter(chunkSize: 128)
        let several = try #require(try MediaUnit(frames.video(0), writer: small))
        #expect(several.cost >= 2 * frames.size + MediaUnit.overhead)
    }

    /// A publisher that takes over continues after every frame that was accepted from the one
    /// before.
    @Test func noFrameIsAcceptedAfterTheLastTimestamp() async throws {
        let unit = try #require(try MediaUnit(unwritten: frames.audio(0)))
        @Sendable func recordUntilRefused(_ counts: PublicationCounts) async -> UInt32 {
            var next = unit
            var accepted: UInt32 = 0
            while accepted < 1_000_000 {
                next.timestamp = accepted + 1
                guard counts.record(bytes: 1, units: [next]) else { break }
                accepted = next.timestamp
            }
            return accepted
        }
        for _ in 0..<200 {
            let counts = PublicationCounts()
            async let accepted = recordUntilRefused(counts)
            await Task.yield()
            counts.end()
            let last = counts.lastTimestamp
            let most = await accepted
            #expect(most <= last)
            #expect(!counts.record(bytes: 1, units: [unit]))
        }
    }
}
