/// Times for which an HLS loop waits for the readiness of its sockets.
struct HLSLoopWait {
    /// Number of the loop's viewers.
    var viewers: Int

    /// Number of viewers from which on deadlines that are close together share a wait. Probes are
    /// fewer, and are woken at their exact times.
    private static let manyViewers = 100
    /// Shortest wait of a loop of many viewers, in ns: requests that a link delays, judgements,
    /// timers and the window's ends are late by as much. Bytes have the link's time all the same.
    private static let shortest: Int64 = 1_000_000
    private static let longest: Int64 = 999_999_999

    /// Returns the longest wait in ns, from 0 to less than a second.
    func nanoseconds(until deadline: Int64, from now: Int64) -> Int64 {
        guard deadline > now else { return 0 }
        let shortest = viewers < Self.manyViewers ? 0 : Self.shortest
        return max(shortest, min(deadline - now, Self.longest))
    }
}
