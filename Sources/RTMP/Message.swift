public import NIOCore

/// The kind of an RTMP message (RTMP specification 1.0, sections 5.4 and 7.1).
public struct MessageType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let setChunkSize = MessageType(rawValue: 1)
    public static let abort = MessageType(rawValue: 2)
    public static let acknowledgement = MessageType(rawValue: 3)
    public static let userControl = MessageType(rawValue: 4)
    public static let windowAcknowledgementSize = MessageType(rawValue: 5)
    public static let setPeerBandwidth = MessageType(rawValue: 6)
    public static let audio = MessageType(rawValue: 8)
    public static let video = MessageType(rawValue: 9)
    public static let dataAMF3 = MessageType(rawValue: 15)
    public static let sharedObjectAMF3 = MessageType(rawValue: 16)
    public static let commandAMF3 = MessageType(rawValue: 17)
    public static let dataAMF0 = MessageType(rawValue: 18)
    public static let sharedObjectAMF0 = MessageType(rawValue: 19)
    public static let commandAMF0 = MessageType(rawValue: 20)
    public static let aggregate = MessageType(rawValue: 22)

    /// Whether this is audio, video or data, which a relay passes on.
    public var isMedia: Bool {
        switch self {
        case .audio, .video, .dataAMF0, .dataAMF3, .aggregate: true
        default: false
        }
    }

    public var description: String { "message type \(rawValue)" }
}

/// One whole RTMP message, with the header fields of the chunk stream.
public struct Message: Hashable, Sendable {
    /// Chunk stream ID, 2…65599; 2 is reserved for protocol control.
    public var chunkStreamID: UInt32
    /// Timestamp in milliseconds, which wraps at 2^32.
    public var timestamp: UInt32
    public var type: MessageType
    public var messageStreamID: UInt32
    public var payload: ByteBuffer

    public init(
        chunkStreamID: UInt32, timestamp: UInt32 = 0, type: MessageType,
        messageStreamID: UInt32 = 0, payload: ByteBuffer
    ) {
        self.chunkStreamID = chunkStreamID
        self.timestamp = timestamp
        self.type = type
        self.messageStreamID = messageStreamID
        self.payload = payload
    }
}
