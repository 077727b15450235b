import HLS
import Media
import NIOCore
import Testing

/// Limits on the memory that a stranger can make a segmenter hold.
@Suite struct SegmenterHostileTests {
    /// Configuration with 200 KiB of parameter sets, which a sequence header may have.
    private static let longSets: AVCDecoderConfigurationRecord = {
        let video = FrameFeed.video()
        let sets = (0..<4).map { number in
            ByteBuffer(bytes: [0x68] + [UInt8](repeating: 0x80 | UInt8(number), count: 50_000))
        }
        return AVCDecoderConfigurationRecord(
            profile: video.profile, profileCompatibility: video.profileCompatibility,
            level: video.level, sps: video.sps, pps: video.pps + sets)
    }()

    /// Each key frame of ten bytes has the parameter sets before it in a transport stream.
    @Test(arguments: [0, 1, 40] as [Int64]) func keyFramesWithLongParameterSets(
        step: Int64
    ) throws {
        var configuration = SegmenterConfiguration(container: .ts, window: 60)
        configuration.totalByteLimit = 16 << 20
        var segmenter = Segmenter(configuration: configuration, token: "t")
        segmenter.setTracks(MediaTracks(video: Self.longSets))
        let payload = ByteBuffer(bytes: [0, 0, 0, 2, 0x65, 0x88])
        var longest = 0
        var stored = 0
        for number in 0..<400 as Range<Int64> {
            let frame = CodedFrame(
                kind: .video, decodeTime: number * step * 90, isKeyFrame: true, payload: payload)
            guard try segmenter.append(frame, date: SegmenterTests.date) else { continue }
            let uri = try #require(segmenter.playlist?.segments.last?.uri)
            let bytes = try #require(segmenter.resource(uri)).bytes.readableBytes
            longest = max(longest, bytes)
            stored = max(stored, segmenter.byteCount)
        }
        segmenter.finish()
        if let uri = segmenter.playlist?.segments.last?.uri {
            longest = max(longest, segmenter.resource(uri)?.bytes.readableBytes ?? 0)
        }
        #expect(longest <= 6 << 20, "a segment of \(longest) bytes")
        #expect(stored <= 20 << 20, "\(stored) bytes are kept")
    }

    /// Another configuration of 100 KB comes every 3 s: the ones that listed segments need count.
    @Test func initializationSectionsCount() throws {
        var configuration = SegmenterConfiguration(container: .fmp4, window: 3600)
        configuration.totalByteLimit = 4 << 20
        var segmenter = Segmenter(configuration: configuration, token: "t")
        let video = FrameFeed.video()
        var most = 0
        for number in 0..<100 as Range<Int64> {
            let sets = (0..<2).map { _ in
                ByteBuffer(
                    bytes: [0x68] + [UInt8](repeating: UInt8(number), count: 50_000))
            }
            segmenter.setTracks(
                MediaTracks(
                    video: AVCDecoderConfigurationRecord(
                        profile: video.profile, profileCompatibility: video.profileCompatibility,
                        level: video.level, sps: video.sps, pps: video.pps + sets)))
            for step in 0..<3 as Range<Int64> {
                let frame = CodedFrame(
                    kind: .video, decodeTime: (number * 3 + step) * 90_000, isKeyFrame: true,
                    payload: ByteBuffer(bytes: [0, 0, 0, 2, 0x65, 0x88]))
                _ = try segmenter.append(frame, date: SegmenterTests.date)
            }
            most = max(most, segmenter.byteCount)
        }
        #expect(segmenter.counts.segments > 100)
        #expect(most <= 6 << 20, "\(most) bytes")
    }

    /// A lower limit acts at once, and the remaining segments are a playlist.
    @Test func aLowerLimitActsAtOnce() throws {
        var feed = FrameFeed()
        feed.payloadBytes = 20_000
        var segmenter = Segmenter(
            configuration: SegmenterConfiguration(container: .ts, window: 3600), token: "t")
        segmenter.setTracks(feed.tracks)
        var watcher = PlaylistWatcher()
        let frames = feed.frames(seconds: 30)
        try SegmenterTests.run(frames, &segmenter, &watcher)
        #expect(segmenter.byteCount > 10 << 20)
        let isChanged = segmenter.setTotalByteLimit(5 << 20)
        #expect(isChanged)
        #expect(segmenter.byteCount <= 5 << 20)
        try watcher.look(at: segmenter)
        let isChangedAgain = segmenter.setTotalByteLimit(5 << 20)
        #expect(!isChangedAgain)
    }

    /// The very first frame waits for a second one, unless it is huge.
    @Test func hugeFramesDoNotWait() {
        var timeline = FrameTimeline()
        let huge = CodedFrame(
            kind: .video, decodeTime: 90_000, isKeyFrame: true,
            payload: ByteBuffer(repeating: 1, count: FrameTimeline.longestHeld + 1))
        let first = timeline.admit(huge)
        #expect(first == [huge])
        var next = huge
        next.decodeTime += 3_600
        let second = timeline.admit(next)
        #expect(second == [next])
        let rest = timeline.flush()
        #expect(rest.isEmpty)
        #expect(timeline.counts == FrameTimeline.Counts())
    }
}
