import Synchronization

/// What one connection has published and other loops have not worked on yet, in bytes over all loops.
///
/// It is the connection's, not a publication's: who ends one and begins another takes it along.
final class Backlog: Sendable {
    /// What anything counts at least: ever so many small things are work, too.
    static let leastCost = 2048
    private static let limit = 4 << 20
    private let cost = Atomic<Int>(0)

    /// Whether other loops have enough to do.
    var isFull: Bool { cost.load(ordering: .relaxed) > Self.limit }

    /// Does `action` on the hub's loop, in order.
    func handOver(
        to hub: StreamHub, cost: Int = leastCost, _ action: @escaping @Sendable (StreamHub) -> Void
    ) {
        self.cost.add(cost, ordering: .relaxed)
        hub.turns.handOver {
            action(hub)
            self.cost.subtract(cost, ordering: .relaxed)
        }
    }
}
