import Capture
import Results
import Scenario

/// HLS traffic of one rendition on the wire.
struct HTTPRendition {
    let stream: String
    /// Name of the rendition; `all` for multivariant playlists.
    let rendition: String
    /// Bytes of segments, parts and initialization sections.
    var wireBytes = 0
    var payloadBytes = 0
    var retransmittedBytes = 0
    /// Payload of the segments and parts that were requested in the window and arrived whole. Each
    /// byte counts once.
    var wholePayloadBytes = 0
    /// Bytes of the responses that hold a known duration of media; `mediaSeconds` is that duration.
    var mediaWireBytes = 0
    var mediaPayloadBytes = 0
    var mediaSeconds = 0.0
    /// Bytes of everything else.
    var otherWireBytes = 0
    var otherPayloadBytes = 0

    mutating func add(_ row: HTTPTrafficRow) {
        retransmittedBytes += row.retransmittedBytes
        switch row.kind {
        case .segment, .part:
            wholePayloadBytes += row.wholePayloadBytes
            mediaWireBytes += row.mediaWireBytes
            mediaPayloadBytes += row.mediaPayloadBytes
            mediaSeconds += row.mediaSeconds
            wireBytes += row.wireBytes
            payloadBytes += row.payloadBytes
        case .initialization:
            wireBytes += row.wireBytes
            payloadBytes += row.payloadBytes
        case .playlist, .other:
            otherWireBytes += row.wireBytes
            otherPayloadBytes += row.payloadBytes
        }
    }

    /// Returns a folder's name without a playlist's extension. Playlists of nginx-rtmp and SRS are
    /// named after the stream; other packagers use a folder.
    private static func name(_ folder: String) -> String {
        folder.hasSuffix(".m3u8") ? String(folder.dropLast(5)) : folder
    }

    /// Returns the traffic by rendition, in the order of the plan. Every captured byte is in one of
    /// the elements; bytes that belong to no rendition are in an element without a stream.
    static func all(_ rows: [HTTPTrafficRow], _ plan: Plan) -> [HTTPRendition] {
        let keys = Dictionary(
            plan.publishers.filter { !$0.isLadderSource }.map { ($0.streamKey, $0) },
            uniquingKeysWith: { a, _ in a })
        let streams = Set(plan.publishers.map(\.stream))
        var order: [String] = []
        var all: [String: HTTPRendition] = [:]
        for row in rows {
            let folders = row.rendition.split(separator: "/").map(String.init)
            var name = (stream: "", rendition: HTTPTrafficRow.unattributed)
            if row.rendition != HTTPTrafficRow.unattributed {
                if let publisher = folders.lazy.compactMap({ keys[$0] ?? keys[Self.name($0)] })
                    .first
                {
                    name = (publisher.stream, publisher.rendition)
                } else if let stream = folders.map(Self.name).first(where: streams.contains) {
                    name = (stream, "all")
                }
            }
            let key = "\(name.stream)/\(name.rendition)"
            if all[key] == nil { order.append(key) }
            all[key, default: .init(stream: name.stream, rendition: name.rendition)].add(row)
        }
        let places = Dictionary(
            plan.publishers.enumerated().map { ("\($1.stream)/\($1.rendition)", $0) },
            uniquingKeysWith: { a, _ in a })
        return order.sorted { (places[$0] ?? .max, $0) < (places[$1] ?? .max, $1) }
            .compactMap { all[$0] }
    }
}
