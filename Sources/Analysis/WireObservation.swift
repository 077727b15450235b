import Capture
import NetemShell
public import Results
public import Statistics

/// What the capture says about one subscriber's connection, within the steady window.
public struct WireSubscriber: Codable, Sendable {
    var peer: ViewerPeer
    /// Capture time of the play request, ns since 1970.
    public var playNanoseconds: Int64
    public var streamKey: String
    public var playProtocol: String
    /// Audio and video message payload; nil where only headers were captured.
    public var payloadBytes: Int?
    /// L2 bytes downstream, retransmissions in, pure acknowledgements out.
    public var wireBytes: Int
    public var retransmittedBytes: Int
    /// Media messages that came in and were not found going out, or the other way round.
    public var unmatchedMessages: Int
    /// Stamped frames on their way to it; empty where frames were not kept.
    var frames: [WireFrame] = []

    /// Each end's frames by number. Sessions that follow one another may have the same port: of two
    /// frames with one number the first counts.
    static func framesByPeer(_ subscribers: [WireSubscriber]) -> [ViewerPeer: [UInt64: WireFrame]] {
        var all: [ViewerPeer: [UInt64: WireFrame]] = [:]
        for subscriber in subscribers {
            all[subscriber.peer, default: [:]].merge(
                subscriber.frames.map { ($0.frameNumber, $0) }, uniquingKeysWith: { a, _ in a })
        }
        return all
    }
}

/// A stamped frame on its way from the server to one subscriber.
struct WireFrame: Sendable, Hashable {
    var frameNumber: UInt64
    /// From the frame's last byte into the server to its last byte out.
    var relayDelayNanoseconds: Int64
    /// Capture time of its last byte out, ns since 1970.
    var egressNanoseconds: Int64
}

/// A frame is a list of three numbers, for a record holds many.
extension WireFrame: Codable {
    init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        frameNumber = try list.decode(UInt64.self)
        relayDelayNanoseconds = try list.decode(Int64.self)
        egressNanoseconds = try list.decode(Int64.self)
    }

    func encode(to encoder: any Encoder) throws {
        var list = encoder.unkeyedContainer()
        try list.encode(frameNumber)
        try list.encode(relayDelayNanoseconds)
        try list.encode(egressNanoseconds)
    }
}

/// A viewer's end of a connection, by which wire and viewer know each other.
struct ViewerPeer: Codable, Hashable, Sendable {
    /// nil where all viewers share the machine's address.
    var address: IPv4Address?
    var port: Int

    init(port: Int, address: IPv4Address? = nil) {
        self.address = address
        self.port = port
    }

    /// - Parameter wireAddress: as captured.
    init(port: Int, wireAddress: String) {
        self.init(port: port, address: ShellNetwork.viewerAddress(parsing: wireAddress))
    }
}

/// The capture's whole contribution to a trial.
public struct WireObservation: Codable, Sendable {
    public var subscribers: [WireSubscriber] = []
    public var series: [WireRow] = []
    /// By stream key and protocol.
    public var relayDelay: [String: [String: DelayHistogram]] = [:]
    /// Stamped frames that came in, by stream key, where `Plan.keepsIngressFrames`.
    var ingressFrames: [String: [IngressFrame]] = [:]
    /// Audio and video payload that came in within the window, kbit per second of media, by stream
    /// key.
    var ingressKilobits: [String: Double] = [:]
    /// Responses that carried HLS, by rendition and kind.
    var http: [HTTPTrafficRow] = []
    /// The same from the edges.
    var edgeHTTP: [HTTPTrafficRow] = []
    public var capture = Manifest.Capture()
    /// False where the capture ended before the run did, or its report is lost;
    /// `capture.reason` says why.
    public var isWhole = true
    public var notes: [String] = []

    public init() {}
}
