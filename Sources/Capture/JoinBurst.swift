/// Separates the messages that waited for a player's join from those that were relayed to the
/// player.
///
/// Some messages came in before the play request: a cache held them. Others came in after it, but
/// before the server first sent media to the player. They waited until the server was ready to send
/// (its set-up, or Nagle's algorithm while the response to the request was not acknowledged). The
/// first message that came in after the server had begun shows how long relaying takes; earlier
/// messages that took longer are join burst.
struct JoinBurst {
    struct Held {
        var ingress: Int64
        var egress: Int64
        var frame: RelayedFrame?
    }

    /// Largest number of messages that wait for the decision.
    static let limit = 256
    /// Time in nanoseconds beyond the relay delay from which on a message counts as held up.
    static let slack: Int64 = 1_000_000

    private var firstEgress: Int64?
    private(set) var held: [Held] = []
    private(set) var isOver = false

    /// Processes the next message that came in after the play request. Returns the messages that
    /// are now decided on, in order, each with whether it belongs to the burst; the message itself
    /// is held while no decision is possible.
    mutating func receive(
        ingress: Int64, egress: Int64
    ) -> (decided: [(Held, isBurst: Bool)], isHeld: Bool) {
        guard !isOver else { return ([], false) }
        let begun = firstEgress ?? egress
        firstEgress = begun
        guard ingress >= begun || held.count >= Self.limit else {
            held.append(Held(ingress: ingress, egress: egress))
            return ([], true)
        }
        isOver = true
        let relaying = egress &- ingress
        let decided = held.map { message in
            (message, isBurst: message.egress &- message.ingress &- relaying > Self.slack)
        }
        held = []
        return (decided, false)
    }

    /// Keeps a stamped frame with its message, which was just held.
    mutating func attach(_ frame: RelayedFrame) {
        guard let last = held.indices.last else { return }
        held[last].frame = frame
    }
}
