import Digests
import NIOCore
import Synchronization

/// Limit on how often an address may guess a secret.
///
/// A right guess does not cancel the wrong ones; otherwise a peer with one key could guess others
/// between two uses of it. A secret that an address has guessed right before is accepted even while
/// the address has to wait: behind a proxy or an edge all peers have one address, and a stranger
/// there must not keep the others out.
final class GuessLimiter: Sendable {
    private struct Guesses: Sendable {
        var failures = 0
        var blockedUntil: NIODeadline?
        var last: NIODeadline
    }

    private struct State: Sendable {
        var guesses: [String: Guesses] = [:]
        /// Hashes of addresses with the secrets that they have guessed right.
        var known: Set<[UInt8]> = []
    }

    private let state = Mutex(State())

    /// Largest number of addresses remembered, and of right guesses remembered.
    private static let limit = 10_000
    /// Seconds after which one wrong guess is forgotten.
    private static let forgiveness: Int64 = 60

    /// Seconds that an address has to wait before a guess is compared; nil = it need not wait.
    func wait(_ address: String, now: NIODeadline) -> Int? {
        let address = AddressRange.site(of: address)
        let blockedUntil = state.withLock { $0.guesses[address]?.blockedUntil }
        guard let blockedUntil, blockedUntil > now else { return nil }
        return Int((blockedUntil - now).nanoseconds / 1_000_000_000) + 1
    }

    /// Whether an address has guessed `guess` right before.
    func knows(_ guess: String, from address: String) -> Bool {
        let hash = Self.hash(guess, address)
        return state.withLock { $0.known.contains(hash) }
    }

    /// Counts a guess.
    func count(_ guess: String, from address: String, isRight: Bool, now: NIODeadline) {
        guard !isRight else {
            let hash = Self.hash(guess, address)
            return state.withLock { state in
                if state.known.count >= Self.limit { state.known.removeAll() }
                state.known.insert(hash)
            }
        }
        let address = AddressRange.site(of: address)
        state.withLock { state in
            if state.guesses.count >= Self.limit, state.guesses[address] == nil,
                let oldest = state.guesses.min(by: { $0.value.last < $1.value.last })?.key
            {
                state.guesses[oldest] = nil
            }
            var own = state.guesses[address] ?? Guesses(last: now)
            let forgiven = (now - own.last).nanoseconds / 1_000_000_000 / Self.forgiveness
            own.failures = max(0, own.failures - Int(forgiven)) + 1
            own.last = now
            let excess = own.failures - StreamKeys.patience
            if excess >= 0 {
                let wait = min(StreamKeys.longestWait, 1 << min(excess, 10))
                own.blockedUntil = now + .seconds(Int64(wait))
            }
            state.guesses[address] = own
        }
    }

    private static func hash(_ guess: String, _ address: String) -> [UInt8] {
        SHA256.hash(Array("\(address) \(guess)".utf8))
    }
}
