import Foundation
import Media
import NIOCore
import SimulationKernel
import Testing

@Suite struct MuxTests {
    static let spec = SyntheticSpec(
        width: 64, height: 48, framesPerSecond: 15, gopFrames: 15,
        totalBitrate: Bitrate(kilobitsPerSecond: 200),
        audioBitrate: Bitrate(kilobitsPerSecond: 64))

    /// The demuxer finds every NAL unit, every time and every stamp that the muxer wrote.
    @Test func transportStreamThereAndBack() throws {
        let stream = try MuxStream(synthetic: Self.spec, frames: 300)
        let units = try stream.transportStream().flatMap(TransportStreamDemuxer.accessUnits)
        let video = stream.frames.filter { $0.kind == .video }
        let found = units.filter { $0.kind == .video }
        #expect(found.count == video.count)
        for (index, (unit, frame)) in zip(found, video).enumerated() {
            #expect(unit.decodeTime == frame.decodeTime + TransportStreamMuxer.timeShift)
            #expect(unit.isRandomAccess == frame.isKeyFrame)
            #expect(FrameStamp.find(inAnnexB: unit.payload)?.frameNumber == UInt64(index))
            let inner = AnnexB.units(unit.payload).filter {
                ![.accessUnitDelimiter, .sps, .pps].contains(
                    NALUnitType(header: $0.readableBytesView.first ?? 0))
            }
            #expect(inner == (try NALUnitReader.units(frame.payload, lengthSize: 4)))
            #expect((AnnexB.units(unit.payload).count - inner.count == 3) == frame.isKeyFrame)
        }
        let audio = stream.frames.filter { $0.kind == .audio }.map(\.payload)
        let heard = units.filter { $0.kind == .audio }.flatMap {
            ADTSHeader.frames($0.payload).map(\.frame)
        }
        #expect(heard == audio)
    }

    /// The test writes every size of an access unit up to three packets: with stuffing of 0, 1 and
    /// more bytes.
    @Test func everyAmountOfStuffing() throws {
        let tracks = MediaTracks(
            video: .init(profile: 66, profileCompatibility: 0, level: 30, sps: [], pps: []))
        var muxer = try TransportStreamMuxer(tracks: tracks)
        var stream = ByteBuffer()
        muxer.beginSegment(into: &stream)
        var sent: [ByteBuffer] = []
        for size in 1...560 {
            var payload = ByteBuffer(integer: UInt32(size))
            let unit = ByteBuffer(repeating: 0x41, count: size)
            payload.writeImmutableBuffer(unit)
            sent.append(unit)
            try muxer.write(
                CodedFrame(
                    kind: .video, decodeTime: Int64(size) * 3000, compositionOffset: 0,
                    isKeyFrame: size % 7 == 0, payload: payload), into: &stream)
        }
        #expect(stream.readableBytes % 188 == 0)
        var demuxer = TransportStreamDemuxer()
        demuxer.append(stream)
        var found: [ByteBuffer] = []
        while let unit = try demuxer.next() {
            found.append(try #require(AnnexB.units(unit.payload).last))
        }
        #expect(found == sent)
        #expect(demuxer.continuityErrors == 0)
        #expect(demuxer.finish().isEmpty)
    }

    /// Times of 33 bits wrap after 26.5 hours; a reader that unwraps them sees no jump.
    @Test func timestampsWrap() throws {
        let tracks = MediaTracks(
            video: .init(profile: 66, profileCompatibility: 0, level: 30, sps: [], pps: []))
        var muxer = try TransportStreamMuxer(tracks: tracks)
        var stream = ByteBuffer()
        muxer.beginSegment(into: &stream)
        let start = (Int64(1) << 33) - TransportStreamMuxer.timeShift - 9000
        for index in 0..<6 {
            try muxer.write(
                CodedFrame(
                    kind: .video, decodeTime: start + Int64(index) * 3000,
                    compositionOffset: index % 2 == 0 ? 6000 : -3000, isKeyFrame: true,
                    payload: ByteBuffer(bytes: [0, 0, 0, 1, 0x65])), into: &stream)
        }
        let units = try TransportStreamDemuxer.accessUnits(stream)
        let first = (Int64(1) << 33) - 9000
        #expect(units.map(\.decodeTime) == (0..<6).map { first + Int64($0) * 3000 })
        #expect(
            units.map { $0.presentationTime! - $0.decodeTime! }
                == [6000, -3000, 6000, -3000, 6000, -3000])
    }

    @Test(arguments: [1, 7, 1000]) func mp4ThereAndBack(chunk: Int) throws {
        let stream = try MuxStream(synthetic: Self.spec, frames: 300)
        let (head, segments) = try stream.fragmentedMP4(chunk: chunk)
        let reader = try FragmentedMP4Reader(initializationSegment: head)
        #expect(reader.tracks.map(\.kind) == [.video, .audio])
        #expect(reader.tracks[0].video == stream.tracks.video)
        #expect(reader.tracks[1].audio == stream.tracks.audio)
        let samples = try segments.flatMap(reader.samples)
        for kind in [CodedFrame.Kind.video, .audio] {
            let found = samples.filter { $0.kind == kind }
            let frames = stream.frames.filter { $0.kind == kind }
            #expect(found.map(\.payload) == frames.map(\.payload))
            #expect(found.map(\.isSync) == frames.map(\.isKeyFrame))
            #expect(found.map(\.duration) == frames.map(\.duration))
            // The tables of a fragment continue from one decode time, which is exact because the
            // frames abut.
            #expect(found.map(\.decodeTime) == frames.map(\.decodeTime))
        }
        let stamps = samples.filter { $0.kind == .video }.compactMap {
            FrameStamp.find(inAccessUnit: $0.payload, nalUnitLengthSize: 4)?.frameNumber
        }
        #expect(stamps == (0..<UInt64(stamps.count)).map { $0 })
        #expect(!stamps.isEmpty)
    }

    /// Frames of 44.1 kHz take 23, 23, 23, 24 … ms; the reader restores the exact times.
    @Test func audioTimesAreExact() throws {
        var reader = FLVFrameReader()
        let config = AudioSpecificConfig(sampleRate: 44_100, channelConfiguration: 2)
        var header = ByteBuffer(bytes: [0xAF, 0])
        header.writeImmutableBuffer(config.encoded())
        _ = try reader.read(.audio, timestamp: 0, payload: header)
        for index in 0..<200_000 as Range<Int64> {
            let milliseconds = (index * 1024 * 1000 + 22_050) / 44_100
            let frame = try reader.read(
                .audio, timestamp: UInt32.max - 99_999 &+ UInt32(milliseconds),
                payload: ByteBuffer(bytes: [0xAF, 1, 9]))
            let exact = Int64(UInt32.max - 99_999) * 90 + (index * 1024 * 90_000 + 22_050) / 44_100
            #expect(abs((frame?.decodeTime ?? 0) - exact) <= 1)
        }
    }

    @Test func brokenInputIsRefused() throws {
        var demuxer = TransportStreamDemuxer()
        demuxer.append(ByteBuffer(repeating: 0, count: 188))
        #expect(throws: MediaError.self) { try demuxer.next() }
        #expect(throws: MediaError.self) { try TransportStreamMuxer(tracks: MediaTracks()) }
        #expect(throws: MediaError.self) { try FragmentedMP4Muxer(tracks: MediaTracks()) }
        #expect(throws: MediaError.self) {
            try FragmentedMP4Reader(initializationSegment: ByteBuffer(bytes: [0, 0, 0, 9, 1]))
        }
        var reader = FLVFrameReader()
        #expect(throws: MediaError.self) {
            try reader.read(
                .video, timestamp: 0, payload: ByteBuffer(bytes: [0x17, 0, 0, 0, 0, 1]))
        }
        _ = try reader.read(.video, timestamp: 0, payload: ByteBuffer(bytes: [0x1C, 1, 0, 0, 0]))
        #expect(reader.unsupportedCodec == "HEVC")
    }

    @Test(arguments: 0..<4 as Range<UInt64>) func mutatedFilesNeverTrap(seed: UInt64) throws {
        let stream = try MuxStream(synthetic: Self.spec, frames: 40)
        let (head, segments) = try stream.fragmentedMP4(chunk: 10)
        let inputs = [
            try stream.transportStream().flatMap(\.bytes), head.bytes + segments.flatMap(\.bytes),
        ]
        var generator = SeededGenerator(seed: seed)
        for round in 0..<400 {
            var bytes = inputs[round % 2]
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let at = Int.random(in: 0..<min(bytes.count, 2000), using: &generator)
                bytes[at] = [0, 0xFF, UInt8.random(in: 0...255, using: &generator)]
                    .randomElement(using: &generator)!
            }
            bytes.withUnsafeBytes {
                FuzzEntry.fuzzTransportStream($0)
                FuzzEntry.fuzzMP4($0)
            }
        }
    }
}

/// ffmpeg reads the muxers' output.
@Suite(.enabled(if: FFmpeg.isInstalled, FFmpeg.skipped)) struct MuxPeerTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var hasVideo = true
        var hasAudio = true
        var bFrames = 0
        var testDescription: String { name }
    }

    static let cases = [
        Case(name: "video and audio"), Case(name: "B-frames", bFrames: 3),
        Case(name: "audio only", hasVideo: false), Case(name: "video only", hasAudio: false),
    ]

    private func hashes(_ path: String, _ options: [String]) throws -> [String] {
        let result = try FFmpeg.run(
            ["ffmpeg", "-v", "warning", "-xerror", "-i", path] + options + ["-f", "framemd5", "-"])
        #expect(result.errors == "")
        #expect(result.status == 0)
        return result.output.split(separator: "\n").filter { !$0.hasPrefix("#") }.map {
            String($0.split(separator: ",").last ?? "")
        }
    }

    @Test(arguments: cases) func remuxed(_ test: Case) throws {
        let source = FFmpeg.temporaryPath("flv")
        let (ts, mp4) = (FFmpeg.temporaryPath("ts"), FFmpeg.temporaryPath("mp4"))
        defer {
            for path in [source, ts, mp4] { try? FileManager.default.removeItem(atPath: path) }
        }
        var arguments = ["ffmpeg", "-v", "error"]
        if test.hasVideo {
            arguments += ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=4"]
        }
        if test.hasAudio {
            arguments += ["-f", "lavfi", "-i", "sine=frequency=440:duration=4:sample_rate=44100"]
        }
        if test.hasVideo {
            arguments += [
                "-c:v", "libx264", "-g", "25", "-bf", "\(test.bFrames)", "-pix_fmt", "yuv420p",
            ]
        }
        if test.hasAudio { arguments += ["-c:a", "aac"] }
        let made = try FFmpeg.run(arguments + ["-f", "flv", source])
        try #require(made.status == 0, "\(made.errors)")
        let stream = try MuxStream(
            flv: ByteBuffer(bytes: Data(contentsOf: URL(fileURLWithPath: source))))
        try Data(stream.transportStream().flatMap(\.bytes)).write(to: URL(fileURLWithPath: ts))
        let (head, segments) = try stream.fragmentedMP4(chunk: 9)
        try Data(head.bytes + segments.flatMap(\.bytes)).write(to: URL(fileURLWithPath: mp4))
        for kind in (test.hasVideo ? ["v"] : []) + (test.hasAudio ? ["a"] : []) {
            let coded = ["-map", "0:\(kind)", "-c", "copy"]
            #expect(try hashes(mp4, coded) == hashes(source, coded), "fMP4 \(kind)")
            // Annex B and ADTS hold the same frames in another form, so the decoded pictures and
            // samples are compared.
            let decoded = ["-map", "0:\(kind)"]
            #expect(try hashes(ts, decoded) == hashes(source, decoded), "TS \(kind)")
        }
        for path in [ts, mp4] { try FFmpeg.expectCleanDecode(path, "\(test.name) \(path)") }
    }
}
