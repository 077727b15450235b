import Crypto
import NIOCore
import Synchronization

/// How often an address may guess a secret.
///
/// A right guess does not take back the wrong ones, or whoever has a key could guess others' between
/// two uses of it. What an address has got right before goes on to be taken while it has to wait:
/// behind a proxy or an edge all have one address, and a stranger there must not keep them out.
final class GuessLimiter: Sendable {
    private struct Guesses: Sendable {
        var failures = 0
        var blockedUntil: NIODeadline?
        var last: NIODeadline
    }

    private struct State: Sendable {
        var guesses: [String: Guesses] = [:]
        /// Hashes of addresses and what they have got right.
        var known: Set<[UInt8]> = []
    }

    private let state = Mutex(State())

    /// Addresses remembered, and things that they have got right.
    private static let limit = 10_000
    /// Seconds after which one wrong guess is forgotten.
    private static let forgiveness: Int64 = 60

    /// Seconds that an address has to wait before anything is compared; nil = none.
    func wait(_ address: String, now: NIODeadline) -> Int? {
        let address = AddressRange.site(of: address)
        let blockedUntil = state.withLock { $0.guesses[address]?.blockedUntil }
        guard let blockedUntil, blockedUntil > now else { return nil }
        return Int((blockedUntil - now).nanoseconds / 1_000_000_000) + 1
    }

    /// Whether an address has got `guess` right before.
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
        Array(SHA256.hash(data: Array("\(address) \(guess)".utf8)))
    }
}
