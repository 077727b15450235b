import NIOCore

/// Name of a peer in logs and in the status: `address:port`, IPv6 in brackets.
enum PeerAddress {
    static func text(_ channel: any Channel) -> String {
        guard let address = channel.remoteAddress, let host = address.ipAddress else { return "?" }
        let port = address.port.map { ":\($0)" } ?? ""
        return (host.contains(":") ? "[\(host)]" : host) + port
    }
}
