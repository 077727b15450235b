public import NIOCore

/// A value of `onMetaData`, in AMF0 terms.
public enum MetadataValue: Hashable, Sendable {
    case number(Double)
    case string(String)
    case boolean(Bool)
}

/// An endless supply of frames without a clock: a publisher asks it what to send and when.
public protocol MediaSource: Sendable {
    /// Properties of `onMetaData` in order; data rates are in kbit/s, as FLV has them.
    var metadata: [(name: String, value: MetadataValue)] { get }
    /// A whole FLV video tag body with the decoder configuration; `nil` without video.
    var videoSequenceHeader: ByteBuffer? { get }
    /// A whole FLV audio tag body with the decoder configuration; `nil` if there is none.
    var audioSequenceHeader: ByteBuffer? { get }
    /// Bytes of each NAL unit length in AVC payloads: 1, 2 or 4.
    var nalUnitLengthSize: Int { get }
    /// Returns the next frame in decode order; `nil` only if the source has no frame at all.
    mutating func next() throws -> SourceFrame?
    /// Does the same without copying anything: the payload may be shared with other frames, and then
    /// the caller has to write the frame's own numbers into the copy that it sends, at `stampOffset`
    /// and `counter`.
    mutating func nextShared() throws -> SourceFrame?
}

/// One audio or video frame of a source.
public struct SourceFrame: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case audio
        case video
    }

    public var kind: Kind
    /// Time of the frame in the schedule, from the start of the stream. The time is computed from
    /// the frame's index, so that no rounding adds up.
    public var dtsNanoseconds: Int64
    /// Decode time in milliseconds: `dtsNanoseconds` rounded, plus the source's first timestamp; it
    /// wraps.
    public var timestamp: UInt32
    /// Whole FLV tag body, which is also the RTMP message payload.
    public var payload: ByteBuffer
    public var isKeyFrame: Bool
    /// The offset of a stamp's fields from the payload's reader index; `nil` if it has no stamp.
    public var stampOffset: Int?
    /// Number that belongs into the payload, which is shared and does not have it; `nil` if nothing
    /// is missing.
    public var counter: Counter?

    /// Number of 8 bytes, the most significant byte first, within a payload.
    public struct Counter: Hashable, Sendable {
        /// Bytes that the number takes.
        public static let length = 8
        /// The offset of the number from the payload's reader index.
        public var offset: Int
        public var value: UInt64

        public init(offset: Int, value: UInt64) {
            self.offset = offset
            self.value = value
        }

        /// Writes the number into a payload.
        /// - Parameter place: Offset of the payload's first byte from the reader index of `buffer`.
        /// - Precondition: `length` bytes are readable at the number's place.
        public func write(into buffer: inout ByteBuffer, at place: Int = 0) {
            precondition(
                place >= 0 && offset >= 0
                    && place + offset + Self.length <= buffer.readableBytes,
                "the counter lies within the payload")
            buffer.setInteger(value, at: buffer.readerIndex + place + offset)
        }
    }

    public init(
        kind: Kind, dtsNanoseconds: Int64, timestamp: UInt32, payload: ByteBuffer,
        isKeyFrame: Bool, stampOffset: Int? = nil, counter: Counter? = nil
    ) {
        self.counter = counter
        self.kind = kind
        self.dtsNanoseconds = dtsNanoseconds
        self.timestamp = timestamp
        self.payload = payload
        self.isKeyFrame = isKeyFrame
        self.stampOffset = stampOffset
    }

    /// Writes the counter that a shared payload lacks into a copy of the payload.
    public mutating func writeCounter() {
        counter?.write(into: &payload)
        counter = nil
    }

    /// Gives a video frame `stamp`: overwrites the stamp that the frame has, or inserts one. Audio
    /// frames and codecs other than AVC stay unchanged.
    public mutating func stamp(_ stamp: FrameStamp, nalUnitLengthSize: Int) {
        guard kind == .video else { return }
        if let stampOffset {
            stamp.patch(&payload, at: stampOffset)
        } else {
            payload = stamp.inserted(into: payload, nalUnitLengthSize: nalUnitLengthSize)
        }
    }
}

/// Rounds `nanoseconds` to milliseconds, adds `start` and takes the sum modulo 2^32.
func timestamp(ofNanoseconds nanoseconds: Int64, start: UInt32) -> UInt32 {
    start &+ UInt32(truncatingIfNeeded: (nanoseconds + 500_000) / 1_000_000)
}

/// Computes `a · b / c`, rounded down, without overflow of the product.
func scaled(_ a: UInt64, by b: UInt64, over c: UInt64) -> UInt64 {
    c.dividingFullWidth(a.multipliedFullWidth(by: b)).quotient
}
