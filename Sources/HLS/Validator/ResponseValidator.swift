import HTTPWire

/// Checks of the HTTP server's responses (RFC 8216, 4; rfc8216bis, appendix B).
public enum ResponseValidator {
    public struct Response: Sendable {
        public var url: String
        public var status: Int
        /// Fields by lower-case name.
        public var headers: [String: String]

        public init(url: String, status: Int, headers: [String: String]) {
            self.url = url
            self.status = status
            self.headers = headers
        }

        /// Status and reason, for messages.
        public var statusText: String {
            let reason = HTTPResponseHead.standardReason(status)
            return reason.isEmpty ? "\(status)" : "\(status) \(reason)"
        }

        var path: Substring { url.prefix { $0 != "?" && $0 != "#" } }

        var contentType: String? {
            headers["content-type"].map { type in
                String(type.prefix { $0 != ";" }.filter { $0 != " " }).lowercased()
            }
        }

        /// Returns the value of a Cache-Control directive; empty for a directive without a value.
        func cacheControl(_ name: String) -> String? {
            for directive in (headers["cache-control"] ?? "").lowercased().split(separator: ",") {
                let parts = directive.filter { $0 != " " }.split(
                    separator: "=", maxSplits: 1)
                if parts.first.map(String.init) == name {
                    return parts.count > 1 ? String(parts[1]) : ""
                }
            }
            return nil
        }

        /// Seconds for which a shared cache may keep the response; 0 = not at all, nil = the server
        /// does not say.
        var freshSeconds: Int? {
            if cacheControl("no-store") != nil || cacheControl("no-cache") != nil
                || cacheControl("private") != nil
            {
                return 0
            }
            return (cacheControl("s-maxage") ?? cacheControl("max-age")).flatMap { Int($0) }
        }
    }

    private static let playlistTypes: Set<String> = [
        "application/vnd.apple.mpegurl", "audio/mpegurl", "application/x-mpegurl",
        "audio/x-mpegurl",
    ]

    /// - Parameters:
    ///   - isLive: Whether the playlist changes.
    ///   - targetDuration: Target duration in seconds.
    public static func playlist(
        _ response: Response, isLive: Bool, targetDuration: Int
    ) -> [Violation] {
        var violations = cors(response)
        let type = response.contentType ?? ""
        let hasSuffix = response.path.hasSuffix(".m3u8") || response.path.hasSuffix(".m3u")
        if !playlistTypes.contains(type) {
            // By RFC 8216, 4, the suffix or the type must show that the resource is a playlist.
            violations.append(
                Violation(
                    hasSuffix && !type.isEmpty ? .segmentContentType : .playlistContentType,
                    at: response.url,
                    "Content-Type is '\(type)'; playlists are application/vnd.apple.mpegurl"))
        }
        guard isLive else { return violations }
        if let fresh = response.freshSeconds {
            // Appendix B allows half a target duration; a whole one does no harm yet.
            if fresh > max(1, targetDuration) {
                violations.append(
                    Violation(
                        .playlistCache, at: response.url,
                        "caches may keep the live playlist for \(fresh) s; half a target duration (\(targetDuration) s) is advised"
                    ))
            }
        } else {
            violations.append(
                Violation(
                    .playlistCache, at: response.url,
                    "no Cache-Control on a live playlist: caches guess; half a target duration is advised"
                ))
        }
        return violations
    }

    /// - Parameter targetDuration: Target duration in seconds.
    public static func segment(_ response: Response, targetDuration: Int) -> [Violation] {
        var violations = cors(response)
        let type = response.contentType ?? ""
        let known = ["video/", "audio/", "application/mp4", "application/octet-stream", "text/vtt"]
        if !known.contains(where: { type.hasPrefix($0) }) {
            violations.append(
                Violation(
                    .segmentContentType, at: response.url,
                    "Content-Type is '\(type)'; segments are video/mp2t, video/mp4, audio/mp4 or audio/aac"
                ))
        }
        if let fresh = response.freshSeconds, fresh >= targetDuration {
            return violations
        }
        violations.append(
            Violation(
                .segmentCache, at: response.url,
                "Cache-Control lets caches keep a segment for \(response.freshSeconds.map { "\($0) s" } ?? "a time of their own choice"); a segment never changes, so that several target durations do no harm"
            ))
        return violations
    }

    private static func cors(_ response: Response) -> [Violation] {
        guard response.headers["access-control-allow-origin"] == nil else { return [] }
        return [
            Violation(
                .noCORS, at: response.url,
                "Access-Control-Allow-Origin is missing: players in pages of other sites cannot read it"
            )
        ]
    }
}
