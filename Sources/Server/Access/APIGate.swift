import NIOCore
import NIOHTTP1

/// Access to the API, which is for the operator: from this machine everybody has it, from elsewhere
/// only a client with the token.
final class APIGate: Sendable {
    private let rules: AddressRules.Table
    /// Token; nil = requests are answered on this machine alone.
    private let token: [UInt8]?
    private let guesses = GuessLimiter()

    /// - Throws: `ServerConfigurationError` for a file that cannot be used.
    init(
        rules: AddressRules = .init(), token: String?, file: String?
    ) throws(ServerConfigurationError) {
        self.rules = .init(rules)
        let given =
            if let file { try SecretFile.secret(file) } else { token }
        self.token = given.map { Array($0.utf8) }
    }

    /// Fault of a token and its file, with the remedy; nil if there is none.
    static func problem(token: String?, file: String?) -> String? {
        if token?.isEmpty ?? false { return "the API's token is empty; give a long random one" }
        return token != nil && file != nil
            ? "the API's token is given twice; give it or its file" : nil
    }

    /// Judges a request. A request that another server passes on comes from that server's clients
    /// although the connection is this machine's, and so does a request that a page in a browser
    /// makes.
    ///
    /// - Parameter changes: Whether the request is to change something.
    func judge(
        _ head: HTTPRequestHead, address: String?, changes: Bool
    ) -> AccessPolicy.Verdict {
        guard rules.admits(address) else {
            return .refused("this address may not ask the API here")
        }
        let passedOn = ["via", "x-forwarded-for", "forwarded", "x-real-ip"]
        let isPassedOn = passedOn.contains { head.headers.contains(name: $0) }
        let isPage = changes && head.headers.contains(name: "origin")
        if let address, AddressRange.isLoopback(address), !isPassedOn, !isPage { return .accepted }
        guard let token else {
            return .refused(
                "the API is answered on the server's own machine alone; a token (--api-token-file) opens it for others"
            )
        }
        let peer = address ?? "?"
        let now = NIODeadline.now()
        let given = head.headers[canonicalForm: "authorization"].first.map(String.init) ?? ""
        if let seconds = guesses.wait(peer, now: now), !guesses.knows(given, from: peer) {
            return .wait(seconds: seconds)
        }
        guard given.count > 7, given.prefix(7).lowercased() == "bearer " else {
            return .refused("the API needs its token: Authorization: Bearer TOKEN")
        }
        let isRight = StreamKeys.areEqual(Array(given.dropFirst(7).utf8), token)
        guesses.count(given, from: peer, isRight: isRight, now: now)
        return isRight ? .accepted : .refused("the API's token is another one")
    }
}
