import NIOCore
import RTMP

/// What a peer has sent, worked on in slices of time (`LoopTurns`).
extension RTMPServerHandler {
    /// Media messages that go out together where many have come.
    private static let messagesAtOnce = 16

    /// Works on what has come until a slice is over. A read may bring ten thousand messages, and an
    /// aggregate message thousands of parts, each of which costs as much as a frame.
    func work() throws {
        let end = sliceEnd ?? .now() + LoopTurns.slice
        sliceEnd = end
        while !isHeld, !isResting, let message = try parts.rest.popFirst() ?? reader.next() {
            try take(message)
            guard isOpen else { return }
            sinceLook += 1 + message.payload.readableBytes >> 12
            guard sinceLook >= Self.messagesAtOnce || !message.type.isMedia else { continue }
            sinceLook = 0
            deliver()
            if .now() > end { rest() }
        }
    }

    /// Hands on what the peer has published so far. Where other loops have enough of it, the peer waits.
    func deliver() {
        if case .publishing(let ingest, _) = role { ingest.deliver() }
        if backlog.isFull { rest() }
    }

    /// Lets others have the loop. What the peer sends meanwhile stays in its socket.
    private func rest() {
        guard !isResting else { return }
        isResting = true
        try? context?.channel.syncOptions?.setOption(.autoRead, value: false)
        hub.turns.rest(self)
    }

    /// Goes on where it began to rest. False where it has to wait for another loop still.
    func goOn() -> Bool {
        if backlog.isFull, isOpen {
            hub.turns.rest(self)
            return false
        }
        isResting = false
        sliceEnd = nil
        // What is worked on now came while it rested.
        lastHeard = .now()
        unansweredPing = nil
        guard isOpen else {
            if isGone { finish() }
            return true
        }
        do {
            try receive(ByteBuffer())
        } catch {
            close("\(error)")
        }
        if let context {
            readAgain()
            channelReadComplete(context: context)
        } else {
            deliver()
        }
        if isGone, !isResting { finish() }
        return true
    }

    /// Reads from the socket again, unless something still has to wait.
    func readAgain() {
        guard !isHeld, !isResting else { return }
        try? context?.channel.syncOptions?.setOption(.autoRead, value: true)
    }
}
