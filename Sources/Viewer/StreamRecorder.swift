import Glibc
import Media
import NIOCore

/// What a viewer writes to a file.
public struct RecordingSpec: Codable, Sendable, Hashable {
    /// Of the FLV file; one that is there is replaced.
    public var path: String
    /// Frames of the source wanted, by the stamps' numbers, from the first one meant for
    /// `fromNanoseconds` or later.
    public var frames: Int
    /// From the run's start.
    public var fromNanoseconds: Int64

    public init(path: String, frames: Int, fromNanoseconds: Int64) {
        self.path = path
        self.frames = frames
        self.fromNanoseconds = fromNanoseconds
    }
}

/// Writes a stream's video as it comes into an FLV file: from a key frame on, until enough stamped
/// frames are there. Timestamps stay as they came.
final class StreamRecorder {
    /// Frames recorded beyond those wanted: coding order is not the order of numbers everywhere.
    static let marginFrames: UInt64 = 64
    /// A file does not grow beyond this.
    static let byteLimit = 256 << 20

    private let spec: RecordingSpec
    /// CLOCK_MONOTONIC.
    private let from: Int64
    private let file: UnsafeMutablePointer<FILE>
    private var nalUnitLengthSize = 4
    private var hasBegun = false
    private var firstNumber: UInt64?
    private var byteCount = 0
    private(set) var isDone = false

    /// - Parameter origin: the run's start, CLOCK_MONOTONIC.
    /// - Throws: `ViewerError` where the file cannot be made.
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

    /// One video message.
    /// - Returns: why nothing more can be written; nil while all is well.
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
