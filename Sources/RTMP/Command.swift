import NIOCore

/// A command message (section 7.1.1), or a data message, which has no transaction ID.
public struct Command: Hashable, Sendable {
    public var name: String
    /// Number of the transaction; 0 if no answer is expected.
    public var transactionID: Double
    /// The command object and what follows it.
    public var arguments: [AMFValue]

    public init(_ name: String, transactionID: Double, _ arguments: [AMFValue]) {
        self.name = name
        self.transactionID = transactionID
        self.arguments = arguments
    }

    /// Reads a message of type 20, or of type 17 (AMF3: one byte, usually 0, then AMF0 values). An
    /// argument of an unknown form and all arguments after it are left out.
    public init(_ message: Message) throws(RTMPError) {
        var payload = message.payload
        if message.type == .commandAMF3, payload.getInteger(at: payload.readerIndex) == UInt8(0) {
            payload.moveReaderIndex(forwardBy: 1)
        }
        let values = try AMF0.readKnown(&payload)
        guard let name = values.first?.string else {
            throw RTMPError(.amf, "a command message does not begin with a name")
        }
        self.init(
            name, transactionID: values.dropFirst().first?.number ?? 0, Array(values.dropFirst(2)))
    }

    /// Encodes the command as a message of type 20 on `chunkStreamID`.
    public func message(chunkStreamID: UInt32 = 3, messageStreamID: UInt32 = 0) -> Message {
        var payload = ByteBuffer()
        AMF0.write(.string(name), into: &payload)
        AMF0.write(.number(transactionID), into: &payload)
        for argument in arguments { AMF0.write(argument, into: &payload) }
        return Message(
            chunkStreamID: chunkStreamID, type: .commandAMF0, messageStreamID: messageStreamID,
            payload: payload)
    }
}
