// How quality is compared. The recorder is a process with probes that write what they receive
// (`StreamRecorder`): one probe for the source and one for each rendition. The recorder's
// connections are removed from the wire's viewers; its bytes remain in the bandwidth over time.
// After the run, `PairedRecordings` gives each frame of a rendition the presentation time of the
// source's frame with the same stamp. ffmpeg's framesync, led by the rendition, then pairs these
// two frames whatever their timestamps were. If a frame has no counterpart, or if the number of
// compared frames is not the expected one, the result is a note and no figure.

import Media
package import NIOCore

/// Reason why renditions cannot be compared with their source.
package struct QualityError: Error, CustomStringConvertible {
    package var description: String

    package init(description: String) {
        self.description = description
    }
}

/// Video of a stream as a viewer recorded it, each frame with its stamp.
package struct StampedRecording {
    struct Frame {
        var stamp: FrameStamp?
        var coded: CodedFrame
    }

    var tracks: MediaTracks
    /// The frames in coding order.
    var frames: [Frame] = []

    /// Reads the bytes of an FLV file. If the file ends within a tag, the tags before it count.
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

    /// Presentation times in ticks, by frame number.
    var presentationTimes: [UInt64: Int64] {
        Dictionary(
            frames.compactMap { frame in
                frame.stamp.map { ($0.frameNumber, frame.coded.presentationTime) }
            }, uniquingKeysWith: { a, _ in a })
    }

    /// Returns the frames as fragmented MP4.
    /// - Parameter times: New presentation times in ticks, one for each frame. Decode times keep
    ///   their distances and are never after the presentation times.
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
    /// The source as fragmented MP4.
    package let source: ByteBuffer
    package let rendition: ByteBuffer
    /// Ticks of the first and the last frame of the rendition that are compared.
    package let span: ClosedRange<Int64>
    /// Number of frames in that span.
    package let frameCount: Int
    /// Width of the source in pixels.
    package let width: Int
    package let height: Int

    /// Offset of all times, 120 s, so that decode times stay above zero.
    private static let base: Int64 = 120 * CodedFrame.timescale

    /// - Parameters:
    ///   - frames: Number of source frames to compare, beginning with the first one meant for
    ///     `from` or later.
    ///   - from: Start on CLOCK_MONOTONIC in nanoseconds.
    /// - Throws: `QualityError` if a frame that is to be compared has no counterpart.
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

    /// Returns the presentation time of each frame's counterpart. A frame without a counterpart
    /// gets its own time, moved to the source's clock by its neighbour's offset.
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
