import NIOCore
import NIOHTTP1

/// Time for which a response of the origin may be kept (RFC 9111, 4.2; rfc8216bis, appendix B.1).
struct EdgeFreshness: Equatable {
    /// Seconds from the response's arrival. 0: serve the clients that wait, do not cache. nil: the
    /// origin states no lifetime, and `standard` applies.
    var lifetime: Double?
    /// Age on arrival, in seconds.
    var age: Double
    /// Whether only one client may receive the response: it is `private`, sets a cookie, or varies
    /// by a field other than Accept-Encoding and Origin.
    var isPrivate: Bool

    /// Longest time for which a response is kept, in seconds.
    static let longest = 86_400.0

    init(status: Int, headers: HTTPHeaders) {
        var maximum: Double?
        var shared: Double?
        var isForbidden = false
        isPrivate = false
        for directive in headers[canonicalForm: "cache-control"] {
            let pair = directive.split(separator: "=", maxSplits: 1)
            let value = pair.count == 2 ? Self.seconds(pair[1]) : nil
            switch pair.first?.lowercased() {
            case "no-store", "no-cache": isForbidden = true
            case "private": isPrivate = true
            case "max-age": maximum = value ?? 0
            case "s-maxage": shared = value ?? 0
            default: break
            }
        }
        for field in headers[canonicalForm: "vary"]
        where !["accept-encoding", "origin"].contains(field.lowercased()) { isPrivate = true }
        if headers.contains(name: "set-cookie") { isPrivate = true }
        age = headers.first(name: "age").flatMap { Self.seconds($0[...]) } ?? 0
        if isForbidden || isPrivate || !Self.isStorable(status) {
            lifetime = 0
        } else {
            lifetime = (shared ?? maximum).map { min(max(0, $0 - age), Self.longest) }
        }
    }

    private static func isStorable(_ status: Int) -> Bool {
        [200, 203, 301, 308, 404, 410].contains(status)
    }

    private static func seconds(_ text: Substring) -> Double? {
        let digits = text.filter { $0 != "\"" && $0 != " " }
        guard !digits.isEmpty, digits.utf8.count <= 12, let value = Int(digits), value >= 0 else {
            return nil
        }
        return Double(value)
    }

    /// Returns the lifetime in seconds of a response that states none: 600 for media, a value by
    /// appendix B.1 for playlists, 1 for storable statuses other than 200 (such as 404), and 0 for
    /// everything else.
    static func standard(
        status: Int, kind: EdgeKind, isBlocking: Bool, body: ByteBuffer
    ) -> Double {
        guard status == 200 else { return isStorable(status) ? 1 : 0 }
        switch kind {
        case .initialization, .segment, .part: return 600
        case .playlist:
            guard let target = targetDuration(body) else { return 1 }
            return isBlocking ? 6 * target : target / 2
        case .other: return 0
        }
    }

    /// Reads EXT-X-TARGETDURATION, in seconds, from a playlist's first 1024 bytes; nil if it is not
    /// there or not within 0.5…3600.
    private static func targetDuration(_ body: ByteBuffer) -> Double? {
        let start = String(decoding: body.readableBytesView.prefix(1024), as: UTF8.self)
        let tag = "#EXT-X-TARGETDURATION:"
        for line in start.split(whereSeparator: \.isNewline) where line.hasPrefix(tag) {
            guard let value = Double(line.dropFirst(tag.count)), (0.5...3600).contains(value) else {
                return nil
            }
            return value
        }
        return nil
    }
}

/// Header fields of a response that the edge passes on.
enum EdgeHeaders {
    /// Fields that apply to one connection only (RFC 9110, 7.6.1), or that the edge writes itself.
    private static let dropped: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "proxy-authenticate",
        "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
        "content-length", "age", "x-cache",
    ]

    /// Returns the header lines that are passed on to clients, each with its line end.
    static func passed(_ headers: HTTPHeaders) -> String {
        let named = Set(headers[canonicalForm: "connection"].map { $0.lowercased() })
        var text = ""
        for (name, value) in headers {
            let lower = name.lowercased()
            guard !dropped.contains(lower), !named.contains(lower) else { continue }
            text += "\(name): \(value)\r\n"
        }
        return text
    }
}
