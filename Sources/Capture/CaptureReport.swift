public import Statistics

/// Protocol that a subscriber plays.
public enum CapturedProtocol: String, Codable, Hashable, Sendable {
    case rtmp
    case httpFLV = "http-flv"
}

/// Outcomes of the messages sent to a subscriber, without sequence headers.
public struct MatchCounts: Codable, Hashable, Sendable {
    public var matched = 0
    /// The content did not come in, or cannot be distinguished from equal contents.
    public var unmatched = 0
    /// Messages that came in before the play request (the server's GOP cache), or that waited until
    /// the server began to send media to the player (`JoinBurst`). No delay includes them.
    public var burst = 0
    /// Messages that came in between two matched messages and never went out.
    public var missing = 0

    public init() {}
}

/// Findings of a capture about streams and their relaying.
public struct CaptureReport: Codable, Sendable {
    public var streams: [CapturedStreamReport] = []
    public var capture = CaptureSummary()
    /// Responses of HTTP servers other than HTTP-FLV.
    public var http: [HTTPTrafficRow] = []
    /// Responses of edges in front of those servers.
    public var edgeHTTP: [HTTPTrafficRow] = []

    public init() {}
}

/// Totals of the packets captured, whether or not they could be understood.
public struct CaptureSummary: Codable, Hashable, Sendable {
    public var packets = 0
    /// Bytes on the wire, as the capture states them.
    public var bytes = 0
    /// Time in ns since 1970.
    public var firstNanoseconds: Int64?
    public var lastNanoseconds: Int64?
    public var flows = 0
    public var rtmpFlows = 0
    public var httpFLVFlows = 0
    /// Connections that are neither RTMP nor HTTP-FLV, were captured only from the middle on, or
    /// were lost at a gap.
    public var undissectedFlows = 0
    /// Number of connections beyond the limit.
    public var ignoredFlows = 0
    /// Number of stretches of dissected directions that were not captured, and their bytes.
    public var gaps = 0
    public var gapBytes = 0
    public var outOfOrderSegments = 0
    public var ipFragments = 0
    /// Further captures of packets: outgoing ones on a loopback interface, and copies on several
    /// interfaces. No other figure counts them.
    public var duplicates = 0
    /// The duplicates that came over several interfaces; nil if there were none.
    public var copies: CopyReport?
    /// TCP packets that were counted with a connection. Together with `passedOver` they are all
    /// packets.
    public var understoodPackets = 0
    /// Packets that were not dissected, by reason; the most frequent reason comes first.
    public var passedOver: [PassedOver] = []
    /// Packets in `passedOver` except the malformed ones.
    public var otherPackets = 0
    /// Packets in `passedOver` with contradictory or cut headers.
    public var malformedPackets = 0
    /// Number of packets that the snap length has cut, and the largest number of bytes captured of
    /// such a packet.
    public var cutPackets = 0
    public var cutLength = 0
    /// Payload bytes of dissected directions that were cut off; they are not gaps.
    public var cutBytes = 0
    /// Connections in `undissectedFlows` with cut packets.
    public var cutFlows = 0
    /// Connections in `undissectedFlows` that use TLS.
    public var encryptedFlows = 0
    /// Bodies that were needed and could not be decoded, by content coding.
    public var unreadBodies: [UnreadBodies] = []
    /// Number of packets that the capture lost, if it states this.
    public var droppedPackets: Int?
    public var ports: [PortReport] = []

    public init() {}

    public var durationSeconds: Double {
        guard let firstNanoseconds, let lastNanoseconds else { return 0 }
        return Double(lastNanoseconds &- firstNanoseconds) / 1e9
    }
}

/// HTTP bodies that would attribute bytes to renditions, in a coding that is not understood.
public struct UnreadBodies: Codable, Hashable, Sendable {
    /// Name of the coding in Content-Encoding.
    public var coding: String
    public var bodies: Int

    public init(coding: String, bodies: Int) {
        self.coding = coding
        self.bodies = bodies
    }

    /// Remedy by which the bytes could be attributed.
    public var mend: String {
        "have the server leave the coding out, or name renditions with --rendition PATH=NAME"
    }
}

/// The connections to one server port.
public struct PortReport: Codable, Hashable, Sendable {
    public var port: UInt16
    public var flows = 0
    public var undissectedFlows = 0
    /// Connections in `flows` with packets that the snap length has cut.
    public var cutFlows = 0
    /// Connections in `flows` that are encrypted (TLS).
    public var encryptedFlows = 0
    /// Traffic from client to server.
    public var upstream = TrafficCounters()
    public var downstream = TrafficCounters()
}

/// This reports what the capture shows of one stream and of those who played it.
public struct CapturedStreamReport: Codable, Sendable {
    public var name: String
    public var app: String
    public var publishers: Int
    public var subscribers: Int
    public var subscribersByProtocol: [String: Int]
    /// Audio and video message payload of one copy: the incoming one, or else the mean of the
    /// outgoing ones. In a window the rate is taken over the window's length, otherwise over media
    /// time, which a burst at the start cannot falsify.
    public var payloadKbps: Double?
    /// Downstream L2 rate, mean over the subscribers. The rate includes retransmissions and
    /// excludes bare acknowledgements.
    public var wireKbps: Double?
    /// Retransmitted bytes downstream.
    public var retransmittedBytes: Int
    public var relayDelay: DelayHistogram?
    /// Relay delay by the subscribers' protocol.
    public var relayDelayByProtocol: [String: DelayHistogram]
    public var ingress: IngressReport?
    public var viewers: [SubscriberReport]
    public var upstream: [TrafficSecond]
    public var downstream: [TrafficSecond]
    /// Frames of the chosen client ports.
    public var frames: [RelayedFrame]
    /// Frames as they came in, from `IngressFrame.lead` before the window to as much after it;
    /// empty if they were not requested.
    public var ingressFrames: [IngressFrame] = []
}

/// A stamped frame on its way into the server.
public struct IngressFrame: Hashable, Sendable {
    /// Time around the window in which frames are kept, in ns: an encoder returns the window's
    /// frames later.
    public static let lead: Int64 = 10_000_000_000

    public var streamID: UInt32
    public var frameNumber: UInt64
    /// Intended time of the stamp, on the publisher's clock.
    public var intendedNanoseconds: Int64
    /// Capture time of the frame's last byte, in ns since 1970.
    public var arrivalNanoseconds: Int64

    public init(
        streamID: UInt32, frameNumber: UInt64, intendedNanoseconds: Int64,
        arrivalNanoseconds: Int64
    ) {
        self.streamID = streamID
        self.frameNumber = frameNumber
        self.intendedNanoseconds = intendedNanoseconds
        self.arrivalNanoseconds = arrivalNanoseconds
    }
}

/// Coding as a list of four numbers, because there are many frames.
extension IngressFrame: Codable {
    public init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        streamID = try list.decode(UInt32.self)
        frameNumber = try list.decode(UInt64.self)
        intendedNanoseconds = try list.decode(Int64.self)
        arrivalNanoseconds = try list.decode(Int64.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var list = encoder.unkeyedContainer()
        try list.encode(streamID)
        try list.encode(frameNumber)
        try list.encode(intendedNanoseconds)
        try list.encode(arrivalNanoseconds)
    }
}

/// Media that a stream's publishers sent.
public struct IngressReport: Codable, Hashable, Sendable {
    public var payloadBytes: Int
    public var audioMessages: Int
    public var videoMessages: Int
    public var mediaSeconds: Double?
    public var firstNanoseconds: Int64?
    public var lastNanoseconds: Int64?
    public var traffic: TrafficCounters
}

public struct SubscriberReport: Codable, Hashable, Sendable {
    public var clientAddress: String
    public var clientPort: UInt16
    public var serverPort: UInt16
    public var transport: CapturedProtocol
    /// Capture time of the play request, in ns since 1970.
    public var playNanoseconds: Int64
    /// Whether messages were read; otherwise only bytes are known.
    public var isDissected: Bool
    /// Payload bytes of audio and video messages.
    public var payloadBytes: Int
    public var audioMessages: Int
    public var videoMessages: Int
    public var mediaSeconds: Double?
    public var messages: MatchCounts
    public var delayMeanNanoseconds: Double?
    public var delayMaximumNanoseconds: Int64?
    /// Traffic from server to client.
    public var traffic: TrafficCounters
    /// L2 rate downstream.
    public var wireKbps: Double?
}

/// A stamped frame on its way to one subscriber.
public struct RelayedFrame: Codable, Hashable, Sendable {
    public var clientAddress: String
    public var clientPort: UInt16
    public var streamID: UInt32
    public var frameNumber: UInt64
    public var relayDelayNanoseconds: Int64
    /// Capture time of the frame's last byte, in ns since 1970.
    public var egressNanoseconds: Int64
}
