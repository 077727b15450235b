public import NIOCore

/// The kind of an FLV tag; the same numbers are RTMP message type IDs (FLV 10.1, E.4.1).
public enum FLVTagType: UInt8, Hashable, Sendable {
    case audio = 8
    case video = 9
    case script = 18
}

/// One FLV tag without its 11-byte header.
///
/// `payload` is byte for byte the payload of the RTMP message of the same type, so a tag goes to
/// the wire and back without being touched.
public struct FLVTag: Hashable, Sendable {
    public var type: FLVTagType
    /// Decode time in milliseconds, all 32 bits (TimestampExtended is the top byte); wraps.
    public var timestamp: UInt32
    /// The tag's body: AudioTagHeader, VideoTagHeader or script data, then the data itself.
    public var payload: ByteBuffer
    /// The Filter bit: the body begins with an encryption header and cannot be decoded here.
    public var isFiltered: Bool

    public init(
        type: FLVTagType, timestamp: UInt32, payload: ByteBuffer, isFiltered: Bool = false
    ) {
        self.type = type
        self.timestamp = timestamp
        self.payload = payload
        self.isFiltered = isFiltered
    }
}
