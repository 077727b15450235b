import Media
import NIOCore
import Testing

@Suite struct FLVTests {
    private static let tags: [(name: String, bytes: String, tag: FLVTag)] = [
        (
            "video at 0", "09 000003 000000 00 000000 170100 0000000E",
            FLVTag(type: .video, timestamp: 0, payload: ByteBuffer(hex: "170100"))
        ),
        (
            "audio with extended timestamp", "08 000002 345678 12 000000 AF01 0000000D",
            FLVTag(type: .audio, timestamp: 0x1234_5678, payload: ByteBuffer(hex: "AF01"))
        ),
        (
            "empty script", "12 000000 000001 00 000000 0000000B",
            FLVTag(type: .script, timestamp: 1, payload: ByteBuffer())
        ),
        (
            "filtered video at the last timestamp", "29 000001 FFFFFF FF 000000 55 0000000C",
            FLVTag(
                type: .video, timestamp: .max, payload: ByteBuffer(hex: "55"), isFiltered: true)
        ),
    ]

    private func read(_ stream: ByteBuffer, sizes: [Int]) throws -> [FLVTag] {
        var reader = FLVReader()
        var tags: [FLVTag] = []
        for piece in stream.pieces(sizes) {
            reader.append(piece)
            while let tag = try reader.next() { tags.append(tag) }
        }
        return tags
    }

    @Test func eachTagWritesAndReadsItsBytes() throws {
        for (name, bytes, tag) in Self.tags {
            var written = ByteBuffer()
            FLVWriter.write(tag: tag, into: &written)
            #expect(written == ByteBuffer(hex: bytes), "\(name)")
            var stream = FLVWriter.fileHeader(hasAudio: true, hasVideo: true)
            stream.writeBuffer(&written)
            #expect(try read(stream, sizes: [stream.readableBytes]) == [tag], "\(name)")
        }
    }

    @Test func everySplitReadsTheSameTags() throws {
        var stream = FLVWriter.fileHeader(hasAudio: true, hasVideo: false)
        for entry in Self.tags { FLVWriter.write(tag: entry.tag, into: &stream) }
        for sizes in everySplit(of: stream.readableBytes) {
            #expect(try read(stream, sizes: sizes) == Self.tags.map(\.tag), "\(sizes)")
        }
    }

    @Test func headerFlagsAreExposed() throws {
        for (audio, video) in [(true, true), (true, false), (false, true), (false, false)] {
            var reader = FLVReader()
            #expect(reader.hasAudio == nil)
            reader.append(FLVWriter.fileHeader(hasAudio: audio, hasVideo: video))
            #expect(try reader.next() == nil)
            #expect(reader.hasAudio == audio && reader.hasVideo == video)
        }
    }

    @Test func wrongPreviousTagSizeAndLongHeaderAreTolerated() throws {
        let stream = ByteBuffer(
            hex: "464C5601050000000B AABB DEADBEEF 08 000001 000000 00 000000 AF FFFFFFFF"
                + "08 000001 000001 00 000000 AF 00000000")
        #expect(try read(stream, sizes: [stream.readableBytes]).map(\.timestamp) == [0, 1])
    }

    @Test func malformedStreamsThrowAndStayFailed() throws {
        let cases: [(name: String, bytes: String, code: MediaError.Code)] = [
            ("not FLV, seen at the first byte", "00", .notFLV),
            ("not FLV", "464C57", .notFLV),
            ("version 2", "464C56020500000009", .notFLV),
            ("DataOffset 8", "464C56010500000008", .notFLV),
            ("DataOffset huge", "464C560105FFFFFFFF", .notFLV),
            ("body over the limit", "464C56010500000009 00000000 09 000401 00000000", .tooLarge),
        ]
        for (name, bytes, code) in cases {
            var reader = FLVReader(maximumTagSize: 1024)
            reader.append(ByteBuffer(hex: bytes))
            for _ in 0..<2 {
                let error = #expect(throws: MediaError.self, "\(name)") {
                    while try reader.next() != nil {}
                }
                #expect(error?.code == code, "\(name)")
            }
            #expect(reader.bufferedBytes == 0)
        }
    }
}
