// How quality is compared. The recorder is a process with probes that write what they get
// (`StreamRecorder`), one for the source and one for each rendition. Its connections are taken out
// of the wire's viewers, and its bytes are in the bandwidth over time. After the run,
// `PairedRecordings` gives each of a rendition's frames the presentation time of the source's
// frame with the same stamp, so that ffmpeg's framesync, led by the rendition, meets that frame
// whatever the timestamps were. A frame without a counterpart, or another number of compared
// frames than expected, is a note and no figure.

import Media
package import NIOCore

/// Why renditions cannot be compared with their source.
package struct QualityError: Error, CustomStringConvertible {
    package var description: String

    package init(
        description: String
    ) {
        self.description = description
    }
}

/// A stream's video as a viewer recorded it, each frame with its stamp.
package struct StampedRecording {
    struct Frame {
        var stamp: FrameStamp?
        var coded: CodedFrame
    }

    var tracks: MediaTracks
    /// In coding order.
    var frames: [Frame] = []

    /// Reads the bytes of an FLV file; a file that ends within a tag counts up to that tag.
    /// - Throws: `QualityError` if no picture can be read, or if the encoder's parameters change.
    package init(_ data: [UInt8]) throws {
        var reader = FLVReader()
        reader.append(ByteBuffer(bytes: data))
        var frameReader = FLVFrameReader()
        var known: MediaTracks?
        while let tag = try reader.next() {
            let frame = try frameReader.read(
                tag.type, timestamp: tag.timestamp, payload: tag.payload)
            guard let frame, let video = frameReader.tracks.video else { continue }
            if let known, known.video != video {
                throw QualityError(
                    description: "the stream's parameters changed while it was recorded")
            }
            known = MediaTracks(video: video)
            let stamp = FrameStamp.find(
                inAccessUnit: frame.payload, nalUnitLengthSize: video.nalUnitLengthSize)
            frames.append(Frame(stamp: stamp, coded: frame))
        }
        guard let known else { throw QualityError(description: "no picture was recorded") }
        tracks = known
    }

    /// Presentation times by frame number, in ticks.
    var presentationTimes: [UInt64: Int64] {
        Dictionary(
            frames.compactMap { frame in
                frame.stamp.map { ($0.frameNumber, frame.coded.presentationTime) }
            }, uniquingKeysWith: { a, _ in a })
    }

    /// The frames as fragmented MP4.
    /// - Parameter times: new presentation times, in ticks, one for each frame; decode times keep
    ///   their distances and come no later.
    func fragmentedMP4(times: [Int64]) throws -> ByteBuffer {
        var coded = frames.map(\.coded)
        let lead = zip(coded, times).map { $0.decodeTime - $1 }.max() ?? 0
        for i in coded.indices {
            coded[i].decodeTime -= lead
            coded[i].compositionOffset = Int32(clamping: times[i] - coded[i].decodeTime)
        }
        for i in coded.indices {
            let next = i + 1 < coded.count ? coded[i + 1].decodeTime : coded[i].decodeTime + 3000
            coded[i].duration = max(0, next - coded[i].decodeTime)
        }
        var muxer = try FragmentedMP4Muxer(tracks: tracks)
        var file = muxer.initializationSegment
        muxer.beginSegment(into: &file)
        muxer.writeFragment(coded, into: &file)
        return file
    }
}

/// A rendition and its source with times that pair the frames of equal stamps.
package struct PairedRecordings: Sendable {
    /// Fragmented MP4.
    package let source: ByteBuffer
    package let rendition: ByteBuffer
    /// Ticks of the first and the last of the rendition's frames that are compared.
    package let span: ClosedRange<Int64>
    /// How many lie in it.
    package let frameCount: Int
    /// The source's, pixels.
    package let width: Int
    package let height: Int

    /// All times are moved here, so that decode times stay above zero: 120 s.
    private static let base: Int64 = 120 * CodedFrame.timescale

    /// - Parameters:
    ///   - frames: of the source, from the first one meant for `from` or later.
    ///   - from: CLOCK_MONOTONIC, ns.
    /// - Throws: `QualityError` where a frame that is to be compared has no counterpart.
    package init(
        source: StampedRecording, rendition: StampedRecording, frames: Int, from: Int64
    ) throws {
        guard let sps = source.tracks.sps else {
            throw QualityError(description: "the source's parameter set cannot be read")
        }
        (width, height) = (sps.width, sps.height)
        let known = source.presentationTimes
        let first = source.frames.compactMap(\.stamp).filter { $0.intendedNanoseconds >= from }
            .map(\.frameNumber).min()
        let wanted = known.filter { number, _ in
            first.map { number >= $0 && number - $0 < UInt64(frames) } ?? false
        }.values
        guard let from = wanted.min(), let to = wanted.max() else {
            throw QualityError(description: "the source's recording has no stamped frame")
        }
        let shift = Self.base - from
        let times = try Self.times(of: rendition, known)
        let compared = zip(rendition.frames, times).filter { (from...to).contains($1) }
        let unpaired = compared.count { frame, _ in
            frame.stamp.flatMap { known[$0.frameNumber] } == nil
        }
        guard unpaired == 0 else {
            throw QualityError(
                description: "\(unpaired) of \(compared.count) frames have no counterpart in the "
                    + "source's recording")
        }
        let inside = compared.map(\.1)
        guard let low = inside.min(), let high = inside.max() else {
            throw QualityError(description: "the recordings have no frame in common")
        }
        span = low + shift...high + shift
        frameCount = compared.count
        self.source = try source.fragmentedMP4(
            times: source.frames.map { $0.coded.presentationTime + shift })
        self.rendition = try rendition.fragmentedMP4(times: times.map { $0 + shift })
    }

    /// The presentation time of each frame's counterpart; without one, the frame's own on the
    /// source's clock, as the neighbour has it.
    private static func times(
        of rendition: StampedRecording, _ known: [UInt64: Int64]
    ) throws -> [Int64] {
        let paired = rendition.frames.map { $0.stamp.flatMap { known[$0.frameNumber] } }
        guard
            var offset = zip(paired, rendition.frames).lazy.compactMap({ time, frame in
                time.map { $0 - frame.coded.presentationTime }
            }).first
        else {
            throw QualityError(description: "no frame has a stamp that the source's recording has")
        }
        return zip(paired, rendition.frames).map { time, frame in
            if let time { offset = time - frame.coded.presentationTime }
            return frame.coded.presentationTime + offset
        }
    }
}
