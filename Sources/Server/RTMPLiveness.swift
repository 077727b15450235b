import NIOCore

/// Times of the last signs of life of an RTMP peer, by which its connection may stay or is closed.
struct RTMPLiveness {
    enum Verdict {
        case isFine
        /// The server has to ping the peer now.
        case needsPing
        /// The server has to close the connection, for this reason.
        case isOver(String)
    }

    /// Time since which the peer neither publishes nor plays.
    private var idleSince = NIODeadline.now()
    private var lastHeard = NIODeadline.now()
    private var lastPing = NIODeadline.now()
    /// Time of the first ping since the player was last heard.
    private var unansweredPing: NIODeadline?

    /// Notes that the peer has sent something.
    mutating func hear() {
        lastHeard = .now()
        unansweredPing = nil
    }

    /// Notes that the peer has stopped publishing or playing.
    mutating func beginIdling() { idleSince = .now() }

    /// Decides whether the connection may stay. A ping that becomes due counts as sent at `now`.
    mutating func judge(
        _ role: RTMPRole, _ configuration: ServerConfiguration, now: NIODeadline
    ) -> Verdict {
        func elapsed(_ since: NIODeadline) -> Int { Int((now - since).nanoseconds / 1_000_000) }
        switch role {
        case .none:
            if elapsed(idleSince) > configuration.setupTimeoutMilliseconds {
                return .isOver("neither published nor played in time")
            }
        case .publishing:
            if elapsed(lastHeard) > configuration.publisherIdleMilliseconds {
                return .isOver("the publisher has sent nothing for \(elapsed(lastHeard)) ms")
            }
        case .playing(let subscriber, _, _):
            if subscriber.congestedMilliseconds(now: now)
                > configuration.stalledSubscriberMilliseconds
            {
                return .isOver("the player has not read for too long")
            } else if let since = unansweredPing,
                elapsed(since) > 3 * configuration.pingIntervalMilliseconds
            {
                return .isOver("the player has not answered a ping")
            } else if elapsed(lastPing) >= configuration.pingIntervalMilliseconds {
                lastPing = now
                unansweredPing = unansweredPing ?? now
                return .needsPing
            }
        }
        return .isFine
    }
}
