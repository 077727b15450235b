/// A simple play-out buffer. It starts once enough media is buffered, stalls when it runs dry and
/// starts again once enough media is buffered. Times are in nanoseconds, and the buffer reads no
/// clock.
struct PlayoutBuffer {
    private enum State {
        case filling
        case playing(sinceMedia: Int64, sinceClock: Int64)
    }

    private let target: Int64
    private var state = State.filling
    private var firstMedia: Int64?
    private var lastMedia: Int64 = 0
    /// Media time at which playback stands while the buffer fills.
    private var position: Int64 = 0
    private var fillingSince: Int64
    private(set) var stallCount = 0
    private(set) var stallNanoseconds: Int64 = 0
    /// Time from creation to the first frame shown.
    private(set) var startupNanoseconds: Int64?
    private(set) var playedNanoseconds: Int64 = 0

    init(targetMilliseconds: Int, now: Int64) {
        target = Int64(targetMilliseconds) * 1_000_000
        fillingSince = now
    }

    /// Notes that media up to the timestamp has arrived.
    mutating func receive(timestampMilliseconds: Int64, now: Int64) {
        advance(now: now)
        let media = timestampMilliseconds * 1_000_000
        if firstMedia == nil {
            firstMedia = media
            position = media
        }
        lastMedia = max(lastMedia, media)
        guard case .filling = state, lastMedia - position >= target else { return }
        if startupNanoseconds == nil {
            startupNanoseconds = now - fillingSince
        } else {
            stallNanoseconds += now - fillingSince
        }
        state = .playing(sinceMedia: position, sinceClock: now)
    }

    /// Advances the clock to `now`. If the buffer ran dry before `now`, the stall begins at the
    /// time when it ran dry.
    mutating func advance(now: Int64) {
        guard case .playing(let media, let clock) = state else { return }
        let reached = media + (now - clock)
        guard reached > lastMedia else { return }
        let dryAt = clock + (lastMedia - media)
        playedNanoseconds += lastMedia - media
        position = lastMedia
        state = .filling
        stallCount += 1
        fillingSince = dryAt
    }

    /// Closes the account at the end of the session.
    mutating func finish(now: Int64) {
        advance(now: now)
        switch state {
        case .playing(_, let clock): playedNanoseconds += now - clock
        case .filling:
            if startupNanoseconds != nil { stallNanoseconds += now - fillingSince }
        }
    }
}
