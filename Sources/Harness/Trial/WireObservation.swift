import Capture
import NetemShell
public import Results
public import Statistics

/// What the capture says about one subscriber's connection, within the steady window.
public struct WireSubscriber: Sendable {
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
    /// Relay delay in nanoseconds by frame number, where frames were kept.
    public var frames: [UInt64: Int64]
    /// Capture time of the same frames on their way out, ns since 1970.
    var egress: [UInt64: Int64] = [:]
}

/// A viewer's end of a connection, by which wire and viewer know each other.
struct ViewerPeer: Hashable, Sendable {
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
public struct WireObservation: Sendable {
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
