import Logging
import NIOCore
import NIOHTTP1

/// Who may do what on a server.
final class AccessPolicy: Sendable {
    enum Action: String, Sendable {
        case publish, play
    }

    enum Verdict: Sendable, Equatable {
        case accepted
        /// In words for the peer.
        case refused(String)
        case wait(seconds: Int)
    }

    let publishKeys: StreamKeys
    let playKeys: StreamKeys
    /// nil = nobody is asked.
    let callBacks: CallBacks?
    private let connections: AddressRules.Table
    private let addresses: [Action: AddressRules.Table]
    private let api: AddressRules.Table
    private let token: [UInt8]?
    private let tokenGuesses = GuessLimiter()

    /// - Throws: `ServerConfigurationError`, or `TLSError` for a call-back over https.
    init(
        _ configuration: ServerConfiguration, admissions: Admissions = Admissions(),
        group: (any EventLoopGroup)? = nil
    ) throws {
        let access = configuration.access
        publishKeys = try StreamKeys(
            configuration.streamKeys, file: access.streamKeyFile)
        playKeys = try StreamKeys(
            access.playKeys, file: access.playKeyFile, coversRenditions: true)
        connections = .init(access.connections)
        addresses = [.publish: .init(access.publish), .play: .init(access.play)]
        api = .init(access.api)
        let given = try access.apiTokenFile.map { try SecretFile.secret($0) } ?? access.apiToken
        token = given.map { Array($0.utf8) }
        callBacks =
            if let hook = access.hook, let group {
                try CallBacks(
                    hook, timeout: .milliseconds(Int64(access.hookTimeoutMilliseconds)),
                    group: group, admissions: admissions)
            } else {
                nil
            }
    }

    /// Whether anything is read again by `reload`.
    var canReload: Bool { publishKeys.hasFile || playKeys.hasFile }

    /// Reads the files of keys again. What cannot be used is logged, and what was in use stays.
    func reload(_ logger: Logger) {
        for (keys, what) in [(publishKeys, "stream keys"), (playKeys, "play keys")]
        where keys.hasFile {
            do {
                try keys.reload()
                logger.notice("the \(what) were read again")
            } catch {
                logger.error("the old \(what) stay in use: \(error)")
            }
        }
    }

    func admitsConnection(from address: String?) -> Bool { connections.admits(address) }

    /// - Parameters:
    ///   - stream: without its application.
    ///   - query: its `key=` counts.
    ///   - address: of the peer, without its port.
    func judge(
        _ action: Action, _ stream: String, of application: String, query: String,
        address: String?
    ) -> Verdict {
        guard addresses[action]?.admits(address) ?? true else {
            return .refused("this address may not \(action.rawValue) here")
        }
        let keys = action == .publish ? publishKeys : playKeys
        switch keys.judge(stream, of: application, query: query, address: address ?? "?") {
        case .accepted: return .accepted
        case .denied: return .refused("the stream key is not accepted here")
        case .wait(let seconds): return .wait(seconds: seconds)
        }
    }

    /// Whether a request may see and do what only the operator should.
    ///
    /// Requests that another server passes on come from its clients, though the connection is this
    /// machine's; so do those that a page in somebody's browser makes.
    func judgeAPI(_ head: HTTPRequestHead, address: String?, changes: Bool) -> Verdict {
        guard api.admits(address) else { return .refused("this address may not ask the API here") }
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
        if let seconds = tokenGuesses.wait(peer, now: now) { return .wait(seconds: seconds) }
        let given = head.headers[canonicalForm: "authorization"].first.map(String.init) ?? ""
        guard given.count > 7, given.prefix(7).lowercased() == "bearer " else {
            return .refused("the API needs its token: Authorization: Bearer TOKEN")
        }
        let isRight = StreamKeys.areEqual(Array(given.dropFirst(7).utf8), token)
        tokenGuesses.count(peer, isRight: isRight, now: now)
        return isRight ? .accepted : .refused("the API's token is another one")
    }
}
