import Synchronization

/// Work that one connection has published and other loops have not done yet, in bytes over all
/// loops.
///
/// The backlog belongs to the connection, not to a publication: a peer that ends one publication
/// and begins another keeps it.
final class Backlog: Sendable {
    /// Least cost of any work: very many small pieces take time, too.
    static let leastCost = 2048
    private static let limit = 4 << 20
    private let cost = Atomic<Int>(0)

    /// Whether other loops have enough work.
    var isFull: Bool { cost.load(ordering: .relaxed) > Self.limit }

    /// Performs `action` on the hub's loop, in order.
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
