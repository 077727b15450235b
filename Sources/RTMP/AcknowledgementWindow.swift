/// Counts received bytes and says when an Acknowledgement is due (section 5.4.3). The count
/// wraps at 2^32, as FFmpeg, nginx-rtmp and SRS have it.
public struct AcknowledgementWindow: Sendable {
    /// Bytes between acknowledgements; the peer sets it. 0 = never.
    public var size: UInt32
    public private(set) var received: UInt64
    private var acknowledged: UInt64

    public init(size: UInt32 = 2_500_000, received: UInt64 = 0) {
        self.size = size
        self.received = received
        acknowledged = received
    }

    /// Counts `bytes`. Returns the sequence number to acknowledge, or nil if no acknowledgement is
    /// due.
    public mutating func receive(_ bytes: Int) -> UInt32? {
        received &+= UInt64(bytes)
        guard size > 0, received &- acknowledged >= UInt64(size) else { return nil }
        acknowledged = received
        return UInt32(truncatingIfNeeded: received)
    }
}
