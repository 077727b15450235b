public import Statistics

/// How a subscriber plays.
public enum CapturedProtocol: String, Codable, Hashable, Sendable {
    case rtmp
    case httpFLV = "http-flv"
}

/// What became of the messages sent to a subscriber, sequence headers left out.
public struct MatchCounts: Codable, Hashable, Sendable {
    public var matched = 0
    /// The content did not come in, or cannot be told from others like it.
    public var unmatched = 0
    /// Came in before the play request (the server's GOP cache), or waited until the server began
    /// to send the player media (`JoinBurst`). Not in any delay.
    public var burst = 0
    /// Came in between two matched messages and never went out.
    public var missing = 0

    public init() {}
}

/// What a capture says about streams and their relaying.
public struct CaptureReport: Codable, Sendable {
    public var streams: [StreamReport] = []
    public var capture = CaptureSummary()
    /// Responses of HTTP servers other than HTTP-FLV.
    public var http: [HTTPTrafficRow] = []
    /// The same of edges before them.
    public var edgeHTTP: [HTTPTrafficRow] = []

    public init() {}
}

/// What was captured, whether or not it could be understood.
public struct CaptureSummary: Codable, Hashable, Sendable {
    public var packets = 0
    /// On the wire, as the capture states them.
    public var bytes = 0
    /// ns since 1970.
    public var firstNanoseconds: Int64?
    public var lastNanoseconds: Int64?
    public var flows = 0
    public var rtmpFlows = 0
    public var httpFLVFlows = 0
    /// Neither RTMP nor HTTP-FLV, joined in the middle, or lost at a gap.
    public var undissectedFlows = 0
    /// Connections beyond the limit.
    public var ignoredFlows = 0
    /// Stretches of dissected directions that were not captured, and their bytes.
    public var gaps = 0
    public var gapBytes = 0
    public var outOfOrderSegments = 0
    public var ipFragments = 0
    /// Further captures of packets: outgoing ones on a loopback interface, and copies on several
    /// interfaces. They count nowhere else.
    public var duplicates = 0
    /// Those of them that came over several interfaces; nil where there were none.
    public var copies: CopyReport?
    /// TCP packets that were counted with a connection. With `passedOver` they are all packets.
    public var understoodPackets = 0
    /// Packets that were not looked into, by reason; the most frequent first.
    public var passedOver: [PassedOver] = []
    /// Of `passedOver`, all but the malformed.
    public var otherPackets = 0
    /// Of `passedOver`, those with contradictory or cut headers.
    public var malformedPackets = 0
    /// Packets of which the snap length has captured a part, and the most bytes of such a one.
    public var cutPackets = 0
    public var cutLength = 0
    /// Payload bytes of dissected directions that were cut off; they are no gaps.
    public var cutBytes = 0
    /// Of `undissectedFlows`, those whose packets are cut.
    public var cutFlows = 0
    /// Of `undissectedFlows`, those of TLS.
    public var encryptedFlows = 0
    /// Bodies that were needed and could not be decoded, by content coding.
    public var unreadBodies: [UnreadBodies] = []
    /// Packets that the capture lost, where it says.
    public var droppedPackets: Int?
    public var ports: [PortReport] = []

    public init() {}

    public var durationSeconds: Double {
        guard let firstNanoseconds, let lastNanoseconds else { return 0 }
        return Double(lastNanoseconds &- firstNanoseconds) / 1e9
    }
}

/// HTTP bodies that would tell whose bytes are whose, in a coding that is not understood.
public struct UnreadBodies: Codable, Hashable, Sendable {
    /// As Content-Encoding names it.
    public var coding: String
    public var bodies: Int

    public init(coding: String, bodies: Int) {
        self.coding = coding
        self.bodies = bodies
    }

    /// What would let the bytes be attributed.
    public var mend: String {
        "have the server leave the coding out, or name renditions with --rendition PATH=NAME"
    }
}

/// The connections to one server port.
public struct PortReport: Codable, Hashable, Sendable {
    public var port: UInt16
    public var flows = 0
    public var undissectedFlows = 0
    /// Of these, those whose packets are cut by the snap length.
    public var cutFlows = 0
    /// Of these, those that are encrypted (TLS).
    public var encryptedFlows = 0
    /// Client to server.
    public var upstream = TrafficCounters()
    public var downstream = TrafficCounters()
}

public struct StreamReport: Codable, Sendable {
    public var name: String
    public var app: String
    public var publishers: Int
    public var subscribers: Int
    public var subscribersByProtocol: [String: Int]
    /// Audio and video message payload of one copy: what came in, else the mean of what went out.
    /// In the window by its length; else by media time, which a burst at the start cannot falsify.
    public var payloadKbps: Double?
    /// Downstream L2, mean over the subscribers: retransmissions in, bare acknowledgements out.
    public var wireKbps: Double?
    /// Downstream.
    public var retransmittedBytes: Int
    public var relayDelay: DelayHistogram?
    /// The same by the subscribers' protocol.
    public var relayDelayByProtocol: [String: DelayHistogram]
    public var ingress: IngressReport?
    public var viewers: [SubscriberReport]
    public var upstream: [TrafficSecond]
    public var downstream: [TrafficSecond]
    /// Of the chosen client ports.
    public var frames: [RelayedFrame]
    /// As they came in, from `IngressFrame.lead` before the window to as much after it; empty where not asked for.
    public var ingressFrames: [IngressFrame] = []
}

/// A stamped frame on its way into the server.
public struct IngressFrame: Hashable, Sendable {
    /// How long around the window frames are kept, ns: those of the window come back from an encoder
    /// later.
    public static let lead: Int64 = 10_000_000_000

    public var streamID: UInt32
    public var frameNumber: UInt64
    /// As the stamp has it: on the publisher's clock.
    public var intendedNanoseconds: Int64
    /// Capture time of its last byte, ns since 1970.
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

/// In a list of four numbers: there are many.
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

/// What a stream's publishers sent.
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
    /// Capture time of the play request, ns since 1970.
    public var playNanoseconds: Int64
    /// Messages were read; otherwise only bytes are known.
    public var isDissected: Bool
    /// Of audio and video messages.
    public var payloadBytes: Int
    public var audioMessages: Int
    public var videoMessages: Int
    public var mediaSeconds: Double?
    public var messages: MatchCounts
    public var delayMeanNanoseconds: Double?
    public var delayMaximumNanoseconds: Int64?
    /// Server to client.
    public var traffic: TrafficCounters
    /// Downstream L2.
    public var wireKbps: Double?
}

/// A stamped frame on its way to one subscriber.
public struct RelayedFrame: Codable, Hashable, Sendable {
    public var clientAddress: String
    public var clientPort: UInt16
    public var streamID: UInt32
    public var frameNumber: UInt64
    public var relayDelayNanoseconds: Int64
    /// Capture time of its last byte, ns since 1970.
    public var egressNanoseconds: Int64
}
