import Capture
import Results
import Scenario
import SimulationKernel
import Viewer

/// HLS traffic on the wire by rendition, from the server and from the edges.
struct WireFigures {
    let record: TrialRecord
    let server: [HTTPRendition]
    let edges: [HTTPRendition]

    init(_ record: TrialRecord) {
        self.record = record
        server = HTTPRendition.all(record.wire.http, record.plan)
        edges = HTTPRendition.all(record.wire.edgeHTTP, record.plan)
    }

    func rows(_ encoders: EncoderFigures) -> [RenditionRow] {
        rows(server, vantage: "wire", encoders) + rows(edges, vantage: "edge", encoders)
    }

    /// - Parameter vantage: `wire` for what the server sent, or `edge` for what the edges sent.
    private func rows(
        _ renditions: [HTTPRendition], vantage: String, _ encoders: EncoderFigures
    ) -> [RenditionRow] {
        renditions.map { item in
            var row = record.row(
                RenditionKey(stream: item.stream, rendition: item.rendition), vantage: vantage,
                playProtocol: "hls", encoders: encoders)
            row.retransmittedBytes = item.retransmittedBytes
            guard !item.stream.isEmpty else {
                row.wireBytes = item.wireBytes + item.otherWireBytes
                row.payloadBytes = item.payloadBytes + item.otherPayloadBytes
                return row
            }
            row.wireBytes = item.wireBytes
            row.payloadBytes = item.payloadBytes
            row.playlistWireBytes = item.otherWireBytes
            row.wireKilobits = MeanRate.kilobits(item.mediaWireBytes, seconds: item.mediaSeconds)
            row.payloadKilobits = MeanRate.kilobits(
                item.mediaPayloadBytes, seconds: item.mediaSeconds)
            let key = "\(item.stream)_\(item.rendition)"
            if let media = record.wire.ingressKilobits[key], media > 0,
                let packaged = row.payloadKilobits
            {
                row.muxOverhead = packaged / media - 1
            }
            return row
        }
    }

    /// Compares the bodies of segments and parts that viewers received with the same payload on the
    /// wire. Only requests of the window whose responses arrived whole are compared; each byte
    /// counts once. If there are edges, only the traffic between edges and their viewers is
    /// compared, because the server's port also serves the edges.
    func reconciliation(_ encoders: EncoderFigures) -> [Reconciliation] {
        let hasEdges = record.setup.edgeDriver != nil
        let viewers = AdaptiveFigures.rows(
            of: hasEdges
                ? record.hls.filter { record.viewerPlan($0.index).edge != nil } : record.hls,
            record, encoders)
        return (hasEdges ? edges : server).compactMap { item in
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
