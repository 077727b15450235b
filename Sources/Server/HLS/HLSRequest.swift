import HTTPWire
import NIOCore
import NIOHTTP1

/// A client's request to the origin: `/hls/<app>/<stream>/<file>`.
struct HLSRequest: Sendable {
    /// `<app>/<stream>` or `<app>/<channel>`.
    var name: String
    var file: String
    /// Value of `_HLS_msn`.
    var sequence: Int?
    /// Value of `_HLS_part`.
    var part: Int?
    /// Whether `_HLS_skip` is present.
    var skips = false
    /// Query as it arrived; empty = none.
    var query = ""
    var range: String?
    var isHead: Bool
    var keepsAlive: Bool

    enum Failure: Error {
        case notFound
        case badRequest(String)
    }

    var isPlaylist: Bool { file == HLSOrigin.masterFile || file == HLSOrigin.mediaFile }

    static let prefix = "/hls/"

    /// - Throws: `Failure` if the path or a delivery directive makes no sense.
    init(_ head: HTTPRequestHead) throws(Failure) {
        let parts = head.uri.split(separator: "?", maxSplits: 1)
        var components = (parts.first ?? "").split(separator: "/").map {
            URIReference.percentDecoded($0)
        }
        guard components.count >= 4 else { throw .notFound }
        components.removeFirst()
        file = components.removeLast()
        name = components.joined(separator: "/")
        isHead = head.method == .HEAD
        keepsAlive = head.isKeepAlive
        range = head.headers.first(name: "range")
        guard parts.count == 2 else { return }
        query = String(parts[1])
        for field in parts[1].split(separator: "&") {
            let pair = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = pair.count == 2 ? pair[1] : ""
            switch pair[0] {
            case "_HLS_msn": sequence = try Self.number(value, "_HLS_msn")
            case "_HLS_part": part = try Self.number(value, "_HLS_part")
            case "_HLS_skip": skips = value == "YES" || value == "v2"
            default: break
            }
        }
        if part != nil, sequence == nil {
            throw .badRequest("_HLS_part needs _HLS_msn beside it.\n")
        }
    }

    private static func number(_ text: Substring, _ name: String) throws(Failure) -> Int {
        guard let value = Int(text), value >= 0, value < 1 << 50 else {
            throw .badRequest("\(name)=\(text) is not a number.\n")
        }
        return value
    }
}

/// A Range header of one range (RFC 9110, 14.1.2).
enum ByteRangeRequest: Equatable {
    /// There is no range, or one that a server may ignore: several ranges, another unit.
    case whole
    case part(Range<Int>)
    case unsatisfiable

    init(_ header: String?, of count: Int) {
        self = .whole
        guard let header, header.hasPrefix("bytes=") else { return }
        let ends = header.dropFirst(6).split(
            separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard ends.count == 2, !ends[1].contains(",") else { return }
        let first = Int(ends[0])
        let last = Int(ends[1])
        switch (first, last) {
        case (let first?, let last?) where first >= 0 && first <= last:
            self = first < count ? .part(first..<min(last, count - 1) + 1) : .unsatisfiable
        case (let first?, nil) where ends[1].isEmpty && first >= 0:
            self = first < count ? .part(first..<count) : .unsatisfiable
        case (nil, let suffix?) where ends[0].isEmpty && suffix >= 0:
            self = suffix > 0 && count > 0 ? .part(max(0, count - suffix)..<count) : .unsatisfiable
        default: return
        }
    }
}

/// A response of the origin.
struct HLSResponse: Sendable {
    var status: HTTPResponseStatus
    var headers: [String]
    var body: ByteBuffer
}
