/// Times at which an HLS viewer behind a link reads its socket. The times at which bytes count as
/// arrived come from the link's clock, so that rare reads cost less and change nothing.
extension SocketLink {
    /// Number of due bytes for which a viewer waits on a link whose bytes arrive later than their
    /// read, or on a fast link.
    private static let promptRead = 16_384
    /// Number of due bytes for which a viewer waits on other links, if so many wait in the socket.
    /// The kernel tells the server of free room only once the receive buffer is almost empty: a
    /// read of more than what waits would leave the link idle for a round trip.
    static let lazyRead = 65_536
    /// Longest times between two reads, in ns.
    private static let promptInterval: Int64 = 50_000_000
    private static let lazyInterval: Int64 = 200_000_000
    /// A link on which `lazyRead` bytes take less than this time in ns is fast: there the receive
    /// buffer must be refilled often.
    private static let fastRead: Int64 = 100_000_000
    /// Reads in the middle of a response are made at multiples of this time in ns, so that one turn
    /// of the loop serves several viewers.
    private static let grid: Int64 = 4_000_000

    /// Returns the time of the next read of a response: many bytes are read at once, but the end of
    /// the response is read as soon as it is due.
    ///
    /// Delay, jitter and loss act on reads, so that a link which has any of them is read promptly.
    /// - Parameters:
    ///   - rest: number of bytes until the response ends.
    ///   - now: the present time, at least 0; what was due has been read.
    ///   - isLazy: whether only the times of a response's first and last byte matter.
    ///   - waiting: number of bytes that wait in the socket, which is asked for only if it matters.
    func nextRead(
        of rest: Int, at now: Int64, isLazy: Bool, waiting: @autoclosure () -> Int
    ) -> Int64 {
        // Times are computed only where they are used, by divisions of 128 bits.
        var prompt: Int64 {
            min(time(toReceive: min(rest, Self.promptRead)), now + Self.promptInterval)
        }
        guard isLazy, rest > Self.promptRead, !shared.delays else { return prompt }
        let later = time(toReceive: Self.lazyRead)
        guard later >= now + Self.fastRead else { return prompt }
        let present = waiting()
        guard present > 0 else { return prompt }
        let limit = now + Self.lazyInterval
        guard present >= min(rest, Self.lazyRead) else {
            return min(time(toReceive: present), limit)
        }
        guard rest > Self.lazyRead else { return min(time(toReceive: rest), limit) }
        let wanted = min(later, limit)
        // The grid does not ask for bytes that do not wait, and not for the end later than due.
        let last = time(toReceive: min(rest, present))
        return min(last, wanted + Self.grid - wanted % Self.grid)
    }
}
