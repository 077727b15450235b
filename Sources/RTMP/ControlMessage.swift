import NIOCore

/// Protocol control (section 5.4) and user control (section 7.1.7) messages.
public enum ControlMessage: Hashable, Sendable {
    case setChunkSize(UInt32)
    case abort(chunkStreamID: UInt32)
    /// Bytes received so far, wrapping at 2^32.
    case acknowledgement(UInt32)
    case windowAcknowledgementSize(UInt32)
    case setPeerBandwidth(UInt32, limitType: UInt8)
    case streamBegin(UInt32)
    case streamEOF(UInt32)
    case streamDry(UInt32)
    /// The number of milliseconds that the player buffers.
    case setBufferLength(streamID: UInt32, milliseconds: UInt32)
    case streamIsRecorded(UInt32)
    case pingRequest(UInt32)
    case pingResponse(UInt32)
    /// A user control event of an unknown type; it is never an error.
    case unknownEvent(UInt16)

    /// Reads a message of types 1 to 6; the result is nil for any other type.
    public init?(_ message: Message) throws(RTMPError) {
        var payload = message.payload
        func cut() -> RTMPError {
            RTMPError(
                .controlMessage,
                "\(message.type) is cut off at \(message.payload.readableBytes) bytes")
        }
        if message.type == .userControl {
            guard let event = payload.readInteger(as: UInt16.self) else { throw cut() }
            try self.init(event: event, &payload, cut())
            return
        }
        guard (1...6).contains(message.type.rawValue) else { return nil }
        guard let value = payload.readInteger(as: UInt32.self) else { throw cut() }
        switch message.type {
        case .setChunkSize: self = .setChunkSize(value)
        case .abort: self = .abort(chunkStreamID: value)
        case .acknowledgement: self = .acknowledgement(value)
        case .windowAcknowledgementSize: self = .windowAcknowledgementSize(value)
        default: self = .setPeerBandwidth(value, limitType: payload.readInteger() ?? 2)
        }
    }

    private init(
        event: UInt16, _ payload: inout ByteBuffer, _ cut: RTMPError
    ) throws(RTMPError) {
        let value = payload.readInteger(as: UInt32.self)
        func required() throws(RTMPError) -> UInt32 {
            guard let value else { throw cut }
            return value
        }
        switch event {
        case 0: self = .streamBegin(try required())
        case 1: self = .streamEOF(try required())
        case 2: self = .streamDry(try required())
        case 3:
            self = .setBufferLength(
                streamID: try required(), milliseconds: payload.readInteger() ?? 0)
        case 4: self = .streamIsRecorded(try required())
        case 6: self = .pingRequest(try required())
        case 7: self = .pingResponse(try required())
        default: self = .unknownEvent(event)
        }
    }

    /// The message that carries this control message, on chunk stream 2 and message stream 0.
    public var message: Message {
        var payload = ByteBuffer()
        let type: MessageType
        func event(_ number: UInt16, _ values: UInt32...) {
            payload.writeInteger(number)
            for value in values { payload.writeInteger(value) }
        }
        switch self {
        case .setChunkSize(let size):
            type = .setChunkSize
            payload.writeInteger(size)
        case .abort(let id):
            type = .abort
            payload.writeInteger(id)
        case .acknowledgement(let bytes):
            type = .acknowledgement
            payload.writeInteger(bytes)
        case .windowAcknowledgementSize(let size):
            type = .windowAcknowledgementSize
            payload.writeInteger(size)
        case .setPeerBandwidth(let size, let limitType):
            type = .setPeerBandwidth
            payload.writeInteger(size)
            payload.writeInteger(limitType)
        case .streamBegin(let id): (type, _) = (.userControl, event(0, id))
        case .streamEOF(let id): (type, _) = (.userControl, event(1, id))
        case .streamDry(let id): (type, _) = (.userControl, event(2, id))
        case .setBufferLength(let id, let length): (type, _) = (.userControl, event(3, id, length))
        case .streamIsRecorded(let id): (type, _) = (.userControl, event(4, id))
        case .pingRequest(let time): (type, _) = (.userControl, event(6, time))
        case .pingResponse(let time): (type, _) = (.userControl, event(7, time))
        case .unknownEvent(let number): (type, _) = (.userControl, event(number))
        }
        return Message(chunkStreamID: 2, type: type, payload: payload)
    }
}
