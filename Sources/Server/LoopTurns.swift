import NIOCore

/// Performs large amounts of work on an event loop in slices of time, between which the loop serves
/// its sockets, so that the messages of one connection do not keep others waiting.
///
/// The loop runs all due tasks before it looks at a socket again, including tasks that such tasks
/// add. A turn is therefore a task in the near future, which is scheduled only when the turn before
/// it is over. The object is bound to its event loop, except `handOver`.
final class LoopTurns: @unchecked Sendable {
    /// Time in one turn for a connection, and for the work that other loops have handed over.
    static let slice = TimeAmount.microseconds(500)
    /// Period in which at most one `slice` of the work handed over is done at once; the rest waits
    /// for a turn.
    private static let window = TimeAmount.milliseconds(5)
    /// Pause before a turn, in which the loop serves its sockets.
    private static let pause = TimeAmount.microseconds(50)
    /// Pause before a turn if all resting connections wait for another loop.
    private static let longPause = TimeAmount.milliseconds(1)

    private let eventLoop: any EventLoop
    /// Connections that have more work than fits into a slice.
    private var resting = CircularBuffer<RTMPServerHandler>()
    /// Work that publishers on other loops handed over and that is not done yet; each connection's
    /// `Backlog` bounds its own share.
    private var handedOver = CircularBuffer<@Sendable () -> Void>()
    /// Time spent on the work handed over, and the time since which it is counted.
    private var spent = (time: TimeAmount.zero, since: NIODeadline.now())
    private var isTurnSet = false

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Lets a connection continue in a later turn; each turn has one connection.
    func rest(_ connection: RTMPServerHandler) {
        resting.append(connection)
        setTurn(in: Self.pause)
    }

    /// Performs work that a publisher on another loop has for this loop, in order: at once, or in
    /// later turns if it is too much to do at once. Any thread may call this function.
    func handOver(_ action: @escaping @Sendable () -> Void) {
        eventLoop.execute { [self] in
            let now = NIODeadline.now()
            if now - spent.since > Self.window { spent = (.zero, now) }
            guard handedOver.isEmpty, spent.time < Self.slice else {
                handedOver.append(action)
                return setTurn(in: Self.pause)
            }
            action()
            spent.time = spent.time + (.now() - now)
        }
    }

    private func setTurn(in pause: TimeAmount) {
        guard !isTurnSet, !resting.isEmpty || !handedOver.isEmpty else { return }
        isTurnSet = true
        eventLoop.scheduleTask(in: pause) { [weak self] in
            guard let self else { return }
            // A connection that waits for another loop does not take the turn of one that has work.
            var goesOn = resting.isEmpty
            for _ in 0..<resting.count where !goesOn {
                goesOn = resting.popFirst()?.goOn() ?? true
            }
            let end = NIODeadline.now() + Self.slice
            while let action = handedOver.popFirst() {
                action()
                if .now() > end { break }
            }
            isTurnSet = false
            setTurn(in: goesOn || !handedOver.isEmpty ? Self.pause : Self.longPause)
        }
    }
}
