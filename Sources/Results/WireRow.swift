/// Time series per rendition and direction, from the packet capture.
public struct WireRow: CSVRow, Codable, Equatable {
    public var runID: String = ""
    public var timeSeconds: Double?
    public var stream: String = ""
    public var rendition: String = ""
    public var direction: String = ""
    public var playProtocol: String = ""
    public var flows: Int?
    public var wireBytes: Int?
    public var payloadBytes: Int?
    public var packets: Int?
    public var retransmittedBytes: Int?

    public init() {}

    public static let fileName = "wire.csv"
    public static let about = "Time series per rendition and direction, from the packet capture."
    public static let columns: [CSVColumn<WireRow>] = [
        .init("run_id", \.runID, "Run."),
        .init("t_s", \.timeSeconds, unit: "s", "End of the interval, from the shared start time."),
        .init("stream", \.stream, "Stream name."),
        .init("rendition", \.rendition, "Rendition name."),
        .init("direction", \.direction, "in (publisher to server) or out (server to viewers)."),
        .init("protocol", \.playProtocol, "rtmp or http-flv."),
        .init("flows", \.flows, "TCP connections."),
        .init("wire_bytes", \.wireBytes, unit: "bytes", "L2 bytes of segments with payload."),
        .init("payload_bytes", \.payloadBytes, unit: "bytes", "Message payload."),
        .init("packets", \.packets, unit: "packets", "Segments on the wire (after GSO)."),
        .init(
            "retransmitted_bytes", \.retransmittedBytes, unit: "bytes",
            "TCP payload sent more than once."),
    ]
}
