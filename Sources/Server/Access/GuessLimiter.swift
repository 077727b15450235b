import NIOCore
import Synchronization

/// How often an address may guess a secret.
final class GuessLimiter: Sendable {
    private struct Guesses: Sendable {
        var failures = 0
        var blockedUntil: NIODeadline?
        var last: NIODeadline
    }

    private let guesses = Mutex<[String: Guesses]>([:])

    /// Addresses remembered.
    private static let addressLimit = 10_000

    /// Seconds that an address has to wait before anything is compared; nil = none.
    func wait(_ address: String, now: NIODeadline) -> Int? {
        let blockedUntil = guesses.withLock { $0[address]?.blockedUntil }
        guard let blockedUntil, blockedUntil > now else { return nil }
        return Int((blockedUntil - now).nanoseconds / 1_000_000_000) + 1
    }

    /// Counts a guess.
    func count(_ address: String, isRight: Bool, now: NIODeadline) {
        guesses.withLock { guesses in
            guard !isRight else {
                guesses[address] = nil
                return
            }
            if guesses.count >= Self.addressLimit, guesses[address] == nil,
                let oldest = guesses.min(by: { $0.value.last < $1.value.last })?.key
            {
                guesses[oldest] = nil
            }
            var own = guesses[address] ?? Guesses(last: now)
            own.failures += 1
            own.last = now
            let excess = own.failures - StreamKeys.patience
            if excess >= 0 {
                let wait = min(StreamKeys.longestWait, 1 << min(excess, 10))
                own.blockedUntil = now + .seconds(Int64(wait))
            }
            guesses[address] = own
        }
    }
}
