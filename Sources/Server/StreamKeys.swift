import NIOCore
import Synchronization

/// Who may publish what: names, with or without a secret, and how often an address may guess.
final class StreamKeys: Sendable {
    enum Verdict: Sendable, Equatable {
        case accepted
        case denied
        /// It has guessed too often: nothing is compared before so many seconds are over.
        case wait(seconds: Int)
    }

    private struct Rule: Sendable {
        var name: String
        var secret: [UInt8]?
    }

    private struct Guesses: Sendable {
        var failures = 0
        var blockedUntil: NIODeadline?
        var last: NIODeadline
    }

    private let rules: [Rule]
    private let guesses = Mutex<[String: Guesses]>([:])

    /// Wrong keys from one address before it has to wait, and the longest wait in seconds.
    static let patience = 5
    static let longestWait = 30
    /// Addresses remembered.
    private static let addressLimit = 10_000

    init(_ rules: [String]) {
        self.rules = rules.map { rule in
            guard let colon = rule.firstIndex(of: ":") else { return Rule(name: rule) }
            return Rule(
                name: String(rule[..<colon]),
                secret: Array(rule[rule.index(after: colon)...].utf8))
        }
    }

    /// What is wrong with a rule, in words; nil if nothing is.
    static func problem(of rule: String) -> String? {
        guard let colon = rule.firstIndex(of: ":") else {
            return rule.isEmpty ? "a stream key is empty; give NAME or NAME:SECRET" : nil
        }
        if colon == rule.startIndex {
            return "a stream key has a secret and no name; give NAME:SECRET"
        }
        guard rule.index(after: colon) == rule.endIndex else { return nil }
        let name = rule[..<colon]
        return
            "the stream key '\(name):' has an empty secret, which any key would match; give \(name):SECRET, or \(name) alone for a stream that needs no key"
    }

    /// - Parameter now: an argument, so that tests need not wait.
    func judge(
        _ name: String, query: String, address: String, now: NIODeadline = .now()
    ) -> Verdict {
        guard !rules.isEmpty else { return .accepted }
        let blockedUntil = guesses.withLock { $0[address]?.blockedUntil }
        if let blockedUntil, blockedUntil > now {
            return .wait(seconds: Int((blockedUntil - now).nanoseconds / 1_000_000_000) + 1)
        }
        let isRight = isRight(name, query)
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
            let excess = own.failures - Self.patience
            if excess >= 0 {
                let wait = min(Self.longestWait, 1 << min(excess, 10))
                own.blockedUntil = now + .seconds(Int64(wait))
            }
            guesses[address] = own
        }
        return isRight ? .accepted : .denied
    }

    /// Looks at every rule, whether one has matched or not.
    private func isRight(_ name: String, _ query: String) -> Bool {
        let given = query.split(separator: "&").filter { $0.hasPrefix("key=") }.map {
            Array($0.utf8.dropFirst(4))
        }
        var isRight = false
        for rule in rules where rule.name == name {
            guard let secret = rule.secret else {
                isRight = true
                continue
            }
            for key in given where Self.areEqual(key, secret) { isRight = true }
        }
        return isRight
    }

    /// Whether two keys are the same, in a time that depends on the length of `given` alone.
    static func areEqual(_ given: [UInt8], _ secret: [UInt8]) -> Bool {
        guard !secret.isEmpty else { return false }
        var difference: UInt8 = given.count == secret.count ? 0 : 1
        for index in given.indices { difference |= given[index] ^ secret[index % secret.count] }
        return difference == 0
    }
}
