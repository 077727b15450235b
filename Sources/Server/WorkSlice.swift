import NIOCore
import RTMP

/// The slice of time in which a connection's messages are processed before other connections have
/// their turn (`LoopTurns`).
struct WorkSlice {
    /// Number of media messages that are processed together before the clock is read.
    private static let messagesAtOnce = 16

    /// End of the connection's present turn; nil if the turn has not begun.
    private var end: NIODeadline?
    /// Work since the clock was last read: one for each message and for each whole 4 KiB of it.
    private var sinceLook = 0

    /// Begins the slice if the turn has not begun, and returns its end.
    mutating func begin() -> NIODeadline {
        let end = end ?? .now() + LoopTurns.slice
        self.end = end
        return end
    }

    /// Counts a message as work. Returns whether it is time to deliver the received media and to
    /// read the clock.
    mutating func count(_ message: Message) -> Bool {
        sinceLook += 1 + message.payload.readableBytes >> 12
        guard sinceLook >= Self.messagesAtOnce || !message.type.isMedia else { return false }
        sinceLook = 0
        return true
    }

    /// Ends the turn.
    mutating func finish() { end = nil }
}
