import Foundation
import Media
import NIOCore
import SimulationKernel
import Testing

@Suite struct SyntheticSourceTests {
    @Test(.enabled(if: FFmpeg.isInstalled, FFmpeg.skipped), arguments: 0..<4)
    func edgeLadderDecodesCleanly(index: Int) throws {
        let (name, spec) = SyntheticSpec.edgeLadder[index]
        let path = FFmpeg.temporaryPath("flv")
        defer { try? FileManager.default.removeItem(atPath: path) }
        var source = try SyntheticSource(spec: spec)
        let frames = try source.writeFLV(to: path, seconds: 5)
        try FFmpeg.expectCleanDecode(path, "\(name)")
        let video = try FFmpeg.probe(path, stream: "v")
        #expect(video["width"] == "\(spec.width)", "\(name)")
        #expect(video["height"] == "\(spec.height)", "\(name)")
        #expect(video["r_frame_rate"] == "\(spec.framesPerSecond.numerator)/1", "\(name)")
        #expect(video["profile"] == "Constrained Baseline", "\(name)")
        #expect(video["has_b_frames"] == "0", "\(name)")
        #expect(video["nb_read_frames"] == "\(frames.count { $0.kind == .video })", "\(name)")
        let audio = try FFmpeg.probe(path, stream: "a")
        #expect(audio["codec_name"] == "aac" && audio["profile"] == "LC", "\(name)")
        #expect(audio["sample_rate"] == "48000" && audio["channels"] == "2", "\(name)")
        #expect(audio["nb_read_frames"] == "\(frames.count { $0.kind == .audio })", "\(name)")
    }

    @Test(.enabled(if: FFmpeg.isInstalled, FFmpeg.skipped))
    func unusualSpecsDecodeCleanly() throws {
        let specs: [(name: String, spec: SyntheticSpec)] = [
            (
                "NTSC rate, odd crop, no audio",
                SyntheticSpec(
                    width: 322, height: 182, framesPerSecond: FrameRate(30000, over: 1001),
                    gopFrames: 45, totalBitrate: Bitrate(bitsPerSecond: 777_777))
            ),
            (
                "key frames only",
                SyntheticSpec(
                    width: 64, height: 64, framesPerSecond: 25, gopFrames: 1,
                    totalBitrate: Bitrate(kilobitsPerSecond: 500))
            ),
            (
                "audio only",
                SyntheticSpec(
                    width: 0, height: 0, audioBitrate: Bitrate(kilobitsPerSecond: 96),
                    sampleRate: 44100)
            ),
            (
                "1080p60, more mosaic than filler",
                SyntheticSpec(
                    width: 1920, height: 1080, framesPerSecond: 60, gopFrames: 30,
                    totalBitrate: Bitrate(kilobitsPerSecond: 12000),
                    audioBitrate: Bitrate(kilobitsPerSecond: 320), seed: 9)
            ),
        ]
        for (name, spec) in specs {
            let path = FFmpeg.temporaryPath("flv")
            defer { try? FileManager.default.removeItem(atPath: path) }
            var source = try SyntheticSource(spec: spec)
            let frames = try source.writeFLV(to: path, seconds: 3)
            try FFmpeg.expectCleanDecode(path, "\(name)")
            let read = try FFmpeg.probe(path, stream: spec.width > 0 ? "v" : "a")
            let kind: SourceFrame.Kind = spec.width > 0 ? .video : .audio
            let count = frames.count { $0.kind == kind }
            #expect(read["nb_read_frames"] == "\(count)", "\(name)")
        }
    }

    @Test(.enabled(if: FFmpeg.isInstalled, FFmpeg.skipped))
    func stampsSurviveRemuxingToMPEGTSAndAnnexB() throws {
        let paths = ["flv", "ts", "h264"].map(FFmpeg.temporaryPath)
        defer { for path in paths { try? FileManager.default.removeItem(atPath: path) } }
        var source = try SyntheticSource(spec: SyntheticSpec.edgeLadder[2].spec)
        let frames = try source.writeFLV(to: paths[0], seconds: 3, stamped: 5)
        for (input, output) in zip(paths, paths.dropFirst()) {
            let result = try FFmpeg.run([
                "ffmpeg", "-v", "warning", "-i", input, "-map", "0:v", "-c", "copy", output,
            ])
            #expect(result.status == 0 && result.errors == "")
        }
        let stream = ByteBuffer(bytes: try Data(contentsOf: URL(fileURLWithPath: paths[2])))
        let stamps = AnnexB.units(stream).compactMap { unit -> FrameStamp? in
            var bytes = ByteBuffer(hex: "000001")
            bytes.writeImmutableBuffer(unit)
            return FrameStamp.find(inAnnexB: bytes)
        }
        let times = frames.filter { $0.kind == .video }.map(\.dtsNanoseconds)
        #expect(stamps.map(\.intendedNanoseconds) == times)
        #expect(stamps.map(\.frameNumber) == times.indices.map { UInt64($0) })
        #expect(stamps.allSatisfy { $0.streamID == 5 })
    }

    @Test func videoMeetsTheRateOverEachGOPAndAudioOverEachFrame() throws {
        let odd = SyntheticSpec(
            width: 320, height: 180, framesPerSecond: FrameRate(30000, over: 1001), gopFrames: 17,
            totalBitrate: Bitrate(bitsPerSecond: 733_337),
            audioBitrate: Bitrate(
                bitsPerSecond: 61_111))
        for (name, spec) in SyntheticSpec.edgeLadder + [("odd", odd)] {
            var source = try SyntheticSource(spec: spec)
            let audioRate = spec.audioBitrate!.bitsPerSecond
            let videoRate = spec.totalBitrate!.bitsPerSecond - audioRate
            var videoBytes = 0
            var audioBytes = 0
            var videoFrames = 0
            var audioFrames = 0
            while videoFrames < spec.gopFrames * 20, let frame = source.next() {
                if frame.kind == .audio {
                    audioFrames += 1
                    audioBytes += frame.payload.readableBytes
                    #expect(audioBytes == audioFrames * 1024 * audioRate / (8 * 48000))
                    continue
                }
                #expect(frame.isKeyFrame == (videoFrames % spec.gopFrames == 0))
                videoFrames += 1
                videoBytes += frame.payload.readableBytes
                guard videoFrames % spec.gopFrames == 0 else { continue }
                let rate = spec.framesPerSecond
                let exact = videoFrames * rate.denominator * videoRate / (8 * rate.numerator)
                #expect(videoBytes == exact, "\(name) after \(videoFrames) frames")
            }
        }
    }

    @Test func keyFramesAreFourToEightTimesLarger() throws {
        for (name, spec) in SyntheticSpec.edgeLadder {
            var source = try SyntheticSource(spec: spec)
            var key = 0
            var others = 0
            for _ in 0..<spec.gopFrames {
                var frame = source.next()
                while frame?.kind == .audio { frame = source.next() }
                if frame!.isKeyFrame {
                    key += frame!.payload.readableBytes
                } else {
                    others += frame!.payload.readableBytes
                }
            }
            let ratio = Double(key) / (Double(others) / Double(spec.gopFrames - 1))
            #expect((4...8).contains(ratio), "\(name): \(ratio)")
        }
    }

    @Test func theSameSeedGivesTheSameBytesAndAnotherSeedOthers() throws {
        var spec = SyntheticSpec.edgeLadder[3].spec
        var first = try SyntheticSource(spec: spec)
        var second = try SyntheticSource(spec: spec)
        spec.seed = 2
        var third = try SyntheticSource(spec: spec)
        var differs = false
        for _ in 0..<100 {
            let frame = first.next()
            #expect(frame == second.next())
            if frame != third.next() { differs = true }
        }
        #expect(differs)
    }

    @Test func framesAreUniqueAndCarryTheStampInPlace() throws {
        var source = try SyntheticSource(spec: SyntheticSpec.edgeLadder[3].spec)
        var seen: Set<ByteBuffer> = []
        var last: Int64 = -1
        for number in 0..<300 {
            var frame = source.next()!
            #expect(frame.dtsNanoseconds >= last)
            last = frame.dtsNanoseconds
            #expect(seen.insert(frame.payload).inserted)
            guard frame.kind == .video else { continue }
            let size = frame.payload.readableBytes
            let stamp = FrameStamp(
                streamID: 7, frameNumber: UInt64(number), intendedNanoseconds: .min)
            frame.stamp(stamp, nalUnitLengthSize: source.nalUnitLengthSize)
            #expect(frame.payload.readableBytes == size)
            #expect(FrameStamp.find(inVideoPayload: frame.payload, nalUnitLengthSize: 4) == stamp)
        }
    }

    /// A short first group moves all key frames that follow; it never has a single frame, because
    /// two key frames in a row would have the same number.
    @Test(arguments: [(nil, 10), (10, 10), (99, 10), (4, 4), (2, 2), (1, 2), (-5, 2)])
    func aFirstGroupMayBeShorter(frames: Int?, first: Int) throws {
        let spec = SyntheticSpec(
            width: 64, height: 48, framesPerSecond: 25, gopFrames: 10,
            totalBitrate: Bitrate(kilobitsPerSecond: 300))
        var source = try SyntheticSource(spec: spec)
        source.firstGroupFrames = frames
        var keys: [Int] = []
        var sizes: [Int] = []
        for number in 0..<40 {
            let frame = source.next()!
            if frame.isKeyFrame { keys.append(number) }
            sizes.append(frame.payload.readableBytes)
        }
        #expect(keys == [0] + stride(from: first, to: 40, by: 10))
        // Whole groups keep the rate: 10 frames at 25 a second have 120 kbit.
        #expect(sizes[first..<first + 10].reduce(0, +) == 15_000)
    }

    @Test(.enabled(if: FFmpeg.isInstalled, FFmpeg.skipped))
    func aShortFirstGroupDecodesCleanly() throws {
        let path = FFmpeg.temporaryPath("flv")
        defer { try? FileManager.default.removeItem(atPath: path) }
        var source = try SyntheticSource(spec: SyntheticSpec.edgeLadder[3].spec)
        source.firstGroupFrames = 23
        let frames = try source.writeFLV(to: path, seconds: 5)
        try FFmpeg.expectCleanDecode(path, "a short first group")
        let video = try FFmpeg.probe(path, stream: "v")
        #expect(video["nb_read_frames"] == "\(frames.count { $0.kind == .video })")
    }

    /// A publisher writes a frame's numbers into its own copy of the shared payload.
    @Test func sharedFramesAreCompleteWithTheirNumbers() throws {
        var source = try SyntheticSource(spec: SyntheticSpec.edgeLadder[3].spec)
        var shared = source
        var number: UInt64 = 0
        for _ in 0..<300 {
            let whole = source.next()!
            var frame = shared.nextShared()!
            #expect(frame.payload != whole.payload || number == 0)
            var copy = ByteBuffer(string: "before")
            copy.writeImmutableBuffer(frame.payload)
            if let offset = frame.stampOffset {
                let stamp = FrameStamp(
                    streamID: 0, frameNumber: number, intendedNanoseconds: frame.dtsNanoseconds)
                stamp.patch(&copy, at: 6 + offset)
                frame.stamp(stamp, nalUnitLengthSize: source.nalUnitLengthSize)
                number += 1
            }
            frame.counter?.write(into: &copy, at: 6)
            frame.writeCounter()
            #expect(frame == whole)
            #expect(copy.getSlice(at: 6, length: whole.payload.readableBytes) == whole.payload)
        }
    }

    @Test func timestampsFollowTheFrameIndexAndWrap() throws {
        let spec = SyntheticSpec(
            width: 64, height: 64, framesPerSecond: FrameRate(30000, over: 1001), gopFrames: 30,
            totalBitrate: Bitrate(kilobitsPerSecond: 200), startTimestamp: .max - 33)
        var source = try SyntheticSource(spec: spec)
        for index in 0..<1000 {
            let frame = source.next()!
            #expect(frame.dtsNanoseconds == Int64(index) * 1001 * 1_000_000_000 / 30000)
            let milliseconds = (Double(index) * 1001 / 30).rounded()
            #expect(frame.timestamp == (UInt32.max - 33) &+ UInt32(milliseconds))
        }
    }

    @Test func impossibleSpecsNameTheLeastRate() throws {
        var spec = SyntheticSpec.edgeLadder[0].spec
        spec.totalBitrate = Bitrate(kilobitsPerSecond: 140)
        let error = #expect(throws: MediaError.self) { try SyntheticSource(spec: spec) }
        let words = error!.message.split(separator: " ")
        let least = Int(words[words.firstIndex(of: "least")! + 1])!
        spec.totalBitrate = Bitrate(bitsPerSecond: least + 128_000)
        #expect(throws: Never.self) { try SyntheticSource(spec: spec) }
        spec.totalBitrate = Bitrate(bitsPerSecond: least + 128_000 - 8)
        #expect(throws: MediaError.self) { try SyntheticSource(spec: spec) }

        let cases: [(name: String, change: (inout SyntheticSpec) -> Void)] = [
            ("odd width", { $0.width = 641 }),
            ("no rate", { $0.totalBitrate = nil }),
            ("audio above the total", { $0.audioBitrate = Bitrate(kilobitsPerSecond: 5000) }),
            ("audio too low", { $0.audioBitrate = Bitrate(bitsPerSecond: 1000) }),
            (
                "rates beyond reason",
                {
                    $0.totalBitrate = nil
                    $0.videoBitrate = Bitrate(bitsPerSecond: .max)
                }
            ),
            (
                "audio beyond reason",
                {
                    $0.totalBitrate = nil
                    $0.videoBitrate = Bitrate(kilobitsPerSecond: 1000)
                    $0.audioBitrate = Bitrate(bitsPerSecond: .max)
                }
            ),
            ("contradiction", { $0.videoBitrate = Bitrate(kilobitsPerSecond: 1) }),
            ("no frames in a GOP", { $0.gopFrames = 0 }),
            ("unknown sample rate", { $0.sampleRate = 12345 }),
            ("beyond every level", { $0.width = 16384 }),
        ]
        for (name, change) in cases {
            var broken = SyntheticSpec.edgeLadder[0].spec
            change(&broken)
            #expect(throws: MediaError.self, "\(name)") { try SyntheticSource(spec: broken) }
        }
    }

    @Test func specsSurviveJSON() throws {
        var spec = SyntheticSpec.edgeLadder[1].spec
        spec.framesPerSecond = FrameRate(30000, over: 1001)
        let data = try JSONEncoder().encode(spec)
        #expect(try JSONDecoder().decode(SyntheticSpec.self, from: data) == spec)
        let short = #"{"width": 640, "height": 360, "framesPerSecond": 25}"#
        let decoded = try JSONDecoder().decode(SyntheticSpec.self, from: Data(short.utf8))
        #expect(decoded == SyntheticSpec(width: 640, height: 360, framesPerSecond: 25))
    }
}
