// How the server decides who may connect, publish and play.
//
// `AccessPolicy` judges addresses and keys at once. `CallBacks` (`--hook`) are asked after it, and
// the bytes that an RTMP peer sends in the meantime wait unread. A hook that does not answer with a
// status of 2xx in time refuses.
//
// An encoder of this server is recognised by its process, which holds the other end of the
// connection (`EncoderRegistry`), so no secret stands in its arguments. The API and the metrics are
// for this machine, or for a client with a token; a request that another server passes on does not
// count as this machine's. `HTTPRequestGuard` stands between parser and handler, here and in the
// edge: only requests that RFC 9112 allows pass, and their bodies are dropped.

import Logging
import NIOCore
import NIOHTTP1

/// Decisions on who may connect, publish and play on a server.
final class AccessPolicy: Sendable {
    enum Action: String, Sendable {
        case publish, play
    }

    enum Verdict: Sendable, Equatable {
        case accepted
        /// The peer is refused; the text is for the peer.
        case refused(String)
        case wait(seconds: Int)
    }

    let publishKeys: StreamKeys
    let playKeys: StreamKeys
    /// Call-backs; nil = no service is asked.
    let callBacks: CallBacks?
    private let connections: AddressRules.Table
    private let addresses: [Action: AddressRules.Table]
    let api: APIGate

    /// - Parameter streamKeys: The names and keys that may be published; empty means any name.
    /// - Throws: `ServerConfigurationError`, or `TLSError` for a call-back over https.
    init(
        _ access: AccessConfiguration, streamKeys: [String] = [],
        admissions: Admissions = Admissions(), group: (any EventLoopGroup)? = nil
    ) throws {
        publishKeys = try StreamKeys(streamKeys, file: access.streamKeyFile)
        playKeys = try StreamKeys(
            access.playKeys, file: access.playKeyFile, coversRenditions: true)
        connections = .init(access.connections)
        addresses = [.publish: .init(access.publish), .play: .init(access.play)]
        api = try APIGate(
            rules: access.api, token: access.apiToken, file: access.apiTokenFile)
        callBacks =
            if let hook = access.hook, let group {
                try CallBacks(
                    hook, timeout: .milliseconds(Int64(access.hookTimeoutMilliseconds)),
                    trust: access.hookTrust, group: group, admissions: admissions)
            } else {
                nil
            }
    }

    /// Whether `reload` reads any file.
    var canReload: Bool { publishKeys.hasFile || playKeys.hasFile }

    /// Reads the files of keys again. A file that cannot be used is logged, and the keys in use
    /// stay.
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

    /// Whether any peer could be refused.
    func mayRefuse(_ action: Action) -> Bool {
        let keys = action == .publish ? publishKeys : playKeys
        return !keys.isOpen || callBacks != nil || addresses[action]?.isOpen == false
    }

    /// - Parameters:
    ///   - stream: Name without its application.
    ///   - query: Query; its `key=` counts.
    ///   - address: Address of the peer, without its port.
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
}
