public import Results
public import Statistics

/// What the capture says about one subscriber's connection, within the steady window.
public struct WireSubscriber: Sendable {
    public var clientPort: Int
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
}

/// The capture's whole contribution to a trial.
public struct WireObservation: Sendable {
    public var subscribers: [WireSubscriber] = []
    public var series: [WireRow] = []
    /// By stream key and protocol.
    public var relayDelay: [String: [String: DelayHistogram]] = [:]
    public var capture = Manifest.Capture()
    /// False where the capture ended before the run did, or its report is lost;
    /// `capture.reason` says why.
    public var isWhole = true
    public var notes: [String] = []

    public init() {}
}
