/// Kind of resource that an HTTP response carried.
public enum HTTPResourceKind: String, Codable, Hashable, Sendable, CaseIterable {
    case playlist
    /// Initialization section (EXT-X-MAP).
    case initialization = "init"
    case segment
    case part
    case other
}

/// Server-to-client bytes of HTTP responses of one rendition and one kind, except HTTP-FLV.
public struct HTTPTrafficRow: Codable, Hashable, Sendable {
    /// Name of the row of responses that no playlist lists and no pattern matches.
    public static let unattributed = "unattributed"

    /// Path of the media playlist that lists the resource, or the name that a pattern gives.
    public var rendition: String
    public var kind: HTTPResourceKind
    /// Number of responses that began.
    public var responses = 0
    /// Number of responses with a status of 400 or more.
    public var failures = 0
    /// TCP payload in bytes: headers, bodies and chunk framing, retransmissions included.
    public var payloadBytes = 0
    /// Bytes with TCP, IP and link headers. A packet of two responses counts for both, in
    /// proportion to their bytes.
    public var wireBytes = 0
    /// Payload bytes that the capture had seen before.
    public var retransmittedBytes = 0
    /// Payload of successful responses that were requested in the window and that the client took
    /// whole, wherever their packets fall; each byte counts once.
    public var wholePayloadBytes = 0
    /// Duration of the media in the responses of status 200, as the captured playlists state it.
    /// Responses without a duration in the playlists are left out here and in the bytes below.
    public var mediaSeconds = 0.0
    /// Payload of these responses; each byte counts once.
    public var mediaPayloadBytes = 0
    /// Bytes of these responses with headers as in `wireBytes`, and with retransmissions.
    public var mediaWireBytes = 0

    public init(rendition: String, kind: HTTPResourceKind) {
        self.rendition = rendition
        self.kind = kind
    }

    mutating func add(_ other: HTTPTrafficRow) {
        responses += other.responses
        failures += other.failures
        payloadBytes.add(clamping: other.payloadBytes)
        wireBytes.add(clamping: other.wireBytes)
        retransmittedBytes.add(clamping: other.retransmittedBytes)
        wholePayloadBytes.add(clamping: other.wholePayloadBytes)
        mediaSeconds += other.mediaSeconds
        mediaPayloadBytes.add(clamping: other.mediaPayloadBytes)
        mediaWireBytes.add(clamping: other.mediaWireBytes)
    }
}

/// A pattern that attributes the responses to paths of one form, for captures without their
/// playlists.
public struct HTTPPathPattern: Codable, Hashable, Sendable {
    /// Pattern of the path without its query; `*` stands for any run of characters.
    public var path: String
    public var rendition: String
    /// Kind of the resources; nil = the path's suffix decides.
    public var kind: HTTPResourceKind?

    public init(path: String, rendition: String, kind: HTTPResourceKind? = nil) {
        self.path = path
        self.rendition = rendition
        self.kind = kind
    }

    func matches(_ text: Substring) -> Bool {
        let parts = path.split(separator: "*", omittingEmptySubsequences: false)
        var rest = text
        guard rest.hasPrefix(parts[0]) else { return false }
        rest = rest.dropFirst(parts[0].count)
        guard parts.count > 1 else { return rest.isEmpty }
        for part in parts[1..<(parts.count - 1)] where !part.isEmpty {
            guard let range = rest.firstRange(of: part) else { return false }
            rest = rest[range.upperBound...]
        }
        return rest.hasSuffix(parts[parts.count - 1])
    }
}

extension HTTPResourceKind {
    /// Kind by the suffix of a path without its query; nil if the suffix does not determine it.
    init?(path: Substring) {
        guard let dot = path.lastIndex(of: "."), path.distance(from: dot, to: path.endIndex) <= 6
        else { return nil }
        switch path[path.index(after: dot)...].lowercased() {
        case "m3u8", "m3u": self = .playlist
        case "ts", "m4s", "mp4", "m4v", "m4a", "aac", "mp3", "ac3", "ec3", "vtt", "cmfv", "cmfa":
            self = .segment
        default: return nil
        }
    }
}
