import NIOCore
import RTMP

/// Work on a peer's messages in slices of time (`LoopTurns`).
extension RTMPServerHandler {
    /// Works on the received messages until a slice is over. A read may bring ten thousand
    /// messages, and an aggregate message thousands of parts, each of which costs as much as a
    /// frame.
    func work() throws {
        let end = slice.begin()
        while !isHeld, !isResting, let message = try input.next() {
            try take(message)
            guard isOpen else { return }
            guard slice.count(message) else { continue }
            deliver()
            if .now() > end { rest() }
        }
    }

    /// Hands on the messages that the peer has published so far. The peer waits if other loops have
    /// enough of them.
    func deliver() {
        if case .publishing(let ingest, _) = role { ingest.deliver() }
        if backlog.isFull { rest() }
    }

    /// Lets others use the loop. The peer's next bytes stay in its socket in the meantime.
    private func rest() {
        guard !isResting else { return }
        isResting = true
        try? context?.channel.syncOptions?.setOption(.autoRead, value: false)
        hub.turns.rest(self)
    }

    /// Continues the work. Returns false if the connection still has to wait for another loop.
    func goOn() -> Bool {
        if backlog.isFull, isOpen {
            hub.turns.rest(self)
            return false
        }
        isResting = false
        slice.finish()
        // The messages worked on now came while the connection rested.
        liveness.hear()
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

    /// Reads from the socket again, unless the connection still has to wait.
    func readAgain() {
        guard !isHeld, !isResting else { return }
        try? context?.channel.syncOptions?.setOption(.autoRead, value: true)
    }
}
