import NIOCore

extension Message {
    /// Largest number of parts of one aggregate message; servers that send aggregates put a second
    /// or two of media into one.
    static let partLimit = 4096

    /// The parts of an aggregate message (section 7.1.6): FLV-like tags, with timestamps moved so
    /// that the first one falls on the aggregate's own.
    public func split() throws(RTMPError) -> [Message] {
        var rest = payload
        var parts: [Message] = []
        var offset: UInt32?
        while rest.readableBytes > 0 {
            guard parts.count < Self.partLimit else {
                throw RTMPError(
                    .limitExceeded, "an aggregate message of over \(Self.partLimit) parts")
            }
            guard let rawType: UInt8 = rest.readInteger(), let size = rest.readInteger24(),
                let low = rest.readInteger24(), let high: UInt8 = rest.readInteger(),
                rest.readInteger24() != nil, let body = rest.readSlice(length: Int(size))
            else { throw RTMPError(.aggregate, "an aggregate message ends inside a part") }
            // The value of the back pointer is not trusted, and the last one may be missing.
            _ = rest.readInteger(as: UInt32.self)
            let time = UInt32(high) << 24 | low
            let shift = offset ?? (timestamp &- time)
            offset = shift
            parts.append(
                Message(
                    chunkStreamID: chunkStreamID, timestamp: time &+ shift,
                    type: MessageType(rawValue: rawType), messageStreamID: messageStreamID,
                    payload: body))
        }
        return parts
    }
}
