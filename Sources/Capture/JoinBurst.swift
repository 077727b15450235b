/// Tells the messages that waited for a player's join from those that were relayed to it.
///
/// Some came in before the play request: a cache's. Others came in after it, but before the server
/// first sent the player media: they waited until it was ready to (its set-up, or Nagle's algorithm
/// with the answer to the request not yet acknowledged). The first message that came in after the
/// server had begun says how long relaying takes; what took longer before it is join burst.
struct JoinBurst {
    struct Held {
        var ingress: Int64
        var egress: Int64
        var frame: RelayedFrame?
    }

    /// Messages that wait for the verdict at most.
    static let limit = 256
    /// How much longer than relaying a message takes that was held up, in nanoseconds.
    static let slack: Int64 = 1_000_000

    private var firstEgress: Int64?
    private(set) var held: [Held] = []
    private(set) var isOver = false

    /// Takes the next message that came in after the play request. Returns those that are decided
    /// on now, in order, each with whether it is of the burst; the message itself is held while
    /// nothing can be told.
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

    /// Keeps a stamped frame with its message, which was held just now.
    mutating func attach(_ frame: RelayedFrame) {
        guard let last = held.indices.last else { return }
        held[last].frame = frame
    }
}
