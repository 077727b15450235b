import Foundation
import Media
import NIOCore
import Testing

@Suite struct FileSourceTests {
    private static let avcC =
        "01 42C00B FF E1 0019 6742C00BD901016E840000030004000003007800F142AA48"
        + "01 0004 68CA83CB"

    /// Makes a file of 40 ms video frames and 25 ms audio frames from `start` on.
    private func file(
        start: UInt32 = 0, video: Int = 5, audio: Int = 8, script: Bool = false
    ) -> ByteBuffer {
        var file = FLVWriter.fileHeader(hasAudio: audio > 0, hasVideo: video > 0)
        var tags: [FLVTag] = []
        if script {
            tags.append(FLVTag(type: .script, timestamp: 0, payload: ByteBuffer(hex: "02000A")))
        }
        if video > 0 {
            let header = ByteBuffer(hex: "1700000000" + Self.avcC)
            tags.append(FLVTag(type: .video, timestamp: 0, payload: header))
        }
        if audio > 0 {
            tags.append(FLVTag(type: .audio, timestamp: 0, payload: ByteBuffer(hex: "AF001210")))
        }
        for i in 0..<video {
            let head = i == 0 ? "1701000050" : "2701FFFFD8"
            let payload = ByteBuffer(hex: head + "00000002" + (i == 0 ? "65" : "41") + "0\(i)")
            tags.append(FLVTag(type: .video, timestamp: start &+ UInt32(i * 40), payload: payload))
        }
        for i in 0..<audio {
            let payload = ByteBuffer(hex: "AF01210\(i)")
            tags.append(FLVTag(type: .audio, timestamp: start &+ UInt32(i * 25), payload: payload))
        }
        for tag in tags { FLVWriter.write(tag: tag, into: &file) }
        return file
    }

    @Test func loopsWithoutAJumpAndInSync() throws {
        for start in [0, 5000, .max - 70] as [UInt32] {
            var source = try FileSource(flv: file(start: start, script: true))
            #expect(source.loopNanoseconds == 200_000_000)
            #expect(source.frameCount == 13)
            #expect(source.nalUnitLengthSize == 4)
            #expect(source.videoSequenceHeader == ByteBuffer(hex: "1700000000" + Self.avcC))
            #expect(source.audioSequenceHeader == ByteBuffer(hex: "AF001210"))
            var times: [SourceFrame.Kind: [UInt32]] = [:]
            for _ in 0..<13 * 3 {
                let frame = source.next()!
                times[frame.kind, default: []].append(frame.timestamp)
                #expect(Int64(frame.timestamp) * 1_000_000 == frame.dtsNanoseconds)
            }
            #expect(times[.video] == (0..<15).map { $0 * 40 })
            #expect(times[.audio] == (0..<24).map { $0 * 25 })
        }
    }

    @Test func compositionTimesAndKeyFramesStay() throws {
        var source = try FileSource(flv: file(audio: 0))
        for index in 0..<10 {
            let frame = source.next()!
            #expect(frame.isKeyFrame == (index % 5 == 0))
            let header = VideoTagHeader.parse(frame.payload)
            #expect(header?.compositionTime == (index % 5 == 0 ? 80 : -40))
        }
    }

    @Test func audioOnlyAndVideoOnly() throws {
        let audio = try FileSource(flv: file(video: 0))
        #expect(audio.videoSequenceHeader == nil && audio.loopNanoseconds == 200_000_000)
        let video = try FileSource(flv: file(audio: 0))
        #expect(video.audioSequenceHeader == nil && video.loopNanoseconds == 200_000_000)
        #expect(video.metadata.contains { $0.name == "videocodecid" && $0.value == .number(7) })
    }

    @Test func repeatedTimestampsAreSpreadAndLeadingInterFramesDropped() throws {
        var flv = FLVWriter.fileHeader(hasAudio: false, hasVideo: true)
        let payloads = [
            (0, "1700000000" + Self.avcC), (0, "2701000000 00000001 41"),
            (40, "1701000000 00000001 65"), (40, "2701000000 00000001 41"),
            (20, "2701000000 00000001 41"), (80, "2701000000 00000001 41"),
        ]
        for (time, hex) in payloads {
            let tag = FLVTag(type: .video, timestamp: UInt32(time), payload: ByteBuffer(hex: hex))
            FLVWriter.write(tag: tag, into: &flv)
        }
        var source = try FileSource(flv: flv)
        #expect((0..<4).map { _ in source.next()!.timestamp } == [0, 1, 2, 40])
    }

    @Test func unusableFilesAreRefusedClearly() throws {
        let path = FFmpeg.temporaryPath("flv")
        defer { try? FileManager.default.removeItem(atPath: path) }
        func refusal(_ bytes: ByteBuffer?, path: String) throws -> MediaError.Code? {
            if let bytes { try Data(bytes.bytes).write(to: URL(fileURLWithPath: path)) }
            return #expect(throws: MediaError.self) {
                try FileSource(path: path, maximumSize: 4096)
            }?.code
        }
        var changing = file()
        let other = ByteBuffer(hex: "AF001190")
        FLVWriter.write(tag: FLVTag(type: .audio, timestamp: 9, payload: other), into: &changing)
        let cases: [(name: String, bytes: ByteBuffer, code: MediaError.Code)] = [
            ("empty", ByteBuffer(), .empty),
            ("no frames", file(video: 0, audio: 0), .empty),
            ("MP4", ByteBuffer(hex: "00000018667479706D703432"), .notFLV),
            ("cut header", ByteBuffer(hex: "464C56"), .notFLV),
            ("too large", ByteBuffer(repeating: 0, count: 4097), .tooLarge),
            ("changed configuration", changing, .unsupported),
        ]
        for (name, bytes, code) in cases {
            #expect(try refusal(bytes, path: path) == code, "\(name)")
        }
        #expect(try refusal(nil, path: "/nonexistent.flv") == .fileUnreadable)
        #expect(try refusal(nil, path: "/dev/null") == .fileUnreadable)
        #expect(try refusal(nil, path: "/tmp") == .fileUnreadable)
    }

    @Test(.enabled(if: FFmpeg.isInstalled, FFmpeg.skipped), arguments: [0, 3])
    func stampingAnEncodedFileChangesNoPicture(bFrames: Int) throws {
        let input = FFmpeg.temporaryPath("flv")
        let output = FFmpeg.temporaryPath("flv")
        defer { for path in [input, output] { try? FileManager.default.removeItem(atPath: path) } }
        try FFmpeg.makePattern(input, bFrames: bFrames)
        var source = try FileSource(path: input)
        let once = Double(source.loopNanoseconds) / 1e9 - 0.001
        let frames = try source.writeFLV(to: output, seconds: once, stamped: 42)
        #expect(frames.count { $0.kind == .video } == 50)
        try FFmpeg.expectCleanDecode(output, "stamped, \(bFrames) B-frames")
        let before = try FFmpeg.frameChecksums(input).map { $0.split(separator: " ").last }
        let after = try FFmpeg.frameChecksums(output).map { $0.split(separator: " ").last }
        #expect(before == after && before.count == 50)
        var number: UInt64 = 0
        for frame in frames where frame.kind == .video {
            let stamp = FrameStamp.find(
                inVideoPayload: frame.payload, nalUnitLengthSize: source.nalUnitLengthSize)
            #expect(stamp?.frameNumber == number && stamp?.streamID == 42)
            #expect(stamp?.intendedNanoseconds == frame.dtsNanoseconds)
            number += 1
        }
        let width = source.metadata.first { $0.name == "width" }?.value
        #expect(width == .number(320))
    }

    @Test(.enabled(if: FFmpeg.isInstalled, FFmpeg.skipped))
    func aLoopedFileDecodesCleanly() throws {
        let input = FFmpeg.temporaryPath("flv")
        let output = FFmpeg.temporaryPath("flv")
        defer { for path in [input, output] { try? FileManager.default.removeItem(atPath: path) } }
        try FFmpeg.makePattern(input, bFrames: 3, seconds: 1)
        var source = try FileSource(path: input)
        let frames = try source.writeFLV(to: output, seconds: 5, stamped: 1)
        try FFmpeg.expectCleanDecode(output, "five repetitions")
        let count = frames.count { $0.kind == .video }
        #expect(try FFmpeg.probe(output, stream: "v")["nb_read_frames"] == "\(count)")
        for kind in [SourceFrame.Kind.audio, .video] {
            let times = frames.filter { $0.kind == kind }.map(\.timestamp)
            // AAC's priming and padding make the audio track up to two frames longer than the
            // video.
            let steps = zip(times, times.dropFirst()).map { Int($1) - Int($0) }
            #expect(steps.allSatisfy { $0 > 0 && $0 < 40 + 2 * 24 }, "\(steps)")
        }
    }
}
