public import Processes
import Foundation
import Sockets

/// A server that somebody else runs, given by URL.
public struct ExternalDriver: StackDriver {
    public let name = "external"
    public let endpoints: StackEndpoints

    /// - Parameters:
    ///   - url: `rtmp://host[:port]/application`; port 1935 where none is given.
    ///   - httpURL: base URL of the HTTP-FLV streams.
    ///   - hlsURL: of multivariant playlists, with `{stream}`.
    public init(
        url: String, httpURL: String?, hlsURL: String? = nil
    ) throws(StackError) {
        guard let parts = URLComponents(string: url), parts.scheme == "rtmp",
            let host = parts.host, !host.isEmpty
        else {
            throw StackError(
                driver: "external", message: "'\(url)' is not rtmp://host[:port]/application")
        }
        let application = parts.path.split(separator: "/").joined(separator: "/")
        guard !application.isEmpty else {
            throw StackError(
                driver: "external", message: "'\(url)' lacks the application, such as /live")
        }
        endpoints = StackEndpoints(
            rtmpHost: host.trimmingCharacters(in: CharacterSet(charactersIn: "[]")),
            rtmpPort: parts.port ?? 1935, application: application,
            httpFLVBase: httpURL.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 },
            hlsURL: hlsURL)
    }

    public func start() async throws(StackError) -> StackEndpoints {
        guard LocalPort.accepts(host: endpoints.rtmpHost, port: endpoints.rtmpPort) else {
            throw StackError(
                driver: name,
                message: "nothing listens on \(endpoints.rtmpHost):\(endpoints.rtmpPort); "
                    + "start the server or mend stack.url")
        }
        return endpoints
    }

    public var processGroups: [Int32] { [] }
    public var exitStatus: ExitStatus? { nil }
    public func stop() async {}
}
