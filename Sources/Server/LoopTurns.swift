import NIOCore

/// What is too much for one go on an event loop, done in slices of time between which the loop looks
/// at its sockets: what one connection sends must not keep others waiting.
///
/// The loop runs all tasks that are due before it looks at a socket again, those that such tasks add
/// included. So a turn is a task in the near future, set only when the turn before it is over. Bound
/// to its event loop, except `handOver`.
final class LoopTurns: @unchecked Sendable {
    /// For how long a connection, or what other loops have handed over, is worked for in a turn.
    static let slice = TimeAmount.microseconds(500)
    /// In which as much as `slice` of what is handed over is done at once.
    private static let window = TimeAmount.milliseconds(5)
    private static let pause = TimeAmount.microseconds(50)
    /// For connections that wait for another loop.
    private static let longPause = TimeAmount.milliseconds(1)

    private let eventLoop: any EventLoop
    /// Connections that have more to do than a slice.
    private var resting = CircularBuffer<RTMPServerHandler>()
    /// What publishers on other loops handed over and is not done; each connection's `Backlog` bounds
    /// its own share.
    private var handedOver = CircularBuffer<@Sendable () -> Void>()
    /// Time that went into what was handed over, and since when it is counted.
    private var spent = (time: TimeAmount.zero, since: NIODeadline.now())
    private var isTurnSet = false

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Lets a connection go on in a later turn; one connection has each turn.
    func rest(_ connection: RTMPServerHandler) {
        resting.append(connection)
        setTurn(in: Self.pause)
    }

    /// Does what a publisher on another loop has for this one, in order: at once, or in slices where
    /// there is more than can be done beside the sockets. Can be called on any thread.
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
            // One that waits for another loop does not take the turn of one that has work.
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
