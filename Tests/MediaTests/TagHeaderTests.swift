import Media
import NIOCore
import Testing

@Suite struct TagHeaderTests {
    private struct VideoCase {
        var name: String
        var bytes: String
        var frameType: VideoTagHeader.FrameType
        var codec: VideoTagHeader.Codec
        var packetType: VideoTagHeader.PacketType
        var compositionTime: Int32 = 0
        var headerLength: Int
    }

    private static let video: [VideoCase] = [
        .init(
            name: "AVC sequence header", bytes: "17 00 000000 01", frameType: .key,
            codec: .legacy(7), packetType: .sequenceStart, headerLength: 5),
        .init(
            name: "AVC key frame, CTS 80", bytes: "17 01 000050", frameType: .key,
            codec: .legacy(7), packetType: .codedFrames, compositionTime: 80, headerLength: 5),
        .init(
            name: "AVC inter frame, CTS -40", bytes: "27 01 FFFFD8", frameType: .inter,
            codec: .legacy(7), packetType: .codedFrames, compositionTime: -40, headerLength: 5),
        .init(
            name: "disposable, lowest CTS", bytes: "37 01 800000", frameType: .disposableInter,
            codec: .legacy(7), packetType: .codedFrames, compositionTime: -8_388_608,
            headerLength: 5),
        .init(
            name: "end of sequence", bytes: "17 02 000000", frameType: .key, codec: .legacy(7),
            packetType: .sequenceEnd, headerLength: 5),
        .init(
            name: "legacy HEVC", bytes: "2C 01 000001", frameType: .inter, codec: .legacy(12),
            packetType: .codedFrames, compositionTime: 1, headerLength: 5),
        .init(
            name: "Sorenson H.263", bytes: "22", frameType: .inter, codec: .legacy(2),
            packetType: .codedFrames, headerLength: 1),
        .init(
            name: "seek command", bytes: "57 00", frameType: .command, codec: .legacy(7),
            packetType: .codedFrames, headerLength: 1),
        .init(
            name: "hvc1 sequence start", bytes: "90 68766331", frameType: .key,
            codec: .fourCC(.hevc), packetType: .sequenceStart, headerLength: 5),
        .init(
            name: "avc1 coded frames, CTS 2", bytes: "A1 61766331 000002", frameType: .inter,
            codec: .fourCC(.avc), packetType: .codedFrames, compositionTime: 2, headerLength: 8),
        .init(
            name: "avc1 coded frames X", bytes: "93 61766331", frameType: .key,
            codec: .fourCC(.avc), packetType: .codedFramesX, headerLength: 5),
        .init(
            name: "av01 has no CTS", bytes: "91 61763031", frameType: .key, codec: .fourCC(.av1),
            packetType: .codedFrames, headerLength: 5),
        .init(
            name: "ModEx, one track of avc1", bytes: "97 02 000102 06 01 61766331 07 FFFFFF",
            frameType: .key, codec: .fourCC(.avc), packetType: .codedFrames, compositionTime: -1,
            headerLength: 15),
    ]

    @Test func videoHeaders() {
        for entry in Self.video {
            let payload = ByteBuffer(hex: entry.bytes)
            let header = VideoTagHeader.parse(payload)
            #expect(header?.frameType == entry.frameType, "\(entry.name)")
            #expect(header?.codec == entry.codec, "\(entry.name)")
            #expect(header?.packetType == entry.packetType, "\(entry.name)")
            #expect(header?.compositionTime == entry.compositionTime, "\(entry.name)")
            #expect(header?.headerLength == entry.headerLength, "\(entry.name)")
            for length in 0..<entry.headerLength {
                let cut = VideoTagHeader.parse(payload.getSlice(at: 0, length: length)!)
                #expect(cut == nil, "\(entry.name) cut to \(length)")
            }
        }
    }

    @Test func videoPredicates() {
        func header(_ hex: String) -> VideoTagHeader? { VideoTagHeader.parse(ByteBuffer(hex: hex)) }
        #expect(header("1701000000")?.isKeyFrame == true)
        #expect(header("1700000000")?.isKeyFrame == false)
        #expect(header("1700000000")?.isSequenceHeader == true)
        #expect(header("3701000000")?.isDisposable == true)
        #expect(header("5700")?.isSequenceHeader == false)
        #expect(header("7701000000") == nil)
        #expect(header("1703000000") == nil)
    }

    @Test func audioHeaders() {
        let cases:
            [(
                name: String, bytes: String, codec: AudioTagHeader.Codec,
                packetType: AudioTagHeader.PacketType, length: Int
            )] = [
                ("AAC sequence header", "AF 00", .legacy(10), .sequenceStart, 2),
                ("AAC frame", "AF 01", .legacy(10), .codedFrames, 2),
                ("MP3", "2F", .legacy(2), .codedFrames, 1),
                ("Opus sequence start", "90 4F707573", .fourCC(.opus), .sequenceStart, 5),
                ("mp4a frame", "91 6D703461", .fourCC(.aac), .codedFrames, 5),
                ("one track of mp4a", "95 01 6D703461 02", .fourCC(.aac), .codedFrames, 7),
            ]
        for (name, bytes, codec, packetType, length) in cases {
            let payload = ByteBuffer(hex: bytes)
            let header = AudioTagHeader.parse(payload)
            #expect(header?.codec == codec, "\(name)")
            #expect(header?.packetType == packetType, "\(name)")
            #expect(header?.headerLength == length, "\(name)")
            for cut in 0..<length {
                #expect(AudioTagHeader.parse(payload.getSlice(at: 0, length: cut)!) == nil)
            }
        }
        #expect(AudioTagHeader.parse(ByteBuffer(hex: "AF02")) == nil)
    }
}
