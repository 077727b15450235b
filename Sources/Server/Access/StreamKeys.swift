import HTTPWire
import NIOCore
import Synchronization

/// Who may publish or play what: names, with or without a secret, and how often an address may
/// guess.
final class StreamKeys: Sendable {
    enum Verdict: Sendable, Equatable {
        case accepted
        case denied
        /// It has guessed too often: nothing is compared before so many seconds are over.
        case wait(seconds: Int)
    }

    private let own: [StreamKeyRule]
    private let file: String?
    private let rules: Mutex<[StreamKeyRule]>
    private let coversRenditions: Bool
    private let guesses = GuessLimiter()

    /// Wrong keys from one address before it has to wait, and the longest wait in seconds.
    static let patience = 5
    static let longestWait = 30

    /// - Parameters:
    ///   - file: with more rules; nil = none.
    ///   - coversRenditions: whether a key for `cam` is one for `cam_720p`, too.
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
    /// - Throws: for a file that makes no sense; the old keys stay in use then.
    func reload() throws(ServerConfigurationError) {
        guard let file else { return }
        let new = own + (try StreamKeyFile.read(file))
        rules.withLock { $0 = new }
    }

    var hasFile: Bool { file != nil }

    /// Without any key everything is accepted. A file is one, even if it is empty.
    var isOpen: Bool { own.isEmpty && file == nil }

    /// What is wrong with a rule, in words; nil if nothing is.
    static func problem(of rule: String) -> String? {
        do throws(StreamKeyRule.Fault) {
            _ = try StreamKeyRule(rule)
            return nil
        } catch {
            return error.description
        }
    }

    /// - Parameters:
    ///   - stream: the stream's name without its application.
    ///   - query: of the stream's name or of the URL; its `key=` counts.
    ///   - now: an argument, so that tests need not wait.
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

    /// Looks at every rule, whether one has matched or not.
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

    /// The values of `key=` in a query, as they are written; two at most.
    static func keys(in query: String) -> [String] {
        query.split(separator: "&").filter { $0.hasPrefix("key=") }.prefix(2).map {
            String($0.dropFirst(4))
        }
    }

    /// Whether two keys are the same, in a time that depends on the length of `given` alone.
    static func areEqual(_ given: [UInt8], _ secret: [UInt8]) -> Bool {
        guard !secret.isEmpty else { return false }
        var difference: UInt8 = given.count == secret.count ? 0 : 1
        for index in given.indices { difference |= given[index] ^ secret[index % secret.count] }
        return difference == 0
    }
}
