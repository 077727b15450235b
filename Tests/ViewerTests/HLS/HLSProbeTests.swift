import HLS
import Media
import NIOCore
import SimulationKernel
import Statistics
import Testing

@testable import Viewer

/// What probes read out of segments and parts, with stamps that the test planted.
@Suite struct HLSProbeTests {
    private static let interval: Int64 = 100_000_000
    private static let window = Window(
        startNanoseconds: 1_000_000_000, endNanoseconds: 4_000_000_000)

    /// A stamped stream of ten frames a second as the segmenter publishes it, one second a segment.
    /// Frame n is meant for n · 100 ms and is published when the frame after its piece comes.
    private struct Published {
        var segments: [[HLSResource]] = []
        var initialization: ByteBuffer?

        init(
            _ container: SegmenterConfiguration.Container, parts: Bool = false,
            isStamped: Bool = true, seconds: Int = 6, streamID: UInt32 = 3
        ) throws {
            var source = try SyntheticSource(
                spec: SyntheticSpec(
                    width: 64, height: 48, framesPerSecond: 10, gopFrames: 10,
                    totalBitrate: Bitrate(kilobitsPerSecond: 300),
                    audioBitrate: Bitrate(kilobitsPerSecond: 64)))
            var reader = FLVFrameReader()
            for (kind, header) in [
                (FLVTagType.video, source.videoSequenceHeader),
                (.audio, source.audioSequenceHeader),
            ] {
                if let header { _ = try reader.read(kind, timestamp: 0, payload: header) }
            }
            let clock = TestClock()
            var segmenter = Segmenter(
                configuration: .init(
                    container: container, segmentDuration: 1, partDuration: parts ? 0.3 : nil,
                    window: 60),
                token: "t", clock: { clock.now })
            segmenter.setTracks(reader.tracks)
            var number: UInt64 = 0
            while number < UInt64(seconds) * 10 {
                guard var frame = source.next() else { break }
                if frame.kind == .video {
                    clock.now = Int64(number) * HLSProbeTests.interval
                    if isStamped {
                        let stamp = FrameStamp(
                            streamID: streamID, frameNumber: number, intendedNanoseconds: clock.now,
                            latenessMicroseconds: 2000)
                        frame.stamp(stamp, nalUnitLengthSize: source.nalUnitLengthSize)
                    } else if let place = frame.stampOffset {
                        // Somebody else's SEI message: the UUID before the fields is not ours.
                        frame.payload.setInteger(
                            UInt8(1), at: frame.payload.readerIndex + place - 1)
                    }
                    number += 1
                }
                let coded = try #require(
                    try reader.read(
                        frame.kind == .video ? .video : .audio, timestamp: frame.timestamp,
                        payload: frame.payload))
                _ = try segmenter.append(coded, date: .init(millisecondsSince1970: 0))
            }
            let playlist = try #require(segmenter.playlist)
            let suffix = container == .ts ? "ts" : "m4s"
            segments = playlist.segments.enumerated().map { number, segment in
                // The playlist has ceased to list the parts of old segments.
                let parts = (0..<10).compactMap {
                    segmenter.resource("t-\(number).\($0).\(suffix)")
                }
                return parts.isEmpty ? [segmenter.resource(segment.uri)].compactMap(\.self) : parts
            }
            initialization = playlist.segments[0].map.flatMap { segmenter.resource($0.uri)?.bytes }
        }
    }

    private final class TestClock: @unchecked Sendable { var now: Int64 = 0 }

    private func fetch(
        _ resource: HLSResource, _ probe: inout HLSProbe, sequence: Int, rendition: Int = 0,
        at times: [Int64], window: Window? = window
    ) {
        feed(resource.bytes, &probe, at: times)
        probe.media(
            .init(
                rendition: rendition, sequence: sequence,
                publishedNanoseconds: resource.publishedNanoseconds), window: window)
    }

    /// A body in as many reads as there are times, of equal size.
    private func feed(_ body: ByteBuffer, _ probe: inout HLSProbe, at times: [Int64]) {
        probe.begin()
        body.withUnsafeReadableBytes { bytes in
            for (i, time) in times.enumerated() {
                let from = bytes.count * i / times.count
                let to = bytes.count * (i + 1) / times.count
                probe.take(UnsafeRawBufferPointer(rebasing: bytes[from..<to]), at: time)
            }
        }
    }

    private func probe(_ published: Published, joinedAt: Int64 = 0) -> HLSProbe {
        var probe = HLSProbe(joinedAt: joinedAt)
        if let initialization = published.initialization {
            feed(initialization, &probe, at: [0])
            probe.initialization(of: 0)
        }
        return probe
    }

    /// Every frame of the window once, with the delay to its segment's last byte and to the moment
    /// of publication.
    @Test(arguments: SegmenterConfiguration.Container.allCases)
    func wholeSegments(container: SegmenterConfiguration.Container) throws {
        let published = try Published(container)
        var probe = probe(published)
        for (sequence, resources) in published.segments.enumerated() {
            let resource = try #require(resources.first)
            let at = try #require(resource.publishedNanoseconds)
            #expect(at == Int64(sequence + 1) * 1_000_000_000)
            fetch(resource, &probe, sequence: sequence, at: [at + 50_000_000])
        }
        let rendition = try #require(probe.report.renditions.first)
        #expect(probe.report.renditions.count == 1 && probe.report.unreadable == 0)
        #expect(
            rendition.streamID == 3 && rendition.windowFrames == 30
                && rendition.duplicateFrames == 0)
        #expect(rendition.runs == [.init(first: 10, last: 39, seen: 10)])
        // Of ten frames a segment the first waits 1 s, the last 100 ms.
        #expect(rendition.published.count == 30 && rendition.published.maximumMilliseconds == 1000)
        #expect(rendition.published.meanMilliseconds == 550)
        #expect(
            rendition.delay.meanMilliseconds == 600 && rendition.delay.maximumMilliseconds == 1050)
        #expect(rendition.uncorrectedDelay.meanMilliseconds == 598)
        #expect(rendition.unstampedFrames == 0)
    }

    /// Parts keep the time of their own publication after their segment is whole.
    @Test(arguments: SegmenterConfiguration.Container.allCases)
    func parts(container: SegmenterConfiguration.Container) throws {
        let published = try Published(container, parts: true)
        var probe = probe(published)
        var counts: [Int] = []
        for (sequence, resources) in published.segments.enumerated() {
            counts.append(resources.count)
            for resource in resources {
                let at = try #require(resource.publishedNanoseconds)
                fetch(resource, &probe, sequence: sequence, at: [at])
            }
        }
        // The first segment is offered without parts; then 3, 3, 3 and 1 frames.
        #expect(counts.dropFirst().allSatisfy { $0 == 4 }, "\(counts)")
        let rendition = try #require(probe.report.renditions.first)
        #expect(rendition.windowFrames == 30 && rendition.runs.count == 1)
        #expect(rendition.published.maximumMilliseconds == 300)
        #expect(rendition.delay.meanMilliseconds == rendition.published.meanMilliseconds)
        #expect(rendition.published.meanMilliseconds == 190)
    }

    /// A frame counts from the read that brought its last byte, not from the segment's end.
    @Test(arguments: SegmenterConfiguration.Container.allCases)
    func frameByFrame(container: SegmenterConfiguration.Container) throws {
        let published = try Published(container)
        let resource = try #require(published.segments[1].first)
        let times = (0..<40).map { 2_000_000_000 + Int64($0) * 10_000_000 }
        var probe = probe(published)
        fetch(resource, &probe, sequence: 1, at: times)
        let rendition = try #require(probe.report.renditions.first)
        #expect(rendition.windowFrames == 10)
        // The same by looking for the last byte of each frame's slice.
        var expected: [Int64] = []
        for (number, end) in try Self.frameEnds(resource.bytes, published) {
            let place = times.indices.first {
                resource.bytes.readableBytes * ($0 + 1) / times.count >= end
            }
            expected.append(times[try #require(place)] - Int64(number) * Self.interval)
        }
        let mean = Double(expected.reduce(0, +)) / Double(expected.count) / 1e6
        #expect(abs((rendition.delay.meanMilliseconds ?? 0) - mean) < 1e-6)
        #expect(rendition.delay.maximumMilliseconds == Double(expected.max() ?? 0) / 1e6)
        // Not all frames came with the last read.
        #expect(mean < Double(times.last! - 10 * Self.interval) / 1e6 - 450)
    }

    /// Numbers and ends of the frames: by cutting the body off ever earlier.
    private static func frameEnds(
        _ body: ByteBuffer, _ published: Published
    ) throws -> [(UInt64, Int)] {
        if let initialization = published.initialization {
            let reader = try FragmentedMP4Reader(initializationSegment: initialization)
            return try reader.samples(body).filter { $0.kind == .video }.map { sample in
                let number = try #require(
                    FrameStamp.find(inAccessUnit: sample.payload, nalUnitLengthSize: 4)
                ).frameNumber
                let place = try #require(
                    body.readableBytesView.firstRange(of: Array(sample.payload.readableBytesView)))
                return (number, place.upperBound - body.readerIndex)
            }
        }
        let whole = try TransportStreamDemuxer.accessUnits(body).filter { $0.kind == .video }
        return try whole.enumerated().map { index, unit in
            let number = try #require(FrameStamp.find(inAnnexB: unit.payload)).frameNumber
            var end = body.readableBytes
            while end > 188 {
                let cut = body.getSlice(at: body.readerIndex, length: end - 188)!
                let units = try TransportStreamDemuxer.accessUnits(cut).filter {
                    $0.kind == .video
                }
                guard units.count > index, units[index].payload == unit.payload else { break }
                end -= 188
            }
            return (number, end)
        }
    }

    /// What was meant before the probe joined is not live; a part that was never fetched is missed
    /// where the segments go on, and not where they do not.
    @Test func joinGapsAndDuplicates() throws {
        let published = try Published(.fmp4, parts: true, seconds: 8)
        let window = Window(startNanoseconds: 0, endNanoseconds: 6_500_000_000)
        var probe = probe(published, joinedAt: 1_250_000_000)
        func take(_ sequence: Int, _ place: Int) {
            fetch(
                published.segments[sequence][place], &probe, sequence: sequence,
                at: [9_000_000_000], window: window)
        }
        for place in [0, 1, 3] { take(1, place) }  // 10–15, 19
        for place in [0, 1, 1, 2, 3] { take(2, place) }  // 20–29
        for place in [1, 2, 3] { take(4, place) }  // 43–49
        for place in [0, 1, 2, 3] { take(5, place) }
        for place in [0, 3] { take(6, place) }  // 60–62, 69
        let rendition = try #require(probe.report.renditions.first)
        #expect(
            rendition.runs == [
                .init(first: 13, last: 29, seen: 13), .init(first: 43, last: 68, seen: 43),
            ])
        // 13–15, 19–29, 43–59, 60–62: of the 62 to 64 in the window two did not come.
        #expect(rendition.windowFrames == 3 + 1 + 10 + 17 + 3)
        #expect(rendition.duplicateFrames == 3)
    }

    @Test func nothingToRead() throws {
        let plain = try Published(.ts, isStamped: false)
        var probe = probe(plain)
        fetch(plain.segments[2][0], &probe, sequence: 2, at: [5_000_000_000])
        #expect(probe.report.renditions.first?.unstampedFrames == 10)
        #expect(probe.report.renditions.first?.windowFrames == 0)
        #expect(probe.report.renditions.first?.streamID == nil)
        // Broken bytes are counted, and what comes after them is read.
        probe.begin()
        [UInt8](repeating: 0x20, count: 400).withUnsafeBytes { probe.take($0, at: 1) }
        probe.media(.init(rendition: 0, sequence: 3), window: Self.window)
        #expect(probe.report.unreadable == 1 && probe.report.problem != nil)
        let stamped = try Published(.ts)
        fetch(stamped.segments[2][0], &probe, sequence: 4, at: [5_000_000_000])
        #expect(probe.report.renditions.first?.windowFrames == 10)
        // fMP4 without its initialization section.
        let fragmented = try Published(.fmp4)
        fetch(fragmented.segments[2][0], &probe, sequence: 5, rendition: 1, at: [5_000_000_000])
        #expect(probe.report.unreadable == 2)
    }

    /// Each rendition has its own account, and its own numbers of what should have come.
    @Test func renditions() throws {
        let published = try Published(.ts)
        var probe = probe(published)
        for (sequence, rendition) in [(1, 0), (2, 1), (3, 0)] {
            fetch(
                published.segments[sequence][0], &probe, sequence: sequence, rendition: rendition,
                at: [5_000_000_000])
        }
        #expect(probe.report.renditions.map(\.windowFrames) == [20, 10])
        #expect(probe.report.renditions[0].runs.map(\.first) == [10, 30])
        #expect(probe.report.renditions[1].runs == [.init(first: 20, last: 29, seen: 20)])
    }

    /// Numbers that no publisher of ours sends.
    @Test func strangeNumbers() {
        var account = HLSProbeAccount(rendition: 0)
        account.begin(sequence: 0)
        for (number, intended) in [
            (UInt64.max, 5), (.max - 1, 15), (0, 16), (.max, 17), (0, 2_000), (3, .max),
        ] as [(UInt64, Int64)] {
            account.receive(
                FrameStamp(streamID: 1, frameNumber: number, intendedNanoseconds: intended),
                arrival: 20, published: nil, joinedAt: 0,
                window: Window(startNanoseconds: 10, endNanoseconds: 1000))
        }
        #expect(account.report.runs.allSatisfy { $0.first <= $0.last })
    }

    /// Times that no origin of ours sends, before the window is known.
    @Test func strangeTimes() {
        var account = HLSProbeAccount(rendition: 0)
        account.begin(sequence: 0)
        for (number, published) in [(1, Int64.min), (2, .max), (3, 0)] as [(UInt64, Int64)] {
            account.receive(
                FrameStamp(
                    streamID: 1, frameNumber: number, intendedNanoseconds: .max - 1,
                    latenessMicroseconds: .max),
                arrival: 20, published: published, joinedAt: 0, window: nil)
        }
        #expect(account.report.windowFrames == 3)
    }

    /// Media sequence numbers have 64 bits and are kept as their pattern: 2^63 follows 2^63 - 1.
    @Test func segmentsFollowOneAnotherAcrossTheSign() {
        var account = HLSProbeAccount(rendition: 0)
        for (sequence, number) in [(Int.max, 7), (Int.min, 8), (Int.min + 1, 9)] {
            account.begin(sequence: sequence)
            account.receive(
                FrameStamp(
                    streamID: 1, frameNumber: UInt64(number),
                    intendedNanoseconds: Int64(number) * 100),
                arrival: 2_000, published: nil, joinedAt: 0,
                window: Window(startNanoseconds: 10, endNanoseconds: 1000))
        }
        #expect(account.report.runs == [.init(first: 7, last: 9, seen: 7)])
    }
}
