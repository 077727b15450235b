import Glibc
import HTTPWire
import Netem
import Sockets

/// One of an HLS viewer's connections and the request that it carries. Owned by one thread.
struct HLSPlayerConnection {
    enum State { case closed, connecting, idle, busy }

    var state = State.closed
    var fd: Int32 = -1
    /// Which of the loop's hosts it leads to.
    var host = -1
    /// Over TLS; made on the loop's thread.
    var tls: TLSStream?
    var reader = HTTPResponseReader()
    var request: HLSPlayerRequest?
    /// Where the request goes, after redirects.
    var url: HTTPURL?
    var redirects = HTTPRedirects()
    /// What is still to be sent, and when.
    var text: [UInt8] = []
    var sendAt: Int64?
    /// When the request went out.
    var sentAt: Int64 = 0
    /// The socket may hold bytes; false once it has been read empty.
    var isReadable = false
    /// It has carried a request before: the server may have closed it meanwhile.
    var isReused = false
    /// What it carries is read by a probe: nothing may be thrown away.
    var isProbed = false
    // Of the answer. Times are CLOCK_MONOTONIC; 0 = not yet.
    var head: HTTPResponseHead?
    /// The body of a playlist.
    var kept: [UInt8] = []
    /// Bytes of the body, as they came.
    var received = 0
    /// Of a body that came coded and is read.
    var decoder: ContentDecoder?
    /// The server sends the whole resource where a part was asked for.
    var ignoresRange = false
    /// Bytes of that resource that have come.
    var skipped = 0
    /// When how much of the body arrives; only while the download may be given up.
    var line = ArrivalLine()
    var requestedAt: Int64 = 0
    var firstByteAt: Int64 = 0
    var lastByteAt: Int64 = 0

    /// The longest playlist, bytes.
    static let bodyLimit = 8 << 20
    /// The longest body that comes compressed and is read, bytes.
    static let decodedLimit = 256 << 20

    var isOpen: Bool { fd >= 0 }
    /// Waits for bytes of an answer.
    var isReading: Bool { state == .busy && sendAt == nil }

    mutating func close() {
        if fd >= 0 { _ = Glibc.close(fd) }
        fd = -1
        state = .closed
        host = -1
        sendAt = nil
        isReused = false
        isReadable = false
        tls = nil
        reader = HTTPResponseReader()
    }

    /// Forgets the answer before.
    mutating func beginAnswer() {
        head = nil
        kept.removeAll(keepingCapacity: true)
        received = 0
        decoder = nil
        ignoresRange = false
        skipped = 0
        line = ArrivalLine()
        firstByteAt = 0
        lastByteAt = 0
    }

    /// A few hundred bytes: a socket that cannot take them is as good as dead.
    func write(_ bytes: [UInt8]) throws {
        guard !bytes.isEmpty else { return }
        let sent = bytes.withUnsafeBytes {
            send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard sent == bytes.count else {
            throw ViewerError(description: "send: \(String(cString: strerror(errno)))")
        }
    }

    /// Whether it can carry another request: the server has not ended it, nor sent what nobody asked
    /// for. What TLS sends by itself between answers is mostly its good-bye.
    var isReusable: Bool {
        var byte: UInt8 = 0
        let count = recv(fd, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count < 0 && errno == EAGAIN && tls?.isOpen ?? true
    }

    /// Whether the body's bytes may be thrown away unread.
    var discardable: Int {
        tls != nil || isProbed || request?.purpose.keepsBody ?? true ? 0 : reader.discardable
    }

    /// Bytes worth waiting for on a link: many at once, but never beyond the answer's end.
    var wantedBytes: Int { min(reader.remaining ?? Self.smallRead, Self.lazyRead) }
    static let lazyRead = 16_384
    private static let smallRead = TCPSegment.payloadBytes
}

/// How much of a body has arrived at which time, where reads are ahead of the link's delay.
/// Between two reads bytes arrive evenly. Bounded by the delay: one point a millisecond, and those
/// before the latest question are dropped.
struct ArrivalLine {
    private static let spacing: Int64 = 1_000_000
    private var points: [(time: Int64, bytes: Int)] = []

    /// All of `bytes` are there at `time`, which never goes back.
    mutating func note(_ bytes: Int, at time: Int64) {
        if points.count > 1, time - points[points.count - 2].time < Self.spacing {
            points.removeLast()
        }
        points.append((time, bytes))
    }

    /// Bytes that are there at `now`.
    mutating func bytes(at now: Int64) -> Int {
        let next = points.firstIndex { $0.time > now } ?? points.count
        guard next > 0 else { return 0 }
        points.removeFirst(next - 1)
        let (time, bytes) = points[0]
        guard points.count > 1 else { return bytes }
        let share = Double(now - time) / Double(points[1].time - time)
        return bytes + Int(Double(points[1].bytes - bytes) * share)
    }
}
