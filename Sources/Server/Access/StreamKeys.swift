import HTTPWire
import NIOCore
import Synchronization

/// Names that may be published or played, with or without a secret, and the limit on an address's
/// guesses.
final class StreamKeys: Sendable {
    enum Verdict: Sendable, Equatable {
        case accepted
        case denied
        /// The address has guessed too often: nothing is compared before this number of seconds is
        /// over.
        case wait(seconds: Int)
    }

    private let own: [StreamKeyRule]
    private let file: String?
    private let rules: Mutex<[StreamKeyRule]>
    private let coversRenditions: Bool
    private let guesses = GuessLimiter()

    /// Number of wrong keys from one address before it has to wait, and the longest wait in
    /// seconds.
    static let patience = 5
    static let longestWait = 30

    /// - Parameters:
    ///   - file: File with more rules; nil = none.
    ///   - coversRenditions: Whether a key for `cam` also opens `cam_720p`.
    /// - Throws: `ServerConfigurationError` for a rule that makes no sense.
    init(
        _ texts: [String], file: String? = nil, coversRenditions: Bool = false
    ) throws(ServerConfigurationError) {
        var own: [StreamKeyRule] = []
        for text in texts {
            do {
                own.append(try StreamKeyRule(text))
            } catch {
                throw ServerConfigurationError(description: error.description)
            }
        }
        self.own = own
        self.file = file
        self.coversRenditions = coversRenditions
        rules = Mutex(
            own
                + (try file.map { path throws(ServerConfigurationError) in
                    try StreamKeyFile.read(path)
                } ?? []))
    }

    /// Reads the file again.
    ///
    /// - Throws: An error for a file that makes no sense; the old keys stay in use.
    func reload() throws(ServerConfigurationError) {
        guard let file else { return }
        let new = own + (try StreamKeyFile.read(file))
        rules.withLock { $0 = new }
    }

    var hasFile: Bool { file != nil }

    /// Whether every name is accepted, because there is no key. A file counts as a key, even if it
    /// is empty.
    var isOpen: Bool { own.isEmpty && file == nil }

    /// Fault of a rule; nil if there is none.
    static func problem(of rule: String) -> String? {
        do throws(StreamKeyRule.Fault) {
            _ = try StreamKeyRule(rule)
            return nil
        } catch {
            return error.description
        }
    }

    /// - Parameters:
    ///   - stream: The stream's name without its application.
    ///   - query: Query of the stream's name or of the URL; its `key=` counts.
    ///   - now: Time, which is an argument so that tests need not wait.
    func judge(
        _ stream: String, of application: String = "live", query: String, address: String,
        now: NIODeadline = .now()
    ) -> Verdict {
        guard !isOpen else { return .accepted }
        let guess = "\(application)/\(stream)?\(Self.keys(in: query).joined(separator: "&"))"
        if let seconds = guesses.wait(address, now: now) {
            let isKnown = guesses.knows(guess, from: address)
            return isKnown && isRight(stream, application, query)
                ? .accepted : .wait(seconds: seconds)
        }
        let isRight = isRight(stream, application, query)
        guesses.count(guess, from: address, isRight: isRight, now: now)
        return isRight ? .accepted : .denied
    }

    /// Checks every rule, whether an earlier one has matched or not.
    private func isRight(_ stream: String, _ application: String, _ query: String) -> Bool {
        var given: [(key: [UInt8], hash: [UInt8])] = []
        for key in Self.keys(in: query) {
            given.append(StreamKeyRule.hashed(Array(key.utf8)))
            let decoded = URIReference.percentDecoded(key)
            if decoded != key { given.append(StreamKeyRule.hashed(Array(decoded.utf8))) }
        }
        let rules = rules.withLock { $0 }
        var isRight = false
        for rule in rules
        where rule.isAbout(stream, of: application, coversRenditions: coversRenditions) {
            if rule.secret == .none { isRight = true }
            for key in given where rule.accepts(key) { isRight = true }
        }
        return isRight
    }

    /// Returns the values of `key=` in a query, as they are written; two at most.
    static func keys(in query: String) -> [String] {
        query.split(separator: "&").filter { $0.hasPrefix("key=") }.prefix(2).map {
            String($0.dropFirst(4))
        }
    }

    /// Whether two keys are equal. The time that this takes depends only on the length of `given`.
    static func areEqual(_ given: [UInt8], _ secret: [UInt8]) -> Bool {
        guard !secret.isEmpty else { return false }
        var difference: UInt8 = given.count == secret.count ? 0 : 1
        for index in given.indices { difference |= given[index] ^ secret[index % secret.count] }
        return difference == 0
    }
}
