import RTMP

/// Key of one TCP connection: its two ends in a fixed order.
struct FlowKey: Hashable {
    var first: Endpoint
    var second: Endpoint

    init(_ a: Endpoint, _ b: Endpoint) {
        let isOrdered = (a.high, a.low, a.port) < (b.high, b.low, b.port)
        first = isOrdered ? a : b
        second = isOrdered ? b : a
    }
}

/// State of one direction of a connection that every packet of it reads or changes.
struct FlowProgress {
    var reassembler = TCPReassembler()
    var traffic = TrafficCounters()
    /// Latest acknowledgement that this side sent.
    var acknowledgement: UInt32?
    /// Whether the snap length has cut payload of this direction.
    var isCut = false
}

/// One direction of a connection.
final class FlowHalf {
    /// Whether the direction was not chosen for dissection, so that only headers matter.
    var isIgnored = false
    /// Whether the direction cannot be followed further.
    var isLost = false
    /// Series that the traffic of this direction counts in; see `Flow.roles`.
    fileprivate(set) var series: TrafficSeries?
    /// One property holds all this state, because each access to a property of a class may be
    /// checked for exclusiveness, which takes longer than the work of a plain packet.
    ///
    /// The reassembler hands on bytes while it has this property to itself. What the dissection of
    /// these bytes reads or changes is therefore in other properties.
    var progress = FlowProgress()
    var initialSequence: UInt32?
    var hasFinished = false
    /// Latest segments, if the capture has several interfaces.
    var history = SegmentHistory()

    var isFollowed: Bool { !isIgnored && !isLost }
    var traffic: TrafficCounters { progress.traffic }
}

/// A connection, its protocol, and the streams that it plays or publishes.
final class Flow {
    enum Dialect {
        case unknown
        case rtmp
        case http
        /// The contents are not understood, or are no longer understood.
        case opaque
    }

    struct Role {
        var messageStreamID: UInt32
        var stream: CapturedStream
        /// Subscriber of a playing role; nil for a publishing one.
        var subscriber: CapturedSubscriber?
    }

    /// Length of C0 to C2, and of S0 to S2, in bytes.
    static let handshakeLength = 1 + 1536 + 1536
    /// Largest number of streams on one connection.
    static let roleLimit = 16

    let client: Endpoint
    let server: Endpoint
    /// Direction from client to server; `downstream` is the direction from server to client.
    let upstream = FlowHalf()
    let downstream = FlowHalf()
    /// Capture time of the latest packet.
    var lastTime: Int64 = 0
    /// Smallest MSS option of the SYN segments.
    var maximumSegmentSize: Int?
    var dialect = Dialect.unknown
    /// Whether a direction holds bytes that wait for missing ones; see `updateWaiting`.
    private(set) var isWaiting = false
    /// Whether `roles` is not empty; kept, because a look at the array counts references.
    private(set) var hasRoles = false
    private let http: HTTPTable?
    var isReset = false
    /// Whether the same connection was captured under other addresses and is counted there.
    var isTranslation = false
    /// Whether the connection begins as TLS does.
    var isEncrypted = false
    /// First bytes of the client while they are too few to determine the protocol.
    var opening: [UInt8] = []
    var handshakeLeft = (up: Flow.handshakeLength, down: Flow.handshakeLength)
    var sawServerVersion = false
    var upChunks = ChunkDissector()
    var downChunks = ChunkDissector()
    var requests = HTTPRequestDissector()
    var response: HTTPResponseDissector
    var app = ""
    /// Name that the client gives itself: flashVer or User-Agent.
    private(set) var agent = ""
    /// Streams in the order in which they were asked for. The traffic counts with the last of them,
    /// in the direction that carries its media.
    var roles: [Role] = [] {
        didSet {
            hasRoles = !roles.isEmpty
            upstream.series = nil
            downstream.series = nil
            guard let last = roles.last else { return }
            if last.subscriber == nil {
                upstream.series = last.stream.upstream
            } else {
                downstream.series = last.stream.downstream
            }
        }
    }
    var retainedBytes = 0
    var keepsFrames = false
    /// Whether stamps are read on the way in.
    var keepsIngressFrames = false

    init(client: Endpoint, server: Endpoint, http: HTTPTable? = nil) {
        self.client = client
        self.server = server
        self.http = http
        response = HTTPResponseDissector(
            server: "\(server.address):\(server.port)", table: http)
    }

    /// Keeps the client's name, cut to a kibibyte.
    func setAgent(_ name: String) {
        agent = String(decoding: name.utf8.prefix(StreamTable.nameLimit), as: UTF8.self)
    }

    /// Whether these are the connection's ends, in any order.
    @inline(__always)
    func isBetween(_ a: Endpoint, _ b: Endpoint) -> Bool {
        client == a && server == b || client == b && server == a
    }

    func half(up: Bool) -> FlowHalf { up ? upstream : downstream }

    /// Determines `isWaiting` anew. To be called whenever a reassembler may have begun or ceased to
    /// wait: a plain packet relies on it.
    func updateWaiting() {
        isWaiting =
            upstream.progress.reassembler.isWaiting || downstream.progress.reassembler.isWaiting
    }

    var isClosed: Bool { isReset || upstream.hasFinished && downstream.hasFinished }

    /// Returns the role that a media message of this direction belongs to.
    func role(publishes: Bool, messageStreamID: UInt32) -> Role? {
        var only: Role?
        var count = 0
        for role in roles where (role.subscriber == nil) == publishes {
            if role.messageStreamID == messageStreamID { return role }
            only = role
            count += 1
        }
        return count == 1 ? only : nil
    }

    var currentRetainedBytes: Int {
        upstream.progress.reassembler.pendingBytes + downstream.progress.reassembler.pendingBytes
            + upChunks.retainedBytes + downChunks.retainedBytes + requests.retainedBytes
            + response.retainedBytes + upstream.history.retainedBytes
            + downstream.history.retainedBytes
    }

    /// Number of segments that were captured before a segment that precedes them.
    var outOfOrderSegments: Int {
        upstream.progress.reassembler.outOfOrderSegments
            + downstream.progress.reassembler.outOfOrderSegments
    }

    /// Whether the contents are not understood, wholly or in one direction.
    var isUndissected: Bool {
        guard !isTranslation,
            upstream.traffic.packets + downstream.traffic.packets > 0 || upstream.isLost
        else { return false }
        switch dialect {
        case .unknown, .opaque: return true
        case .rtmp, .http: return upstream.isLost || downstream.isLost
        }
    }

    /// Whether the connection could not be read because the snap length has cut its packets.
    var isUndissectedForCuts: Bool {
        isUndissected && (upstream.progress.isCut || downstream.progress.isCut)
    }

    /// Frees the state that only further bytes of a direction would need.
    func lose(up: Bool) {
        if up {
            upstream.isLost = true
            upChunks = ChunkDissector()
            requests = HTTPRequestDissector()
        } else {
            downstream.isLost = true
            downChunks = ChunkDissector()
            response.finish()
            // Bytes that still arrive are attributed to no response.
            response = HTTPResponseDissector(table: http)
        }
    }

    func giveUp() {
        dialect = .opaque
        lose(up: true)
        lose(up: false)
    }
}
