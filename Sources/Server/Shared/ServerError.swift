import Glibc
import NIOCore
import Sockets

/// Reason why the server cannot start; the text names the address or the setting.
public struct ServerError: Error, Sendable, CustomStringConvertible {
    /// Purpose of a listening port.
    public enum Listener: String, Sendable {
        case rtmp = "RTMP"
        case http = "HTTP"
        case rtmps = "RTMPS"
        case https = "HTTPS"
        case api = "the API"

        var isSecure: Bool { self == .rtmps || self == .https }
    }

    /// Listener that could not be opened.
    public var listener: Listener
    /// Whether another program uses the port.
    public var isPortTaken: Bool
    public var description: String

    init(_ error: any Error, _ listener: Listener, host: String, port: Int) {
        self.listener = listener
        isPortTaken = (error as? IOError)?.errnoCode == EADDRINUSE
        let reason = isPortTaken ? "the port is taken" : connectFailure(error)
        description = "cannot listen on \(host):\(port) for \(listener.rawValue): \(reason)"
    }
}
