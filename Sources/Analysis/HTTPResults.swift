import Scenario
import Capture
import Results
import SimulationKernel
import Viewer

/// HLS on the wire, by rendition.
struct HTTPRendition {
    let stream: String
    /// `all` for multivariant playlists.
    let rendition: String
    /// Of segments, parts and initialization sections.
    var wireBytes = 0
    var payloadBytes = 0
    var retransmittedBytes = 0
    /// Of segments and parts alone that were asked for in the window and came whole: payload, each
    /// byte once.
    var wholePayloadBytes = 0
    /// Of these, those that hold a known time of media, and that time.
    var mediaWireBytes = 0
    var mediaPayloadBytes = 0
    var mediaSeconds = 0.0
    /// Everything else.
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

    /// Playlists of nginx-rtmp and SRS have the stream's name before their ending, others a folder.
    private static func name(_ folder: String) -> String {
        folder.hasSuffix(".m3u8") ? String(folder.dropLast(5)) : folder
    }

    /// Every captured byte in one of them, in the order of the plan; what is nobody's has no stream.
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

extension TrialRecord {
    /// HLS on the wire, by rendition: from the server, and from the edges.
    var httpRenditions: (server: [HTTPRendition], edges: [HTTPRendition]) {
        (HTTPRendition.all(wire.http, plan), HTTPRendition.all(wire.edgeHTTP, plan))
    }

    /// - Parameter vantage: `wire`, or `edge` for what edges sent.
    func httpRows(_ renditions: [HTTPRendition], vantage: String) -> [RenditionRow] {
        renditions.map { item in
            var row = RenditionRow()
            row.runID = runID
            (row.stream, row.rendition) = (item.stream, item.rendition)
            (row.vantage, row.playProtocol) = (vantage, "hls")
            row.retransmittedBytes = item.retransmittedBytes
            guard !item.stream.isEmpty else {
                row.wireBytes = item.wireBytes + item.otherWireBytes
                row.payloadBytes = item.payloadBytes + item.otherPayloadBytes
                return row
            }
            row.wireBytes = item.wireBytes
            row.payloadBytes = item.payloadBytes
            row.playlistWireBytes = item.otherWireBytes
            row.wireKilobits = kilobits(item.mediaWireBytes, seconds: item.mediaSeconds)
            row.payloadKilobits = kilobits(item.mediaPayloadBytes, seconds: item.mediaSeconds)
            let key = "\(item.stream)_\(item.rendition)"
            row.nominalKilobits =
                plan.publishers.first { $0.streamKey == key }?.bitrate?.kilobitsPerSecond
            if let media = wire.ingressKilobits[key], media > 0, let packaged = row.payloadKilobits
            {
                row.muxOverhead = packaged / media - 1
            }
            return row
        }
    }

    /// Segments and parts that were asked for in the window and came whole: bodies that the viewers
    /// had against what the wire carried of them, HTTP headers included and each byte once.
    /// Where there are edges, of their viewers: to the server's port the edges come as well.
    func httpReconciliation(
        _ http: (server: [HTTPRendition], edges: [HTTPRendition])
    ) -> [Reconciliation] {
        let hasEdges = setup.edgeDriver != nil
        let viewers = adaptiveRenditionRows(
            of: hasEdges ? hls.filter { viewerPlan($0.index).edge != nil } : hls)
        return (hasEdges ? http.edges : http.server).compactMap { item in
            guard !item.stream.isEmpty, item.wholePayloadBytes > 0,
                let seen = viewers.first(where: {
                    $0.stream == item.stream && $0.rendition == item.rendition
                        && $0.playProtocol == "hls" && $0.vantage == "viewer"
                })?.payloadBytes
            else { return nil }
            return Reconciliation(
                stream: item.stream, rendition: item.rendition, viewerBytes: seen,
                wireBytes: item.wholePayloadBytes, playProtocol: "hls")
        }
    }
}
