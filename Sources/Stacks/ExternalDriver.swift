import Foundation
package import Processes
package import Sockets

/// A server that somebody else runs, given by URL.
package struct ExternalDriver: StackDriver {
    package let name = "external"
    package let endpoints: StackEndpoints

    /// - Parameters:
    ///   - url: `rtmp://host[:port]/application`, or `rtmps://…`; without a port, 1935 or 443.
    ///   - httpURL: Base URL of the HTTP-FLV streams.
    ///   - hlsURL: URL of multivariant playlists, in which `{stream}` stands for the stream.
    ///   - trust: Certificates that are trusted with https and rtmps.
    package init(
        url: String, httpURL: String?, hlsURL: String? = nil, trust: TLSTrust = TLSTrust()
    ) throws(StackError) {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme,
            ["rtmp", "rtmps"].contains(scheme), let host = parts.host, !host.isEmpty
        else {
            throw StackError(
                driver: "external", message: "'\(url)' is not rtmp[s]://host[:port]/application")
        }
        let application = parts.path.split(separator: "/").joined(separator: "/")
        guard !application.isEmpty else {
            throw StackError(
                driver: "external", message: "'\(url)' lacks the application, such as /live")
        }
        var endpoints = StackEndpoints(
            rtmpHost: host.trimmingCharacters(in: CharacterSet(charactersIn: "[]")),
            rtmpPort: parts.port ?? (scheme == "rtmps" ? 443 : 1935),
            application: application,
            httpFLVBase: httpURL.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 },
            hlsURL: hlsURL)
        endpoints.isSecure = scheme == "rtmps"
        endpoints.trust = trust
        self.endpoints = endpoints
    }

    package func start() async throws(StackError) -> StackEndpoints {
        guard LocalPort.accepts(host: endpoints.rtmpHost, port: endpoints.rtmpPort) else {
            throw StackError(
                driver: name,
                message: "nothing listens on \(endpoints.rtmpHost):\(endpoints.rtmpPort); "
                    + "start the server or mend stack.url")
        }
        return endpoints
    }

    package var processGroups: [Int32] { [] }
    package var exitStatus: ExitStatus? { nil }
    package func stop() async {}
}
