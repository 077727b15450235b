import Glibc
import HTTPWire
import Netem
import Sockets

/// One of an HLS viewer's connections and the request that it carries. One thread owns it. The
/// connection is a class, because its loop touches it for every read and must not copy it.
final class HLSPlayerConnection {
    enum State { case closed, connecting, idle, busy }

    var state = State.closed
    var fd: Int32 = -1
    /// Serial number of the present or latest socket, which wraps.
    var serial: UInt16 = 0
    /// Index of the connection's host among the loop's hosts.
    var host = -1
    /// State of a connection over TLS; the loop's thread makes it.
    var tls: TLSStream?
    var reader = HTTPResponseReader()
    var request: HLSPlayerRequest? {
        didSet { purpose = request?.purpose }
    }
    /// Purpose of `request`.
    private(set) var purpose: HLSPlayerRequest.Purpose?
    /// URL of the request, after redirects.
    var url: HTTPURL?
    var redirects = HTTPRedirects()
    /// Bytes that are still to be sent; `sendAt` is the time at which to send them.
    var text: [UInt8] = []
    var sendAt: Int64?
    /// Time at which the request was sent.
    var sentAt: Int64 = 0
    /// Whether the socket may hold bytes; false once it has been read empty.
    var isReadable = false
    /// Time for which the next read is planned, behind a link; 0 = it is not planned.
    var readAt: Int64 = 0
    /// Whether the socket stayed empty after it had been read empty within a response: the server is
    /// far away, or slow.
    var refillsSlowly = false
    /// Number of bytes that are known to wait in the socket; more may have come since.
    private var waitingBytes = 0
    /// Whether the connection has carried a request before: the server may have closed it
    /// meanwhile.
    var isReused = false
    /// Whether a probe reads the response: nothing may be discarded.
    var isProbed = false
    // The following properties describe the response. Times are CLOCK_MONOTONIC; 0 = not yet.
    var head: HTTPResponseHead?
    /// The body of a playlist.
    var kept: [UInt8] = []
    /// Number of the body's bytes, as they came.
    var received = 0
    /// Decoder of a body that came coded and is read.
    var decoder: ContentDecoder?
    /// Whether the server sends the whole resource although a part was requested.
    var ignoresRange = false
    /// Number of bytes of that resource that have come.
    var skipped = 0
    /// Arrival times of the body's bytes; kept only while the download may be given up.
    var line = ArrivalLine()
    var requestedAt: Int64 = 0
    var firstByteAt: Int64 = 0
    var lastByteAt: Int64 = 0

    /// Size of the longest playlist, in bytes.
    static let bodyLimit = 8 << 20
    /// Largest number of waiting bytes that are counted; the receive buffer holds fewer.
    private static let countLimit = 1 << 20
    /// Size of the longest compressed body that is read, in bytes.
    static let decodedLimit = 256 << 20

    var isOpen: Bool { fd >= 0 }
    /// Whether the connection waits for bytes of a response.
    var isReading: Bool { state == .busy && sendAt == nil }

    func close() {
        if fd >= 0 { _ = Glibc.close(fd) }
        fd = -1
        state = .closed
        host = -1
        sendAt = nil
        isReused = false
        isReadable = false
        refillsSlowly = false
        waitingBytes = 0
        tls = nil
        reader = HTTPResponseReader()
    }

    /// Notes that `count` bytes were read from the socket.
    func noteRead(_ count: Int) { waitingBytes = max(0, waitingBytes - count) }

    /// Returns the number of bytes that a read at any later time can take, or a lower bound of at
    /// least `enough`.
    func countWaiting(atLeast enough: Int) -> Int {
        // A server on the same machine fills the socket again while a read empties it.
        guard refillsSlowly else { return Self.countLimit }
        guard waitingBytes < enough else { return waitingBytes }
        // With MSG_TRUNC the bytes are counted and not copied.
        let flags = Int32(MSG_PEEK) | Int32(MSG_TRUNC) | Int32(MSG_DONTWAIT)
        waitingBytes = max(0, recv(fd, nil, Self.countLimit, flags))
        return waitingBytes
    }

    /// Forgets the previous response.
    func beginAnswer() {
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

    /// Sends a request. It has a few hundred bytes, so a socket that cannot take it counts as
    /// broken.
    func write(_ bytes: [UInt8]) throws {
        guard !bytes.isEmpty else { return }
        let sent = bytes.withUnsafeBytes {
            send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard sent == bytes.count else {
            throw ViewerError(
                description: sent < 0
                    ? "send: \(String(cString: strerror(errno)))"
                    : "the socket takes only \(sent) of a request's \(bytes.count) bytes at once")
        }
    }

    /// Whether the connection can carry another request: the server has not ended it, and has not
    /// sent bytes without a request. Bytes that TLS itself sends between responses are usually its
    /// closing message.
    var isReusable: Bool {
        var byte: UInt8 = 0
        let count = recv(fd, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count < 0 && errno == EAGAIN && tls?.isOpen ?? true
    }

    /// Number of the body's bytes that may be discarded unread.
    var discardable: Int {
        tls != nil || isProbed || purpose?.keepsBody ?? true ? 0 : reader.discardable
    }

    /// Number of bytes until the response ends, as far as it is known: those of one packet while it
    /// is not.
    var restBytes: Int { reader.remaining ?? TCPSegment.payloadBytes }
}

/// Arrival times of a body's bytes, for reads that are ahead of the link's delay. Bytes arrive
/// evenly between two reads. The delay bounds the size: the line has one point per millisecond, and
/// points that no later query needs are dropped.
struct ArrivalLine {
    private static let spacing: Int64 = 1_000_000
    private var points: [(time: Int64, bytes: Int)] = []

    /// Notes that all of `bytes` have arrived at `time`, which never goes back.
    mutating func note(_ bytes: Int, at time: Int64) {
        if points.count > 1, time - points[points.count - 2].time < Self.spacing {
            points.removeLast()
        }
        points.append((time, bytes))
    }

    /// Forgets the points that no query at `now` or later needs.
    mutating func forget(before now: Int64) {
        let next = points.firstIndex { $0.time > now } ?? points.count
        if next > 1 { points.removeFirst(next - 1) }
    }

    /// Number of bytes that have arrived at `now`.
    mutating func bytes(at now: Int64) -> Int {
        forget(before: now)
        guard let (time, bytes) = points.first, time <= now else { return 0 }
        guard points.count > 1 else { return bytes }
        let share = Double(now - time) / Double(points[1].time - time)
        return bytes + Int(Double(points[1].bytes - bytes) * share)
    }
}
