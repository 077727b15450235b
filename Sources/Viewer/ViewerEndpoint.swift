import Glibc
import RTMP

/// A viewer's URL taken apart.
enum ViewerEndpoint {
    case rtmp(RTMPURL)
    case http(host: String, port: Int, path: String)

    init(_ spec: ViewerSpec) throws {
        switch spec.transport {
        case .rtmp: self = .rtmp(try RTMPURL(spec.url))
        case .httpFLV: self = try Self.parseHTTP(spec.url)
        }
    }

    private static func parseHTTP(_ url: String) throws -> ViewerEndpoint {
        let prefix = "http://"
        guard url.lowercased().hasPrefix(prefix) else {
            throw ViewerError(
                description:
                    "'\(url)' is not http://host[:port]/app/stream.flv (https is not supported yet)"
            )
        }
        let rest = url.dropFirst(prefix.count)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        // Host and port follow the same rules as RTMP's.
        let port =
            rest[..<slash].last.map { $0 == "]" } ?? true || !rest[..<slash].contains(":")
            ? ":80" : ""
        let parsed = try RTMPURL("rtmp://\(rest[..<slash])\(port)/x")
        return .http(
            host: parsed.host, port: parsed.port,
            path: slash == rest.endIndex ? "/" : String(rest[slash...]))
    }

    var host: String {
        switch self {
        case .rtmp(let url): url.host
        case .http(let host, _, _): host
        }
    }

    var port: Int {
        switch self {
        case .rtmp(let url): url.port
        case .http(_, let port, _): port
        }
    }

    /// How probes call themselves, so that a capture keeps their frames.
    static let probeAgent = "millrace-probe"

    /// The request line and headers of an HTTP-FLV viewer.
    func request(agent: String = "millrace") -> String? {
        guard case .http(let host, let port, let path) = self else { return nil }
        let name = host.contains(":") ? "[\(host)]" : host
        return
            "GET \(path) HTTP/1.1\r\nHost: \(name):\(port)\r\nUser-Agent: \(agent)\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    }
}
