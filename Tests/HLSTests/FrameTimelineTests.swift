import HLS
import Media
import NIOCore
import SimulationKernel
import Testing

/// The timeline stays intact with timestamps as strangers and broken encoders send them.
@Suite struct FrameTimelineTests {
    private struct Outcome: Equatable {
        var durations: [Double] = []
        var discontinuities = 0
        var counts = FrameTimeline.Counts()
    }

    private static func package(
        _ frames: [CodedFrame], _ tracks: MediaTracks, container: SegmenterConfiguration.Container
    ) throws -> (Outcome, Segmenter) {
        var timeline = FrameTimeline()
        var segmenter = Segmenter(
            configuration: .init(container: container, window: 3600), token: "t")
        segmenter.setTracks(tracks)
        for frame in frames {
            for known in timeline.admit(frame) {
                _ = try segmenter.append(known, date: SegmenterTests.date)
            }
        }
        for known in timeline.flush() {
            _ = try segmenter.append(known, date: SegmenterTests.date)
        }
        segmenter.finish()
        var outcome = Outcome(counts: timeline.counts)
        for segment in segmenter.playlist?.segments ?? [] {
            outcome.durations.append(segment.duration)
            if segment.isDiscontinuity { outcome.discontinuities += 1 }
        }
        return (outcome, segmenter)
    }

    /// One stray frame anywhere, of either kind, at any time, changes nothing else.
    @Test(arguments: 0..<120 as Range<UInt64>) func aLoneStrayChangesNothingElse(
        seed: UInt64
    ) throws {
        var random = SeededGenerator(seed: seed)
        var feed = FrameFeed()
        feed.framesPerSecond = [10, 25, 30, 60, nil].randomElement(using: &random) ?? nil
        feed.hasAudio = feed.framesPerSecond == nil || Bool.random(using: &random)
        feed.gops = [Int.random(in: 10...90, using: &random)]
        feed.start = Int64.random(in: 0...5_000_000, using: &random)
        let container: SegmenterConfiguration.Container = seed % 2 == 0 ? .ts : .fmp4
        let frames = feed.frames(seconds: 12)
        let (control, _) = try Self.package(frames, feed.tracks, container: container)
        #expect(control.counts == FrameTimeline.Counts())
        var stray = frames
        let index = Int.random(in: 0..<frames.count - 1, using: &random)
        let far: Int64 =
            [
                0, Int64.random(in: 1_000...400_000, using: &random) * 900, 1 << 40,
                frames[index].decodeTime + Int64.random(in: 500...9_000, using: &random) * 90,
                max(
                    0, frames[index].decodeTime - Int64.random(in: 500...9_000, using: &random) * 90
                ),
            ].randomElement(using: &random) ?? 0
        guard abs(far - frames[index].decodeTime) > 45_000 else { return }
        stray[index].decodeTime = far
        let (outcome, segmenter) = try Self.package(stray, feed.tracks, container: container)
        #expect(outcome.counts.restamped + outcome.counts.dropped <= 1, "seed \(seed)")
        #expect(outcome.counts.jumps == 0, "seed \(seed)")
        #expect(outcome.discontinuities == control.discontinuities, "seed \(seed)")
        #expect(outcome.durations.count == control.durations.count, "seed \(seed)")
        for (a, b) in zip(outcome.durations, control.durations) {
            // A stray frame that opens or ends the stream has a neighbour on one side only.
            #expect(abs(a - b) < 0.11, "seed \(seed): \(outcome.durations) \(control.durations)")
        }
        #expect(segmenter.counts.droppedSegments == 0)
    }

    /// A real jump is one discontinuity, and no frame is lost.
    @Test(arguments: [true, false], [-3600, 11, 40, 86_400] as [Int64])
    func aJumpThatIsFollowedCounts(hasAudio: Bool, seconds: Int64) throws {
        var feed = FrameFeed()
        feed.hasAudio = hasAudio
        feed.start = 5_000_000
        let first = feed.frames(seconds: 6)
        feed.start += 6_000 + seconds * 1000
        let second = feed.frames(seconds: 6)
        let (outcome, segmenter) = try Self.package(first + second, feed.tracks, container: .ts)
        #expect(outcome.counts.jumps == 1)
        #expect(outcome.counts.restamped + outcome.counts.dropped == 0)
        #expect(outcome.discontinuities == 1)
        #expect(abs(outcome.durations.reduce(0, +) - 12) < 0.2)
        #expect(segmenter.counts.droppedFrames == 0)
    }

    /// A pause of both tracks, or of one, is neither stray nor a jump.
    @Test func pausesAreNoJumps() throws {
        var feed = FrameFeed()
        let frames = feed.frames(seconds: 20)
        for kinds in [[CodedFrame.Kind.video, .audio], [.video], [.audio]] {
            let gap = (6 * 90_000..<9 * 90_000) as Range<Int64>
            let kept = frames.filter { !kinds.contains($0.kind) || !gap.contains($0.decodeTime) }
            let (outcome, _) = try Self.package(kept, feed.tracks, container: .ts)
            #expect(outcome.counts == FrameTimeline.Counts(), "\(kinds)")
        }
    }

    /// Audio that is hours ahead of the video is dropped, and the video continues.
    @Test func soundFarAheadDoesNotStopThePicture() throws {
        var feed = FrameFeed()
        var frames = feed.frames(seconds: 20)
        for index in frames.indices where frames[index].kind == .audio {
            frames[index].decodeTime += 10_000 * 90_000
        }
        let (outcome, segmenter) = try Self.package(frames, feed.tracks, container: .ts)
        #expect(segmenter.targetDuration == 2)
        #expect(outcome.durations.count == 10)
        #expect(outcome.counts.jumps == 0)
        #expect(outcome.counts.dropped > 800)
    }

    /// With any timestamps, memory and target duration are bounded, and times do not go back.
    @Test(arguments: 0..<30 as Range<UInt64>, SegmenterConfiguration.Container.allCases)
    func hostileTimestampsAreBounded(
        seed: UInt64, container: SegmenterConfiguration.Container
    ) throws {
        var random = SeededGenerator(seed: seed)
        var configuration = SegmenterConfiguration(
            container: container, partDuration: seed % 3 == 0 ? 0.5 : nil, window: 10)
        configuration.segmentByteLimit = 200_000
        configuration.totalByteLimit = 1 << 20
        configuration.segmentLimit = 50
        var feed = FrameFeed()
        let frames = feed.frames(seconds: 60)
        var timeline = FrameTimeline()
        var segmenter = Segmenter(configuration: configuration, token: "t")
        segmenter.setTracks(feed.tracks)
        var watcher = PlaylistWatcher()
        watcher.checksParts = false
        var time: Int64 = 0
        let style = seed % 6
        var heldBack = 0
        for (index, frame) in frames.enumerated() {
            var frame = frame
            switch style {
            case 0: time = Int64.random(in: 0...1 << 45, using: &random)
            case 1: time = [0, 1, 90, 1 << 38, 1 << 39].randomElement(using: &random) ?? 0
            case 2: time += index % 2 == 0 ? 11 * 90_000 : 90
            case 3: time = frame.kind == .video ? 0 : 90
            case 4: time += index % 4 == 0 ? 9 * 90_000 : -80_000
            default: time = frame.decodeTime * Int64(1 + index % 3)
            }
            frame.decodeTime = max(0, time)
            if Bool.random(using: &random) { frame.isKeyFrame = true }
            let known = timeline.admit(frame)
            heldBack += 1 - known.count
            for known in known where try segmenter.append(known, date: SegmenterTests.date) {
                try watcher.look(at: segmenter)
            }
            #expect(segmenter.byteCount <= 2 << 20, "seed \(seed)")
            #expect((segmenter.playlist?.segments.count ?? 0) <= 50, "seed \(seed)")
            #expect((segmenter.targetDuration ?? 0) <= 31, "seed \(seed)")
        }
        let rest = timeline.flush()
        for known in rest { _ = try segmenter.append(known, date: SegmenterTests.date) }
        // Every frame is either handed on or counted.
        #expect(heldBack - rest.count == timeline.counts.dropped, "seed \(seed)")
    }

    /// Very many small frames of one moment follow a key frame.
    @Test func oneMomentForEverIsBounded() throws {
        var configuration = SegmenterConfiguration()
        configuration.segmentByteLimit = 1 << 20
        var segmenter = Segmenter(configuration: configuration, token: "t")
        var feed = FrameFeed()
        segmenter.setTracks(feed.tracks)
        let frames = feed.frames(seconds: 1)
        let picture = try #require(frames.first { $0.kind == .video })
        var sound = try #require(frames.first { $0.kind == .audio })
        sound.decodeTime = picture.decodeTime
        _ = try segmenter.append(picture, date: SegmenterTests.date)
        for _ in 0..<20_000 { _ = try segmenter.append(sound, date: SegmenterTests.date) }
        #expect(segmenter.counts.droppedFrames > 10_000)
        #expect(segmenter.byteCount == 0)
    }

    /// Audio that a container cannot express is left out; the video is not.
    @Test(arguments: SegmenterConfiguration.Container.allCases, 0..<40 as Range<UInt64>)
    func anySoundLeavesThePicture(
        container: SegmenterConfiguration.Container, seed: UInt64
    ) throws {
        var random = SeededGenerator(seed: seed)
        let bytes = (0..<8).map { _ in UInt8.random(in: 0...255, using: &random) }
        guard let config = try? AudioSpecificConfig(parsing: ByteBuffer(bytes: bytes)) else {
            return
        }
        var feed = FrameFeed()
        var segmenter = Segmenter(configuration: .init(container: container), token: "t")
        segmenter.setTracks(MediaTracks(video: FrameFeed.video(), audio: config))
        let isSaid = (try? ADTSHeader(config: config, payloadLength: 0)) != nil
        #expect(segmenter.takes(.audio) == (container == .fmp4 || isSaid))
        #expect((segmenter.trackProblem == nil) == segmenter.takes(.audio))
        let frames = feed.frames(seconds: 6)
        for frame in frames { _ = try segmenter.append(frame, date: SegmenterTests.date) }
        #expect(segmenter.playlist?.segments.count == 2)
        let sound = frames.count { $0.kind == .audio }
        #expect(segmenter.takes(.audio) || segmenter.counts.droppedFrames == sound)
    }
}
