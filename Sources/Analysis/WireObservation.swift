package import Capture
package import NetemShell
package import Results
package import Statistics

/// What the capture saw of one subscriber's connection in the steady window.
package struct WireSubscriber: Codable, Sendable {
    package var peer: ViewerPeer
    /// Capture time of the play request, in nanoseconds since 1970.
    package var playNanoseconds: Int64
    package var streamKey: String
    package var playProtocol: String
    /// Payload of audio and video messages in bytes; nil if only headers were captured.
    package var payloadBytes: Int?
    /// Downstream bytes of layer 2. Retransmissions are included, pure acknowledgements are not.
    package var wireBytes: Int
    package var retransmittedBytes: Int
    /// Number of media messages that entered the server but were not found leaving it, or the
    /// reverse.
    package var unmatchedMessages: Int
    /// Stamped frames on their way to the subscriber; empty if frames were not kept.
    var frames: [WireFrame] = []

    package init(
        peer: ViewerPeer, playNanoseconds: Int64, streamKey: String, playProtocol: String,
        payloadBytes: Int? = nil, wireBytes: Int, retransmittedBytes: Int, unmatchedMessages: Int,
        frames: [WireFrame] = []
    ) {
        self.peer = peer
        self.playNanoseconds = playNanoseconds
        self.streamKey = streamKey
        self.playProtocol = playProtocol
        self.payloadBytes = payloadBytes
        self.wireBytes = wireBytes
        self.retransmittedBytes = retransmittedBytes
        self.unmatchedMessages = unmatchedMessages
        self.frames = frames
    }

    /// Returns the frames of each viewer's end by frame number. Successive sessions may have the
    /// same port; of two frames with the same number the first counts.
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
package struct WireFrame: Sendable, Hashable {
    var frameNumber: UInt64
    /// Delay from the frame's last byte into the server to its last byte out.
    var relayDelayNanoseconds: Int64
    /// Capture time of the frame's last byte out, in nanoseconds since 1970.
    var egressNanoseconds: Int64

    package init(frameNumber: UInt64, relayDelayNanoseconds: Int64, egressNanoseconds: Int64) {
        self.frameNumber = frameNumber
        self.relayDelayNanoseconds = relayDelayNanoseconds
        self.egressNanoseconds = egressNanoseconds
    }
}

/// A frame is encoded as a list of three numbers, because a record holds many frames.
extension WireFrame: Codable {
    package init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        frameNumber = try list.decode(UInt64.self)
        relayDelayNanoseconds = try list.decode(Int64.self)
        egressNanoseconds = try list.decode(Int64.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var list = encoder.unkeyedContainer()
        try list.encode(frameNumber)
        try list.encode(relayDelayNanoseconds)
        try list.encode(egressNanoseconds)
    }
}

/// A viewer's end of a connection. It links what the capture saw to the viewer's own report.
package struct ViewerPeer: Codable, Hashable, Sendable {
    /// Address of the viewer; nil if all viewers share the machine's address.
    var address: IPv4Address?
    var port: Int

    package init(port: Int, address: IPv4Address? = nil) {
        self.address = address
        self.port = port
    }

    /// - Parameter wireAddress: Address as it was captured.
    package init(port: Int, wireAddress: String) {
        self.init(port: port, address: ShellNetwork.viewerAddress(parsing: wireAddress))
    }
}

/// Everything that the capture contributes to a trial.
package struct WireObservation: Codable, Sendable {
    package var subscribers: [WireSubscriber] = []
    package var series: [WireRow] = []
    /// Delays through the server, by stream key and protocol.
    package var relayDelay: [String: [String: DelayHistogram]] = [:]
    /// Stamped frames that entered the server, by stream key; kept if `Plan.keepsIngressFrames`.
    package var ingressFrames: [String: [IngressFrame]] = [:]
    /// Audio and video payload that entered the server within the window, in kbit per second of
    /// media, by stream key.
    package var ingressKilobits: [String: Double] = [:]
    /// Responses that carried HLS, by rendition and kind.
    package var http: [HTTPTrafficRow] = []
    /// The same responses from the edges.
    package var edgeHTTP: [HTTPTrafficRow] = []
    package var capture = Manifest.Capture()
    /// False if the capture ended before the run or if its report is lost; `capture.reason` says
    /// why.
    package var isWhole = true
    package var notes: [String] = []

    package init() {}
}
