import NIOCore
import RTMP

/// The slice of time in which a connection's messages are worked on before others have their turn
/// (`LoopTurns`).
struct WorkSlice {
    /// Number of media messages that are sent together if many have come.
    private static let messagesAtOnce = 16

    /// Time until which the connection is worked for in this turn; nil if the turn has not begun.
    private var end: NIODeadline?
    /// Work since the clock was last read, in messages of 4 KiB.
    private var sinceLook = 0

    /// Begins the slice if the turn has not begun, and returns its end.
    mutating func begin() -> NIODeadline {
        let end = end ?? .now() + LoopTurns.slice
        self.end = end
        return end
    }

    /// Counts a message as work. Returns whether it is time to hand on what was received and to
    /// look at the clock.
    mutating func count(_ message: Message) -> Bool {
        sinceLook += 1 + message.payload.readableBytes >> 12
        guard sinceLook >= Self.messagesAtOnce || !message.type.isMedia else { return false }
        sinceLook = 0
        return true
    }

    /// The turn is over.
    mutating func finish() { end = nil }
}
