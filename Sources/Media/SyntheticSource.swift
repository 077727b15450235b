public import NIOCore
import SimulationKernel

/// Generates a valid, endless H.264 and AAC stream without an encoder.
///
/// Message payloads meet the spec's rate exactly: video over each GOP, audio over each frame, with
/// rounded-off bytes carried over. Making a source builds one GOP of templates; `next()` then
/// copies one template and patches its counter, and `nextShared()` returns the template itself.
/// Copies of a source share the templates, so a caller should make one source per spec and copy it
/// for each stream.
public struct SyntheticSource: MediaSource {
    public let spec: SyntheticSpec
    private let video: SyntheticVideo?
    private let audio: SyntheticAudio?
    /// Frames of the first group of pictures, from 2 to the specification's number; nil = as many as
    /// in all others. Copies of a source with different values have their key frames at different
    /// times. Other values mean the nearest one, and after the first frame no value has an effect.
    public var firstGroupFrames: Int? {
        didSet {
            guard let video, nextVideo == 0, video.gopFrames > 2 else { return }
            let frames = firstGroupFrames.map { UInt64(clamping: $0) } ?? video.gopFrames
            skippedFrames = video.gopFrames - min(max(frames, 2), video.gopFrames)
        }
    }
    /// Frames that are left out at the end of the first group of pictures.
    private var skippedFrames: UInt64 = 0
    private var nextVideo: UInt64 = 0
    private var nextAudio: UInt64 = 0
    /// Times of those two frames, which are kept because a frame of one track leaves the other's
    /// time as it is; nil without the track.
    private var nextVideoTime: Int64?
    private var nextAudioTime: Int64?
    /// Size of all audio frames so far, in bytes.
    private var audioBytes: UInt64 = 0
    private let videoKilobits: Double
    private let audioKilobits: Double

    public let nalUnitLengthSize = 4

    /// - Throws: `MediaError.impossibleSpec`, naming the least rate, if the rates are too low for
    ///   the frames' structure.
    public init(spec: SyntheticSpec) throws {
        let rates = try spec.rates()
        self.spec = spec
        video = try rates.video.map { try SyntheticVideo(spec: spec, bitrate: $0) }
        audio = try rates.audio.map { try SyntheticAudio(spec: spec, bitrate: $0) }
        videoKilobits = rates.video?.kilobitsPerSecond ?? 0
        audioKilobits = rates.audio?.kilobitsPerSecond ?? 0
        nextVideoTime = video?.dtsNanoseconds(ofFrame: 0)
        nextAudioTime = audio?.dtsNanoseconds(ofFrame: 0)
    }

    public var videoSequenceHeader: ByteBuffer? { video?.sequenceHeader }

    public var audioSequenceHeader: ByteBuffer? { audio?.sequenceHeader }

    public var metadata: [(name: String, value: MetadataValue)] {
        var properties: [(name: String, value: MetadataValue)] = []
        if video != nil {
            properties += [
                ("width", .number(Double(spec.width))),
                ("height", .number(Double(spec.height))),
                ("framerate", .number(spec.framesPerSecond.doubleValue)),
                ("videocodecid", .number(7)),
                ("videodatarate", .number(videoKilobits)),
            ]
        }
        if audio != nil {
            properties += [
                ("audiocodecid", .number(10)),
                ("audiodatarate", .number(audioKilobits)),
                ("audiosamplerate", .number(Double(spec.sampleRate))),
                ("audiosamplesize", .number(16)),
                ("stereo", .boolean(true)),
            ]
        }
        return properties + [("encoder", .string("millrace synthetic"))]
    }

    /// Returns the frame with the lowest decode time; video comes first if both times are equal.
    public mutating func next() -> SourceFrame? {
        let number = nextVideo
        guard var frame = nextShared() else { return nil }
        frame.writeCounter()
        let stamp = FrameStamp(
            streamID: 0, frameNumber: number, intendedNanoseconds: frame.dtsNanoseconds)
        // Audio frames stay unchanged.
        frame.stamp(stamp, nalUnitLengthSize: nalUnitLengthSize)
        return frame
    }

    /// Returns the same frame as `next()`, with the payload of a template.
    public mutating func nextShared() -> SourceFrame? {
        if let video, let time = nextVideoTime, time <= nextAudioTime ?? .max {
            let isInFirstGroup = nextVideo < video.gopFrames - skippedFrames
            let (payload, isKeyFrame) = video.template(
                isInFirstGroup ? nextVideo : nextVideo + skippedFrames)
            nextVideo += 1
            nextVideoTime = video.dtsNanoseconds(ofFrame: nextVideo)
            return SourceFrame(
                kind: .video, dtsNanoseconds: time,
                timestamp: timestamp(ofNanoseconds: time, start: spec.startTimestamp),
                payload: payload, isKeyFrame: isKeyFrame,
                stampOffset: SyntheticVideo.stampOffset)
        }
        guard let audio, let time = nextAudioTime else { return nil }
        let bytes = audio.bytes(ofFrames: nextAudio + 1)
        let (payload, counter) = audio.template(nextAudio, size: bytes - audioBytes)
        audioBytes = bytes
        nextAudio += 1
        nextAudioTime = audio.dtsNanoseconds(ofFrame: nextAudio)
        return SourceFrame(
            kind: .audio, dtsNanoseconds: time,
            timestamp: timestamp(ofNanoseconds: time, start: spec.startTimestamp),
            payload: payload, isKeyFrame: false, counter: counter)
    }
}
