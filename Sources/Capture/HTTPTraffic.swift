/// What an HTTP response carried.
public enum HTTPResourceKind: String, Codable, Hashable, Sendable, CaseIterable {
    case playlist
    /// Initialization section (EXT-X-MAP).
    case initialization = "init"
    case segment
    case part
    case other
}

/// Server-to-client bytes of HTTP responses, HTTP-FLV aside: of one rendition and one kind.
public struct HTTPTrafficRow: Codable, Hashable, Sendable {
    /// Name of the row of what no playlist lists and no pattern takes.
    public static let unattributed = "unattributed"

    /// Path of the media playlist that lists the resource, or the name that a pattern gives.
    public var rendition: String
    public var kind: HTTPResourceKind
    /// Responses that began.
    public var responses = 0
    /// Of these, with a status of 400 or more.
    public var failures = 0
    /// TCP payload: headers, bodies and chunk framing, retransmissions included.
    public var payloadBytes = 0
    /// The same with TCP, IP and link headers. A packet of two responses counts for both, by bytes.
    public var wireBytes = 0
    /// Payload bytes that the capture had seen before.
    public var retransmittedBytes = 0
    /// Of successful responses that were asked for in the window and that the client took whole:
    /// all their payload, wherever their packets fall, each byte once.
    public var wholePayloadBytes = 0
    /// Media that those of status 200 hold, as the captured playlists state it; what these do not
    /// tell is not in, nor in the bytes below.
    public var mediaSeconds = 0.0
    /// Payload of these responses, each byte once.
    public var mediaPayloadBytes = 0
    /// The same with headers as in `wireBytes`, and what was sent again.
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

/// Whose responses have paths of one form; for captures without their playlists.
public struct HTTPPathPattern: Codable, Hashable, Sendable {
    /// Of the path without query; `*` stands for any run of characters.
    public var path: String
    public var rendition: String
    /// nil = by the path's suffix.
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
    /// By the suffix of a path without query; nil where it says nothing.
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
