import NIOCore

/// Makes the API's status pages, so that many requests cost no more than a few.
///
/// A request is answered with a page that was begun after it came. Requests that come before the
/// next page is begun share that page. The next page is begun after ten times as long as the one
/// before took, at most 200 ms, so that a flood of requests takes a tenth of a CPU from the streams.
/// A request after a longer pause is answered at once.
actor StatusPages {
    /// Pages that are to be begun.
    private var planned: [StatusPage: Task<ByteBuffer, any Error>] = [:]
    private var earliest = ContinuousClock.now
    /// Time from the beginning of a page to that of the next one, as a multiple of its making.
    private static let share = 10
    /// Shortest time between the beginnings of two pages after the first.
    private static let pause = Duration.milliseconds(5)
    /// Longest such time. A page of a busy server takes long because it waits for the loops.
    private static let longestPause = Duration.milliseconds(200)

    /// Returns a page of what `status` says from now on.
    func bytes(
        _ page: StatusPage, of status: @escaping @Sendable () async throws -> ServerStatus
    ) async throws -> ByteBuffer {
        if let task = planned[page] { return try await task.value }
        let start = earliest
        let task = Task {
            if start > .now { try await Task.sleep(until: start, clock: .continuous) }
            planned[page] = nil
            let begin = ContinuousClock.now
            earliest = begin + Self.pause
            let bytes = page.bytes(try await status())
            let pause = min((ContinuousClock.now - begin) * Self.share, Self.longestPause)
            earliest = max(earliest, begin + pause)
            return bytes
        }
        planned[page] = task
        return try await task.value
    }
}
