import NIOCore
import Netem
import SimulationKernel

/// Bytes that a slow sink has read from a socket and that its link has not carried yet.
///
/// The link's clock gives each byte the time at which a link of that rate would have carried it, so
/// the delays do not depend on when the sink's timer runs. Few bytes are held, so that the sender
/// notices a slow reader by TCP's window. The sink changes nothing else that the sender's TCP sees.
struct SinkPacer {
    /// Number of held bytes from which nothing more is read.
    static let backlogLimit = 16_384
    /// Largest number of bytes of one read, and size of the socket's receive buffer.
    static let readBytes = 4_096
    static let receiveBufferBytes = 49_152
    /// Largest number of bytes that are passed on with one arrival time.
    private static let pieceBytes = 1_448

    private var clock: FlowClock
    private var backlog = ByteBuffer()

    init(_ rate: Bitrate, now: Int64) {
        clock = FlowClock(RateSchedule(constant: rate), overheadBytes: 0, now: now)
    }

    var isEmpty: Bool { backlog.readableBytes == 0 }
    var wantsMore: Bool { backlog.readableBytes < Self.backlogLimit }

    /// Takes bytes that were read at `now`.
    mutating func append(_ bytes: ByteBuffer, at now: Int64) {
        if isEmpty {
            // The link had nothing to carry until now.
            clock.idle(at: now, keepsCredit: false)
            backlog = bytes
        } else {
            backlog.discardReadBytes()
            backlog.writeImmutableBuffer(bytes)
        }
    }

    /// Removes bytes that the link has carried until `now`; nil if there are none.
    ///
    /// - Returns: The bytes and the time at which the link had carried the last of them.
    mutating func next(at now: Int64) -> (bytes: ByteBuffer, arrival: Int64)? {
        let count = min(clock.due(at: now), backlog.readableBytes, Self.pieceBytes)
        guard count > 0, let bytes = backlog.readSlice(length: count) else { return nil }
        clock.spend(count)
        return (bytes, min(clock.spentTime, now))
    }
}
