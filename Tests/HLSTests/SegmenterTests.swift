import HLS
import Media
import NIOCore
import SimulationKernel
import Testing

@Suite struct SegmenterTests {
    typealias Container = SegmenterConfiguration.Container

    static let date = ProgramDateTime(millisecondsSince1970: 1_795_268_315_250)

    /// Feeds all frames and checks after each change.
    @discardableResult
    static func run(
        _ frames: [CodedFrame], _ segmenter: inout Segmenter, _ watcher: inout PlaylistWatcher,
        date: ProgramDateTime = date
    ) throws -> Int {
        var changes = 0
        for frame in frames {
            if try segmenter.append(frame, date: date) {
                changes += 1
                try watcher.look(at: segmenter)
            }
        }
        return changes
    }

    /// In streams of all kinds, every frame comes out once, in order, and the playlist keeps the
    /// rules.
    @Test(arguments: 0..<40 as Range<UInt64>) func rulesHold(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var feed = FrameFeed()
        feed.framesPerSecond = [10, 15, 24, 25, 30, 60, 30000 / 1001.0, nil].randomElement(
            using: &random)!
        feed.hasAudio = feed.framesPerSecond == nil || Bool.random(using: &random)
        feed.bFrames = Bool.random(using: &random)
        feed.gops = (0..<4).map { _ in Int.random(in: 1...150, using: &random) }
        feed.start = Int64.random(in: 0...10_000_000, using: &random)
        let container = Container.allCases.randomElement(using: &random)!
        let part: Double? = [nil, 0.2, 0.33, 0.5, 1].randomElement(using: &random)!
        let configuration = SegmenterConfiguration(
            container: container,
            segmentDuration: [1, 2, 2.5, 4].randomElement(using: &random)!,
            partDuration: part, window: [5, 20, 60].randomElement(using: &random)!)
        var segmenter = Segmenter(configuration: configuration, token: "t\(seed)")
        segmenter.setTracks(feed.tracks)
        var watcher = PlaylistWatcher()
        let frames = feed.frames(seconds: 30)
        try Self.run(frames, &segmenter, &watcher)
        segmenter.finish()
        try watcher.look(at: segmenter)
        let playlist = try #require(segmenter.playlist)
        #expect(playlist.hasEndList)
        #expect(playlist.partialSegment == nil)
        #expect(segmenter.counts.longParts == 0)
        #expect(watcher.bytes.count == segmenter.counts.segments)
        let isAudioOnly = feed.framesPerSecond == nil
        let first = try #require(frames.firstIndex { isAudioOnly || $0.kind == .video })
        let map = playlist.segments.last?.map.flatMap { segmenter.resource($0.uri)?.bytes }
        for kind in [CodedFrame.Kind.video, .audio] {
            let sent = frames[first...].filter { $0.kind == kind }.map { frame in
                var payload = frame.payload
                if kind == .video { payload.moveReaderIndex(forwardBy: 4) }
                return payload.slice()
            }
            let found = try watcher.payloads(kind, container, map: map)
            // The comparison is not `found == sent`, because its failure would print megabytes.
            let isSame = found == sent
            #expect(
                isSame,
                "\(kind): \(found.count) of \(sent.count); first other \(zip(found, sent).enumerated().first { $1.0 != $1.1 }?.0 ?? -1)"
            )
        }
        let total = playlist.duration + 0.001
        #expect(total >= min(configuration.window, 20) || segmenter.counts.segments <= 3)
    }

    @Test func cutsAtKeyFramesOnTheGrid() throws {
        var feed = FrameFeed()
        feed.gops = [30]
        feed.start = 41_000
        var segmenter = Segmenter(
            configuration: .init(segmentDuration: 2), token: "a")
        segmenter.setTracks(feed.tracks)
        var watcher = PlaylistWatcher()
        try Self.run(feed.frames(seconds: 12), &segmenter, &watcher)
        let playlist = try #require(segmenter.playlist)
        // 41 s is not a multiple of 2 s: the first segment is short, so that others are cut alike.
        #expect(playlist.segments.map(\.duration) == [1, 2, 2, 2, 2, 2])
        #expect(playlist.targetDuration == 2)
        #expect(playlist.hasIndependentSegments)
        #expect(playlist.segments[0].programDateTime == Self.date)
        #expect(
            playlist.segments[3].programDateTime?.millisecondsSince1970
                == Self.date.millisecondsSince1970 + 5000)
        #expect(playlist.version == 3)
    }

    /// A segment holds two groups of pictures, although the first segment, cut to the grid, has
    /// one.
    @Test func groupsThatDoNotDivideTheSegment() throws {
        var feed = FrameFeed()
        feed.gops = [45]
        feed.start = 41_000
        var segmenter = Segmenter(configuration: .init(segmentDuration: 2), token: "a")
        segmenter.setTracks(feed.tracks)
        var watcher = PlaylistWatcher()
        try Self.run(feed.frames(seconds: 20), &segmenter, &watcher)
        let playlist = try #require(segmenter.playlist)
        #expect(playlist.segments.map(\.duration).prefix(4) == [1.5, 3, 3, 3])
        #expect(playlist.targetDuration == 3)
        #expect(segmenter.counts.forcedCuts == 0)
    }

    /// The first group of pictures decides; a longer one later is cut within.
    @Test func longGroupsOfPictures() throws {
        var feed = FrameFeed()
        feed.gops = [150, 150, 240, 60, 60]
        var segmenter = Segmenter(configuration: .init(segmentDuration: 2), token: "a")
        segmenter.setTracks(feed.tracks)
        var watcher = PlaylistWatcher()
        try Self.run(feed.frames(seconds: 40), &segmenter, &watcher)
        let playlist = try #require(segmenter.playlist)
        #expect(playlist.targetDuration == 5)
        #expect(segmenter.counts.forcedCuts > 0)
        #expect(!playlist.hasIndependentSegments)
        #expect(playlist.segments.allSatisfy { $0.duration < 5.5 })
    }

    @Test func noKeyFrameAtAll() throws {
        var feed = FrameFeed()
        feed.gops = [100_000]
        var segmenter = Segmenter(configuration: .init(segmentDuration: 2), token: "a")
        segmenter.setTracks(feed.tracks)
        var watcher = PlaylistWatcher()
        try Self.run(feed.frames(seconds: 60), &segmenter, &watcher)
        #expect(segmenter.counts.segments == 2)
        #expect(segmenter.targetDuration == 20)
    }

    @Test func pictureStopsSoundGoesOn() throws {
        var feed = FrameFeed()
        let frames = feed.frames(seconds: 30).filter {
            $0.kind == .audio || $0.decodeTime < 10 * 90_000
        }
        var segmenter = Segmenter(configuration: .init(segmentDuration: 2), token: "a")
        segmenter.setTracks(feed.tracks)
        var watcher = PlaylistWatcher()
        try Self.run(frames, &segmenter, &watcher)
        #expect(segmenter.counts.segments >= 11)
    }

    @Test func windowSlidesAndWhatLeftStaysForAWhile() throws {
        var feed = FrameFeed()
        var segmenter = Segmenter(
            configuration: .init(segmentDuration: 2, window: 10), token: "a")
        segmenter.setTracks(feed.tracks)
        var first: Int?
        var gone: [(name: String, sequence: Int)] = []
        var listed: [String] = []
        for frame in feed.frames(seconds: 100) {
            guard try segmenter.append(frame, date: Self.date) else { continue }
            let names = segmenter.playlist?.segments.map(\.uri) ?? []
            first = first ?? segmenter.playlist?.mediaSequence
            gone += Set(listed).subtracting(names).map { ($0, segmenter.nextSequence) }
            listed = names
            for (name, sequence) in gone {
                // The segment stays for the playlist's longest duration, 12 s, and its own 2 s:
                // seven segments.
                let isThere = segmenter.resource(name) != nil
                let age = segmenter.nextSequence - sequence
                #expect(isThere == (age < 7), "\(name) after \(age)")
            }
        }
        #expect(listed.count == 5)
        #expect(segmenter.playlist?.mediaSequence == first.map { $0 + 44 })
        #expect(segmenter.byteCount < 14 * 2 * 30 * 1300)
    }

    @Test func byteLimitHolds() throws {
        var feed = FrameFeed()
        feed.payloadBytes = 20_000
        var configuration = SegmenterConfiguration(segmentDuration: 2, window: 3600)
        configuration.totalByteLimit = 8 << 20
        var segmenter = Segmenter(configuration: configuration, token: "a")
        segmenter.setTracks(feed.tracks)
        for frame in feed.frames(seconds: 60) {
            _ = try segmenter.append(frame, date: Self.date)
            #expect(segmenter.byteCount <= (8 << 20) + 2_000_000)
        }
        #expect(segmenter.playlist?.segments.count ?? 0 >= 3)
    }
}

@Suite struct DiscontinuityTests {
    /// A publisher that comes back, new parameter sets, and timestamps that jump are each one
    /// discontinuity; its number stays when it leaves the playlist.
    @Test(arguments: SegmenterTests.Container.allCases, [nil, 0.5] as [Double?])
    func allCauses(container: SegmenterTests.Container, part: Double?) throws {
        var feed = FrameFeed()
        var segmenter = Segmenter(
            configuration: .init(
                container: container, segmentDuration: 2, partDuration: part, window: 20),
            token: "a")
        segmenter.setTracks(feed.tracks)
        var watcher = PlaylistWatcher()
        try SegmenterTests.run(feed.frames(seconds: 7), &segmenter, &watcher)
        let first = try #require(segmenter.playlist).discontinuitySequence
        segmenter.interrupt()
        try watcher.look(at: segmenter)
        feed.start = 7_040
        try SegmenterTests.run(feed.frames(seconds: 7), &segmenter, &watcher)
        // The resolution changes.
        segmenter.setTracks(MediaTracks(video: FrameFeed.video(level: 20), audio: FrameFeed.audio))
        feed.start = 14_040
        try SegmenterTests.run(feed.frames(seconds: 7), &segmenter, &watcher)
        // The encoder starts again at 0, then jumps ahead.
        feed.start = 0
        try SegmenterTests.run(feed.frames(seconds: 5), &segmenter, &watcher)
        feed.start = 1_000_000
        try SegmenterTests.run(feed.frames(seconds: 5), &segmenter, &watcher)
        #expect(segmenter.counts.discontinuities == 4)
        let playlist = try #require(segmenter.playlist)
        let listed = playlist.segments.filter(\.isDiscontinuity).count
        let open = playlist.partialSegment?.isDiscontinuity == true ? 1 : 0
        #expect(playlist.discontinuitySequence - first + listed + open == 4)
        #expect(playlist.discontinuitySequence > first)
        if container == .fmp4 { #expect(Set(playlist.segments.compactMap(\.map)).count >= 2) }
    }

    /// After the end of the playlist a new one begins, and its numbers continue.
    @Test func endAndReturn() throws {
        var feed = FrameFeed()
        var segmenter = Segmenter(configuration: .init(segmentDuration: 2), token: "a")
        segmenter.setTracks(feed.tracks)
        var watcher = PlaylistWatcher()
        try SegmenterTests.run(feed.frames(seconds: 9), &segmenter, &watcher)
        segmenter.finish()
        try watcher.look(at: segmenter)
        let old = try #require(segmenter.playlist)
        #expect(old.hasEndList)
        #expect(old.segments.count == 5)
        feed.start = 0
        feed.gops = [90]
        let later = ProgramDateTime(
            millisecondsSince1970: SegmenterTests.date.millisecondsSince1970 + 100_000)
        try SegmenterTests.run(feed.frames(seconds: 9.5), &segmenter, &watcher, date: later)
        let new = try #require(segmenter.playlist)
        #expect(!new.hasEndList)
        #expect(new.mediaSequence == old.nextSequence)
        #expect(new.targetDuration == 3)
        #expect(new.segments[0].isDiscontinuity)
        #expect(segmenter.resource(old.segments[4].uri) != nil)
    }

    /// A server that begins anew at the same address continues the numbers, however many segments
    /// it had made before; renditions with one date have equal numbers.
    @Test func numbersGoOnAfterARestart() throws {
        func played(_ seconds: Double, after: Int64, gops: [Int]) throws -> MediaPlaylist {
            var feed = FrameFeed()
            feed.gops = gops
            var segmenter = Segmenter(configuration: .init(segmentDuration: 2), token: "a")
            segmenter.setTracks(feed.tracks)
            var watcher = PlaylistWatcher()
            let begin = SegmenterTests.date.millisecondsSince1970 + after
            try SegmenterTests.run(
                feed.frames(seconds: seconds), &segmenter, &watcher,
                date: ProgramDateTime(millisecondsSince1970: begin))
            return try #require(segmenter.playlist)
        }
        // Segments are a frame shorter than 2 s: 57 frames of 30 a second.
        let old = try played(400, after: 0, gops: [57])
        let new = try played(10, after: 401_000, gops: [60])
        #expect(new.mediaSequence >= old.nextSequence)
        #expect(try played(10, after: 0, gops: [30]).nextSequence <= old.mediaSequence)
        #expect(try played(10, after: 401_000, gops: [20]).mediaSequence == new.mediaSequence)
    }

    /// Audio that begins a little after the video breaks nothing.
    @Test func audioComesLater() throws {
        var feed = FrameFeed()
        var segmenter = Segmenter(configuration: .init(segmentDuration: 2), token: "a")
        segmenter.setTracks(MediaTracks(video: FrameFeed.video()))
        var watcher = PlaylistWatcher()
        let frames = feed.frames(seconds: 9)
        try SegmenterTests.run(Array(frames[..<20]), &segmenter, &watcher)
        segmenter.setTracks(feed.tracks)
        try SegmenterTests.run(Array(frames[20...]), &segmenter, &watcher)
        #expect(segmenter.counts.discontinuities == 0)
        #expect(segmenter.variant(uri: "u")?.codecs == FrameFeed().tracks.codecs)
    }
}
