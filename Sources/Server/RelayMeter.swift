import NIOCore

/// Counts of one event loop's relay work, and the delays that all loops measure. It is bound to the
/// loop, except for `delays`.
final class RelayMeter {
    /// Number of messages that publishers on this loop have sent and that are relayed.
    private(set) var relayedMessages = 0
    /// Number of times that the payload of a message was copied, counted where it is copied.
    private(set) var payloadCopies = 0
    let delays: DelayRecorder

    init(_ delays: DelayRecorder) { self.delays = delays }

    /// Counts a message that a publisher has sent.
    func count(_ unit: MediaUnit) {
        relayedMessages += 1
        payloadCopies += unit.copies
    }

    /// Counts copies of payloads.
    func count(copies: Int) { payloadCopies += copies }

    /// Returns a copy of bytes that belongs to one receiver.
    ///
    /// - Parameter messages: Number of messages in the bytes.
    func copy(_ bytes: ByteBuffer, messages: Int) -> ByteBuffer {
        payloadCopies += messages
        return ByteBuffer(bytes: bytes.readableBytesView)
    }
}
