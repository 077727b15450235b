import Glibc
import Media
import NIOCore

/// Specification of a recording: what a viewer writes to a file.
public struct RecordingSpec: Codable, Sendable, Hashable {
    /// Path of the FLV file; an existing file is replaced.
    public var path: String
    /// Number of the source's frames to record. Recording begins with the first frame that was
    /// meant for `fromNanoseconds` or later, by the numbers in the stamps.
    public var frames: Int
    /// Time counted from the start of the run.
    public var fromNanoseconds: Int64

    public init(path: String, frames: Int, fromNanoseconds: Int64) {
        self.path = path
        self.frames = frames
        self.fromNanoseconds = fromNanoseconds
    }
}

/// Writes the video of a stream into an FLV file as it comes. Recording begins with a key frame and
/// ends once enough stamped frames are recorded. Timestamps are kept as they came.
final class StreamRecorder {
    /// Number of frames recorded in addition to the wanted ones, because coding order may differ
    /// from the order of numbers.
    static let marginFrames: UInt64 = 64
    /// Largest size of a file.
    static let byteLimit = 256 << 20

    private let spec: RecordingSpec
    /// Time on CLOCK_MONOTONIC.
    private let from: Int64
    private let file: UnsafeMutablePointer<FILE>
    private var nalUnitLengthSize = 4
    private var hasBegun = false
    private var firstNumber: UInt64?
    private var byteCount = 0
    private(set) var isDone = false

    /// - Parameter origin: the start of the run on CLOCK_MONOTONIC.
    /// - Throws: `ViewerError` if the file cannot be made.
    init(_ spec: RecordingSpec, origin: Int64) throws {
        guard let file = fopen(spec.path, "we") else {
            throw ViewerError(
                description: "cannot write \(spec.path): \(String(cString: strerror(errno)))")
        }
        self.spec = spec
        self.file = file
        from = origin + spec.fromNanoseconds
        byteCount = write(FLVWriter.fileHeader(hasAudio: false, hasVideo: true)) ?? 0
    }

    deinit { fclose(file) }

    /// Records one video message.
    /// - Returns: the reason if nothing more can be written, otherwise nil.
    func take(timestamp: UInt32, payload: ByteBuffer) -> String? {
        guard !isDone, let header = VideoTagHeader.parse(payload) else { return nil }
        if header.isSequenceHeader {
            var body = payload
            body.moveReaderIndex(forwardBy: min(header.headerLength, body.readableBytes))
            if let record = try? AVCDecoderConfigurationRecord(parsing: body) {
                nalUnitLengthSize = record.nalUnitLengthSize
            }
        } else {
            if header.isKeyFrame { hasBegun = true }
            guard hasBegun else { return nil }
            note(payload)
        }
        var tag = ByteBuffer()
        FLVWriter.write(
            tag: FLVTag(type: .video, timestamp: timestamp, payload: payload), into: &tag)
        guard byteCount + tag.readableBytes <= Self.byteLimit else {
            isDone = true
            return "the recording has reached \(Self.byteLimit >> 20) MiB; ask for fewer frames"
        }
        guard let count = write(tag) else {
            isDone = true
            return "cannot write \(spec.path): \(String(cString: strerror(errno)))"
        }
        byteCount += count
        if isDone { fflush(file) }
        return nil
    }

    private func note(_ payload: ByteBuffer) {
        guard
            let stamp = FrameStamp.find(
                inVideoPayload: payload, nalUnitLengthSize: nalUnitLengthSize),
            stamp.intendedNanoseconds >= from
        else { return }
        let first = firstNumber ?? stamp.frameNumber
        firstNumber = first
        if stamp.frameNumber > first,
            stamp.frameNumber - first >= UInt64(spec.frames) + Self.marginFrames
        {
            isDone = true
        }
    }

    private func write(_ bytes: ByteBuffer) -> Int? {
        let written = bytes.withUnsafeReadableBytes {
            fwrite($0.baseAddress, 1, $0.count, file)
        }
        return written == bytes.readableBytes ? written : nil
    }
}
