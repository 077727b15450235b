import NIOCore
import RTMP
import Synchronization

/// The addresses at which this server takes RTMP, by which it recognises targets on itself.
///
/// A server that is reached through an address translation, or through another server that pushes
/// the stream back, is not recognised.
final class OwnAddresses: Sendable {
    private struct State {
        var listeners: [SocketAddress] = []
        /// Targets' hosts and ports to which connections have led back to this server.
        var known: Set<String> = []
    }

    private static let knownLimit = 1024
    private let state = Mutex(State())

    /// Adds the address of a listener.
    func add(_ listener: SocketAddress?) {
        guard let listener else { return }
        state.withLock { $0.listeners.append(listener) }
    }

    /// Notes if a connection to a target leads to this server. The system gives a connection to the
    /// machine itself the same address at both ends.
    ///
    /// - Parameters:
    ///   - remote: Address of the target's end of the connection.
    ///   - local: Address of the near end.
    func learn(_ target: RTMPURL, remote: SocketAddress?, local: SocketAddress?) {
        guard let remote else { return }
        state.withLock { state in
            guard Self.leadsHere(remote, local: local, state.listeners),
                state.known.count < Self.knownLimit
            else { return }
            state.known.insert(Self.key(target))
        }
    }

    /// Whether a target is this server. A host's name is not looked up: it is known when the first
    /// connection is there.
    func include(_ target: RTMPURL) -> Bool {
        let address = try? SocketAddress(ipAddress: target.host, port: target.port)
        return state.withLock { state in
            if let address, Self.leadsHere(address, local: nil, state.listeners) { return true }
            return state.known.contains(Self.key(target))
        }
    }

    private static func key(_ target: RTMPURL) -> String { "\(target.host) \(target.port)" }

    private static func leadsHere(
        _ remote: SocketAddress, local: SocketAddress?, _ listeners: [SocketAddress]
    ) -> Bool {
        guard let port = remote.port, let address = remote.ipAddress else { return false }
        let isHere =
            address == local?.ipAddress || address == "::1" || address.hasPrefix("127.")
        return listeners.contains { listener in
            guard listener.port == port, let own = listener.ipAddress else { return false }
            return own == address || isHere && (own == "0.0.0.0" || own == "::")
        }
    }
}
