import Digests
import HTTPWire

/// The streams that a key opens: `NAME`, `NAME:SECRET`, `NAME:sha256:HEX` or `sha256:HEX`. NAME may
/// have its application before it, and `*` is any name.
struct StreamKeyRule: Sendable, Equatable {
    enum Secret: Sendable, Equatable {
        /// There is no secret: the name suffices.
        case none
        case plain([UInt8])
        /// SHA-256 of the secret.
        case hash([UInt8])
    }

    struct Fault: Error, CustomStringConvertible {
        var description: String
    }

    /// Application; nil = any.
    var application: String?
    /// Name; nil = any.
    var name: String?
    var secret: Secret

    private static let hashPrefix = "sha256:"

    /// - Throws: `Fault` that says how to mend it.
    init(_ text: String) throws(Fault) {
        guard !text.isEmpty else {
            throw Fault(description: "a stream key is empty; give NAME or NAME:SECRET")
        }
        if text.hasPrefix(Self.hashPrefix) {
            secret = .hash(try Self.hash(text.dropFirst(Self.hashPrefix.count)))
            return
        }
        let colon = text.firstIndex(of: ":")
        let place = text[..<(colon ?? text.endIndex)]
        guard !place.isEmpty else {
            throw Fault(description: "a stream key has a secret and no name; give NAME:SECRET")
        }
        secret = .none
        if let colon {
            let rest = text[text.index(after: colon)...]
            guard !rest.isEmpty else {
                throw Fault(
                    description:
                        "the stream key '\(place.printable):' has an empty secret, which any key would match; give \(place.printable):SECRET, or \(place.printable) alone for a stream that needs no key"
                )
            }
            secret =
                rest.hasPrefix(Self.hashPrefix)
                ? .hash(try Self.hash(rest.dropFirst(Self.hashPrefix.count)))
                : .plain(Array(rest.utf8))
        }
        let slash = place.lastIndex(of: "/")
        let stream = slash.map { place[place.index(after: $0)...] } ?? place
        let before = slash.map { place[..<$0] }
        guard !stream.isEmpty, before.map({ !$0.isEmpty }) ?? true else {
            throw Fault(
                description:
                    "the stream key's name '\(place.printable)' is cut off; give APPLICATION/NAME, or NAME for any application"
            )
        }
        name = stream == "*" ? nil : String(stream)
        application = before.map { String($0) }
    }

    private static func hash(_ hex: Substring) throws(Fault) -> [UInt8] {
        var bytes: [UInt8] = []
        var digits = hex.utf8[...]
        while digits.count >= 2, let byte = UInt8(String(Substring(digits.prefix(2))), radix: 16) {
            bytes.append(byte)
            digits = digits.dropFirst(2)
        }
        guard digits.isEmpty, bytes.count == 32 else {
            throw Fault(
                description:
                    "what follows sha256: is not 64 hexadecimal digits; make them with: printf %s SECRET | sha256sum"
            )
        }
        return bytes
    }

    /// Whether the rule applies to a stream.
    ///
    /// - Parameter coversRenditions: Whether a rule for `NAME` applies to `NAME_720p`.
    func isAbout(_ stream: String, of application: String, coversRenditions: Bool) -> Bool {
        if let own = self.application, own != application { return false }
        guard let name, name != stream else { return true }
        return coversRenditions && StreamName.splitRendition(stream).channel == name
    }

    /// - Parameter given: The key, and its SHA-256.
    func accepts(_ given: (key: [UInt8], hash: [UInt8])) -> Bool {
        switch secret {
        case .none: true
        case .plain(let secret): StreamKeys.areEqual(given.key, secret)
        case .hash(let hash): StreamKeys.areEqual(given.hash, hash)
        }
    }

    /// Returns a key with its hash.
    static func hashed(_ key: [UInt8]) -> (key: [UInt8], hash: [UInt8]) {
        (key, SHA256.hash(key))
    }
}

/// Reading of a file with one rule in a line.
enum StreamKeyFile {
    static let byteLimit = 1 << 20
    static let ruleLimit = 10_000

    /// - Throws: `ServerConfigurationError` with file and line.
    static func read(_ path: String) throws(ServerConfigurationError) -> [StreamKeyRule] {
        let text = try SecretFile.text(path, limit: byteLimit)
        var rules: [StreamKeyRule] = []
        for (number, line) in text.split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline
        ).enumerated() {
            let rule = SecretFile.trimmed(line)
            guard !rule.isEmpty, !rule.hasPrefix("#") else { continue }
            guard rules.count < ruleLimit else {
                throw ServerConfigurationError(
                    description: "\(path):\(number + 1): at most \(ruleLimit) keys are taken")
            }
            do {
                rules.append(try StreamKeyRule(String(rule)))
            } catch {
                throw ServerConfigurationError(description: "\(path):\(number + 1): \(error)")
            }
        }
        return rules
    }
}
