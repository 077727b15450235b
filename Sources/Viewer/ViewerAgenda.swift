import SimulationKernel

/// Schedule of a viewer loop's events that do not come from sockets: viewers join and leave, ticks
/// occur, and the steady window begins and ends.
///
/// The schedule never reads a clock. All times are nanoseconds of one clock, which the caller
/// reads.
struct ViewerAgenda: Sendable {
    enum Event: Hashable, Sendable {
        /// The viewer with this index joins.
        case join(Int)
        /// The viewer with this index leaves.
        case leave(Int)
        /// A tick that was planned for this time is due.
        case tick(Int64)
        case windowStart
        case windowEnd
    }

    /// Time between two ticks, which serve for housekeeping and show how late the loop is.
    static let tickNanoseconds: Int64 = 50_000_000

    private struct Entry {
        var time: Int64
        var viewer: Int
    }

    /// Joins in ascending order of time.
    private let joins: [Entry]
    private let leaves: [Entry]
    private var nextJoin = 0
    private var nextLeave = 0
    /// Time of the next tick.
    private(set) var nextTick: Int64
    private var hasWindowStarted = false
    private var hasWindowEnded = false
    /// The steady window; nil until it is known.
    var window: Window?

    /// - Parameters:
    ///   - start: Time to which the times in `plans` are relative.
    ///   - plans: Times at which each viewer joins and leaves; nil = it stays to the end of the
    ///     run.
    ///   - now: Current time. The first tick is at `now` or at `start`, whichever is later.
    init(from start: Int64, plans: [(join: Int64, leave: Int64?)], now: Int64) {
        func entries(_ times: [Int64?]) -> [Entry] {
            let entries = times.enumerated().compactMap { viewer, offset in
                offset.map { Entry(time: Self.sum(start, $0), viewer: viewer) }
            }
            return entries.sorted { ($0.time, $0.viewer) < ($1.time, $1.viewer) }
        }
        joins = entries(plans.map(\.join))
        leaves = entries(plans.map(\.leave))
        nextTick = max(now, start)
    }

    private static func sum(_ a: Int64, _ b: Int64) -> Int64 {
        let (sum, isOverflow) = a.addingReportingOverflow(b)
        return isOverflow ? (b > 0 ? .max : .min) : sum
    }

    /// Returns the next event that is due at `now`; nil if none is due. Missed ticks are left out,
    /// so after a tick the next one is always later than `now`.
    mutating func next(at now: Int64) -> Event? {
        if nextJoin < joins.count, joins[nextJoin].time <= now {
            nextJoin += 1
            return .join(joins[nextJoin - 1].viewer)
        }
        if nextLeave < leaves.count, leaves[nextLeave].time <= now {
            nextLeave += 1
            return .leave(leaves[nextLeave - 1].viewer)
        }
        if now >= nextTick {
            let planned = nextTick
            nextTick += ((now - planned) / Self.tickNanoseconds + 1) * Self.tickNanoseconds
            return .tick(planned)
        }
        guard let window else { return nil }
        if !hasWindowStarted, now >= window.startNanoseconds {
            hasWindowStarted = true
            return .windowStart
        }
        if !hasWindowEnded, now >= window.endNanoseconds {
            hasWindowEnded = true
            return .windowEnd
        }
        return nil
    }

    /// Latest time at which to call `next`.
    var deadline: Int64 {
        var time = nextTick
        if nextJoin < joins.count { time = min(time, joins[nextJoin].time) }
        if nextLeave < leaves.count { time = min(time, leaves[nextLeave].time) }
        if let window {
            if !hasWindowStarted { time = min(time, window.startNanoseconds) }
            if !hasWindowEnded { time = min(time, window.endNanoseconds) }
        }
        return time
    }
}
