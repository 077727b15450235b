import RTMP

/// One TCP connection, by its two ends in a fixed order.
struct FlowKey: Hashable {
    var first: Endpoint
    var second: Endpoint

    init(_ a: Endpoint, _ b: Endpoint) {
        let isOrdered = (a.high, a.low, a.port) < (b.high, b.low, b.port)
        first = isOrdered ? a : b
        second = isOrdered ? b : a
    }
}

/// One direction of a connection.
final class FlowHalf {
    var reassembler = TCPReassembler()
    var traffic = TrafficCounters()
    var initialSequence: UInt32?
    /// The latest acknowledgement that this side sent.
    var acknowledgement: UInt32?
    var hasFinished = false
    /// The snap length has cut payload of it.
    var isCut = false
    /// The latest segments, where the capture has several interfaces.
    var history = SegmentHistory()
    /// Not chosen for dissection: only headers matter.
    var isIgnored = false
    /// Cannot be followed any more.
    var isLost = false

    var isFollowed: Bool { !isIgnored && !isLost }
}

/// A connection, what it speaks and what it plays or publishes.
final class Flow {
    enum Dialect {
        case unknown
        case rtmp
        case http
        /// Not understood, or not any more.
        case opaque
    }

    struct Role {
        var messageStreamID: UInt32
        var stream: CapturedStream
        /// nil = publishes.
        var subscriber: Subscriber?
    }

    /// Bytes of C0 to C2, and of S0 to S2.
    static let handshakeLength = 1 + 1536 + 1536
    /// Streams on one connection.
    static let roleLimit = 16

    let client: Endpoint
    let server: Endpoint
    private let http: HTTPTable?
    /// Client to server, then server to client.
    let upstream = FlowHalf()
    let downstream = FlowHalf()
    /// The smallest MSS option of the SYN segments.
    var maximumSegmentSize: Int?
    var dialect = Dialect.unknown
    var isReset = false
    /// The same connection was captured under other addresses, and counts there.
    var isTranslation = false
    /// It begins as TLS does.
    var isEncrypted = false
    /// The first bytes of the client while too few to tell the protocol.
    var opening: [UInt8] = []
    var handshakeLeft = (up: Flow.handshakeLength, down: Flow.handshakeLength)
    var sawServerVersion = false
    var upChunks = ChunkDissector()
    var downChunks = ChunkDissector()
    var requests = HTTPRequestDissector()
    var response: HTTPResponseDissector
    var app = ""
    /// How the client calls itself: flashVer or User-Agent.
    private(set) var agent = ""
    var roles: [Role] = []
    var retainedBytes = 0
    var lastTime: Int64 = 0
    var keepsFrames = false
    /// Stamps are read on the way in.
    var keepsIngressFrames = false

    init(client: Endpoint, server: Endpoint, http: HTTPTable? = nil) {
        self.client = client
        self.server = server
        self.http = http
        response = HTTPResponseDissector(
            server: "\(server.address):\(server.port)", table: http)
    }

    /// Keeps what the client calls itself, cut to a kibibyte.
    func setAgent(_ name: String) {
        agent = String(decoding: name.utf8.prefix(StreamTable.nameLimit), as: UTF8.self)
    }

    func half(up: Bool) -> FlowHalf { up ? upstream : downstream }

    var isClosed: Bool { isReset || upstream.hasFinished && downstream.hasFinished }
    var isPublisher: Bool { roles.contains { $0.subscriber == nil } }

    /// The role that a media message of this direction belongs to.
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
        upstream.reassembler.pendingBytes + downstream.reassembler.pendingBytes
            + upChunks.retainedBytes + downChunks.retainedBytes + requests.retainedBytes
            + response.retainedBytes + upstream.history.retainedBytes
            + downstream.history.retainedBytes
    }

    /// Segments that came before one they follow.
    var outOfOrderSegments: Int {
        upstream.reassembler.outOfOrderSegments + downstream.reassembler.outOfOrderSegments
    }

    /// What was said is not understood, wholly or in one direction.
    var isUndissected: Bool {
        guard !isTranslation,
            upstream.traffic.packets + downstream.traffic.packets > 0 || upstream.isLost
        else { return false }
        switch dialect {
        case .unknown, .opaque: return true
        case .rtmp, .http: return upstream.isLost || downstream.isLost
        }
    }

    /// It could not be read because the snap length has cut its packets.
    var isUndissectedForCuts: Bool { isUndissected && (upstream.isCut || downstream.isCut) }

    /// Frees what only further bytes of a direction would need.
    func lose(up: Bool) {
        if up {
            upstream.isLost = true
            upChunks = ChunkDissector()
            requests = HTTPRequestDissector()
        } else {
            downstream.isLost = true
            downChunks = ChunkDissector()
            response.finish()
            // What still comes belongs to nobody.
            response = HTTPResponseDissector(table: http)
        }
    }

    func giveUp() {
        dialect = .opaque
        lose(up: true)
        lose(up: false)
    }
}
