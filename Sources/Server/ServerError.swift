import Glibc
import NIOCore
import Sockets

/// Why the server cannot start, in words that name the address or the setting.
public struct ServerError: Error, Sendable, CustomStringConvertible {
    /// A listening port's use.
    public enum Listener: String, Sendable {
        case rtmp = "RTMP"
        case http = "HTTP"
        case rtmps = "RTMPS"
        case https = "HTTPS"

        var isSecure: Bool { self == .rtmps || self == .https }
    }

    /// What could not be opened.
    public var listener: Listener
    /// The port is another program's.
    public var isPortTaken: Bool
    public var description: String

    init(_ error: any Error, _ listener: Listener, host: String, port: Int) {
        self.listener = listener
        isPortTaken = (error as? IOError)?.errnoCode == EADDRINUSE
        let reason = isPortTaken ? "the port is taken" : connectFailure(error)
        description = "cannot listen on \(host):\(port) for \(listener.rawValue): \(reason)"
    }
}
