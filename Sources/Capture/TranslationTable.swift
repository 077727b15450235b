/// Finds connections that a capture holds before and after address translation, as on hosts with
/// containers.
struct TranslationTable {
    struct Opening {
        var flow: FlowKey
        var origin: UInt32
        var time: Int64
    }

    /// Number of openings remembered; the oldest half goes.
    static let limit = 4_096
    /// Largest distance between both, in nanoseconds.
    static let window: Int64 = 20_000_000

    private var openings: [UInt64: Opening] = [:]
    private var order: [UInt64] = []

    var rememberedOpenings: Int { openings.count }

    /// Returns the opening that is another sight of this one: one of its ends has other addresses,
    /// and it was captured on another interface.
    mutating func original(
        of mark: UInt64, flow: FlowKey, origin: UInt32, time: Int64
    ) -> Opening? {
        if let known = openings[mark] {
            let sharesEnd =
                [flow.first, flow.second].contains(known.flow.first)
                || [flow.first, flow.second].contains(known.flow.second)
            guard known.flow != flow, known.origin != origin, sharesEnd,
                (time &- known.time).magnitude <= UInt64(Self.window)
            else { return nil }
            return known
        }
        if order.count >= Self.limit {
            for mark in order.prefix(Self.limit / 2) { openings[mark] = nil }
            order.removeFirst(Self.limit / 2)
        }
        openings[mark] = Opening(flow: flow, origin: origin, time: time)
        order.append(mark)
        return nil
    }
}
