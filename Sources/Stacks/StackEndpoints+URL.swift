import Foundation
package import Sockets

extension StackEndpoints {
    /// Takes the addresses of a server from its URLs.
    ///
    /// - Parameters:
    ///   - url: `rtmp://host[:port]/application`, or `rtmps://…`; without a port, 1935 or 443.
    ///   - httpURL: Base URL of the HTTP-FLV streams.
    ///   - hlsURL: URL of multivariant playlists, in which `{stream}` stands for the stream.
    ///   - trust: Certificates that are trusted with https and rtmps.
    ///   - driver: Name of the driver in errors.
    /// - Throws: `StackError` for a URL that cannot work.
    package init(
        url: String, httpURL: String?, hlsURL: String?, trust: TLSTrust, driver: String
    ) throws(StackError) {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme,
            ["rtmp", "rtmps"].contains(scheme), let host = parts.host, !host.isEmpty
        else {
            throw StackError(
                driver: driver, message: "'\(url)' is not rtmp[s]://host[:port]/application")
        }
        let application = parts.path.split(separator: "/").joined(separator: "/")
        guard !application.isEmpty else {
            throw StackError(
                driver: driver, message: "'\(url)' lacks the application, such as /live")
        }
        let port = parts.port ?? (scheme == "rtmps" ? 443 : 1935)
        guard (1...65_535).contains(port) else {
            throw StackError(driver: driver, message: "'\(url)': give a port from 1 to 65535")
        }
        self.init(
            rtmpHost: host.trimmingCharacters(in: CharacterSet(charactersIn: "[]")),
            rtmpPort: port, application: application,
            httpFLVBase: httpURL.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 },
            hlsURL: hlsURL)
        isSecure = scheme == "rtmps"
        self.trust = trust
    }
}
