import HLS
import Media
import NIOCore
import SimulationKernel
import Testing

@Suite struct BlockingTests {
    @Test func availability() throws {
        var feed = FrameFeed()
        var segmenter = Segmenter(
            configuration: .init(segmentDuration: 2, partDuration: 0.5), token: "a")
        segmenter.setTracks(feed.tracks)
        // The frames make two segments, and two parts of the third, which has the number `next`.
        for frame in feed.frames(seconds: 5.2) {
            _ = try segmenter.append(frame, date: SegmenterTests.date)
        }
        let next = try #require(segmenter.playlist).nextSequence
        #expect(segmenter.position.sequence == next)
        #expect(segmenter.position.parts == 2)
        #expect(segmenter.availability(sequence: next - 1, part: nil) == .available)
        #expect(segmenter.availability(sequence: next - 1, part: 3) == .available)
        #expect(segmenter.availability(sequence: next - 1, part: 99) == .available)
        #expect(segmenter.availability(sequence: next, part: 1) == .available)
        #expect(segmenter.availability(sequence: next, part: 2) == .notYet)
        #expect(segmenter.availability(sequence: next, part: nil) == .notYet)
        #expect(segmenter.availability(sequence: next + 1, part: 0) == .notYet)
        #expect(segmenter.availability(sequence: next + 2, part: nil) == .tooFarAhead)
        let playlist = try #require(segmenter.playlist)
        #expect(playlist.segments[1].parts.count == 4)
        #expect(playlist.preloadHints == [.init(uri: "a-\(next).2.ts")])
        #expect(segmenter.hintedPart == "a-\(next).2.ts")
        #expect(segmenter.report(uri: "x")?.lastPart == 1)
        let control = try #require(playlist.serverControl)
        let part = try #require(playlist.partTarget)
        #expect(control.partHoldBack ?? 0 >= 3 * part - 1e-9)
        #expect(control.holdBack ?? 0 >= 6)
        #expect(control.canSkipUntil ?? 0 >= 12)
        segmenter.finish()
        #expect(segmenter.availability(sequence: next + 7, part: 9) == .available)
    }

    /// A player may begin with an independent part, because the part holds the tables too.
    @Test func independentPartsStandAlone() throws {
        var feed = FrameFeed()
        feed.gops = [30]
        var segmenter = Segmenter(
            configuration: .init(segmentDuration: 2, partDuration: 0.5), token: "a")
        segmenter.setTracks(feed.tracks)
        for frame in feed.frames(seconds: 6.2) {
            _ = try segmenter.append(frame, date: SegmenterTests.date)
        }
        let parts = try #require(segmenter.playlist?.segments.last?.parts)
        #expect(parts.map(\.isIndependent) == [true, false, true, false])
        for part in parts where part.isIndependent {
            let bytes = try #require(segmenter.resource(part.uri)?.bytes)
            let units = try TransportStreamDemuxer.accessUnits(bytes)
            #expect(units.filter { $0.kind == .video }.count == 15)
            #expect(units.first { $0.kind == .video }?.isRandomAccess == true)
        }
    }

    @Test func contentTypes() throws {
        for (container, rate, expected) in [
            (SegmenterTests.Container.ts, 30, "video/mp2t"), (.fmp4, 30, "video/mp4"),
            (.fmp4, nil, "audio/mp4"),
        ] as [(SegmenterTests.Container, Double?, String)] {
            var feed = FrameFeed()
            feed.framesPerSecond = rate
            var segmenter = Segmenter(
                configuration: .init(container: container, segmentDuration: 2), token: "a")
            segmenter.setTracks(feed.tracks)
            for frame in feed.frames(seconds: 5) {
                _ = try segmenter.append(frame, date: SegmenterTests.date)
            }
            let segment = try #require(segmenter.playlist?.segments.last)
            #expect(segmenter.resource(segment.uri)?.contentType == expected)
        }
    }

    /// Of frames far apart, a part has a whole number.
    @Test(arguments: [10, 15, 24, 25, 29.97, 50, 60], [0.1, 0.2, 0.25, 0.5, 1])
    func partTargets(rate: Double, part: Double) throws {
        var feed = FrameFeed()
        feed.framesPerSecond = rate
        feed.gops = [Int(rate.rounded()) * 2]
        feed.hasAudio = false
        var segmenter = Segmenter(
            configuration: .init(container: .fmp4, segmentDuration: 2, partDuration: part),
            token: "a")
        segmenter.setTracks(feed.tracks)
        var watcher = PlaylistWatcher()
        try SegmenterTests.run(feed.frames(seconds: 12), &segmenter, &watcher)
        let target = try #require(segmenter.playlist?.partTarget)
        #expect(target <= part + 0.01)
        #expect(segmenter.counts.parts > 8)
    }

    @Test func bandwidthIsThePeakOfRuns() throws {
        var feed = FrameFeed()
        var segmenter = Segmenter(configuration: .init(segmentDuration: 2), token: "a")
        segmenter.setTracks(feed.tracks)
        for frame in feed.frames(seconds: 20) {
            _ = try segmenter.append(frame, date: SegmenterTests.date)
        }
        let variant = try #require(segmenter.variant(uri: "u"))
        let playlist = try #require(segmenter.playlist)
        let rates = playlist.segments.map { segment in
            Double(segmenter.resource(segment.uri)?.bytes.readableBytes ?? 0) * 8
                / segment.duration
        }
        #expect(Double(variant.bandwidth) >= rates.max() ?? 0)
        #expect(Double(variant.bandwidth) <= (rates.max() ?? 0) + 2)
        #expect(variant.averageBandwidth ?? 0 <= variant.bandwidth)
        #expect(variant.resolution == .init(width: 320, height: 240))
    }
}
