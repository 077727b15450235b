import CLinux
import Glibc
import HTTPWire
import NIOCore
import Netem
import RTMP
import Sockets

/// One load viewer: a socket, the session that sets it up, and counters. One thread owns it.
struct LoadViewer {
    enum State {
        case waiting
        case connecting
        case rtmp
        case http(HTTPURL)
        case closed
    }

    let spec: ViewerSpec
    private(set) var endpoint: ViewerEndpoint
    private var itinerary = HTTPItinerary()
    private var response = MediaResponse()
    /// Address to which the server has redirected this viewer; its loop connects there.
    private(set) var redirection: HTTPURL?
    var state = State.waiting
    var fd: Int32 = -1
    var localPort = 0
    /// Connection of a viewer over RTMP, once the viewer is connected.
    private var connection: RTMPClientConnection?
    private var chunks = ChunkCounter()
    private var tags = FLVTagCounter()
    /// State of a connection over TLS; the loop's thread makes it.
    private(set) var tls: TLSStream?
    /// Bytes of an incomplete header, fewer than 18.
    private var carry: [UInt8] = []
    private var receivedBytes = 0
    /// Time of the connection attempt on CLOCK_MONOTONIC.
    var askedAt: Int64?
    private(set) var firstMediaAt: Int64?
    /// Time at which the viewer left or was cut off.
    var endedAt: Int64?
    /// Whether the socket has a low-water mark, so that the viewer reads rarely.
    var hasLowWaterMark = false
    private(set) var isPlaying = false
    var atWindowStart: ViewerCounters?
    var atWindowEnd: ViewerCounters?
    var failure: String?
    var link: SocketLink?
    /// Number of ticks between two reads.
    private(set) var stride = 1
    /// Bytes that were read but have not arrived yet.
    private var incoming = DelayedBytes()
    /// Bytes that were sent but have not reached the server yet.
    private var outgoing = DelayedBytes()
    /// Time at which the handshake's first bytes leave; nil once they have left.
    private var helloAt: Int64?

    init(_ spec: ViewerSpec) throws {
        self.spec = spec
        endpoint = try ViewerEndpoint(spec)
    }

    var isOpen: Bool { fd >= 0 }
    var isConnected: Bool {
        if case .connecting = state { false } else { isOpen }
    }

    var counters: ViewerCounters {
        var counters = ViewerCounters()
        counters.receivedBytes = receivedBytes
        counters.payloadBytes =
            chunks.videoBytes + chunks.audioBytes + tags.videoBytes + tags.audioBytes
        counters.videoMessages = chunks.videoMessages + tags.videoMessages
        counters.audioMessages = chunks.audioMessages + tags.audioMessages
        return counters
    }

    /// Begins the session on a new connection. Over a link with delay, the first bytes wait for the
    /// round trip of a TCP handshake and for their own delay.
    /// - Parameter trust: authorities that https and rtmps trust.
    mutating func connected(
        now: Int64, trust: TLSTrust, random: inout SystemRandomNumberGenerator
    ) throws {
        if endpoint.isSecure {
            tls = try TLSStream(
                trust.context(), host: endpoint.host, port: endpoint.port)
        }
        let delay = link?.delay(at: now) ?? 0
        guard delay == 0 else {
            // TLS takes one more round trip; its own few bytes do not wait.
            helloAt = now + (endpoint.isSecure ? 5 : 3) * delay
            state = .waiting
            return
        }
        try sayHello(&random)
    }

    private mutating func sayHello(_ random: inout SystemRandomNumberGenerator) throws {
        switch endpoint {
        case .rtmp(let url):
            let connection = RTMPClientConnection(
                url: url, purpose: .play(bufferMilliseconds: 1000), mode: .simple, using: &random)
            try sendNow(connection.opening)
            self.connection = connection
            state = .rtmp
        case .http(let url):
            try sendNow(ByteBuffer(bytes: itinerary.request(url)))
            state = .http(url)
        }
    }

    var hasMedia: Bool { firstMediaAt != nil }

    /// Processes the bytes that were read into `buffer`, behind the room for `carry`. Returns true
    /// if the stream has just begun to play.
    mutating func receive(
        _ buffer: UnsafeMutableRawBufferPointer, room: Int, count: Int, now: Int64,
        random: inout SystemRandomNumberGenerator
    ) throws -> Bool {
        receivedBytes += count
        let start = room - carry.count
        carry.withUnsafeBytes {
            buffer.baseAddress!.advanced(by: start).copyMemory(
                from: $0.baseAddress ?? UnsafeRawPointer(buffer.baseAddress!), byteCount: $0.count)
        }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[start..<room + count])
        let wasPlaying = isPlaying
        var acknowledgement: ByteBuffer?
        switch state {
        case .rtmp where connection?.isInHandshake ?? false:
            carry = []
            guard
                let (reply, rest) = try connection?.receiveHandshake(
                    ByteBuffer(bytes: bytes), using: &random)
            else { return false }
            try send(reply)
            if rest.readableBytes > 0 {
                acknowledgement = connection?.acknowledge(rest.readableBytes)
                try rest.withUnsafeReadableBytes { try consumeChunks($0) }
            }
        case .rtmp:
            acknowledgement = connection?.acknowledge(count)
            try consumeChunks(bytes)
        case .http(let url):
            switch try response.take(bytes, { try tags.consume($0) }) {
            case .goesOn: isPlaying = response.head != nil
            case .redirected(let head): redirection = try itinerary.follow(head, from: url)
            }
        case .waiting, .connecting, .closed: break
        }
        if let acknowledgement { try send(acknowledgement) }
        if firstMediaAt == nil, counters.videoMessages + counters.audioMessages > 0 {
            firstMediaAt = now
        }
        return isPlaying && !wasPlaying
    }

    /// Ends the connection; the next one goes to `url`.
    mutating func move(to url: HTTPURL) {
        close()
        endpoint = .http(url)
        response = MediaResponse()
        tls = nil
        redirection = nil
        carry = []
        incoming = DelayedBytes()
        outgoing = DelayedBytes()
    }

    // MARK: Links

    /// Puts the viewer behind a link.
    mutating func attach(
        _ shared: SocketLink.Shared, _ place: LinkAssignment, origin: Int64, now: Int64
    ) throws {
        stride = LoadLoop.stride(
            mode: spec.mode, bitsPerSecond: shared.schedule.averageBitsPerSecond)
        link = try SocketLink(
            shared, place, origin: origin, now: now,
            credit: Int64(stride) * LoadLoop.shapedTickNanoseconds)
    }

    var hasGreeted: Bool { helloAt == nil }
    var isLineFull: Bool { incoming.count >= SocketLink.lineLimit }

    /// Holds bytes that were read until the link's delay is over.
    mutating func hold(_ bytes: Slice<UnsafeRawBufferPointer>, now: Int64) {
        let time = link?.release(bytes.count, at: now) ?? now
        incoming.append(Array(bytes), at: time)
    }

    mutating func releaseHeld(now: Int64) -> [UInt8]? { incoming.pop(at: now) }

    /// Sends the bytes for which the link's delay is over.
    mutating func sendHeld(now: Int64, random: inout SystemRandomNumberGenerator) throws {
        if let time = helloAt, time <= now {
            helloAt = nil
            try sayHello(&random)
        }
        while let bytes = outgoing.pop(at: now) { try sendNow(ByteBuffer(bytes: bytes)) }
    }

    private mutating func consumeChunks(_ bytes: UnsafeRawBufferPointer) throws {
        var messages: [Message] = []
        let used = try chunks.consume(bytes) { messages.append($0) }
        carry = used < bytes.count ? Array(bytes[used...]) : []
        for message in messages {
            for event in try connection?.receive(message) ?? [] {
                switch event {
                case .write(let bytes): try send(bytes)
                case .started: isPlaying = true
                // Media are counted and never reach this switch as messages.
                case .media: break
                case .refused(let code, let description):
                    throw ViewerError(description: "refused: \(code) \(description)")
                case .ended(let code): throw ViewerError(description: "the stream ended: \(code)")
                }
            }
        }
    }

    private mutating func send(_ bytes: ByteBuffer) throws {
        let now = Clock.monotonicNanoseconds()
        if let delay = link?.delay(at: now), delay > 0 {
            outgoing.append(Array(buffer: bytes), at: now + delay)
        } else {
            try sendNow(bytes)
        }
    }

    /// Sends bytes at once. Requests have a few hundred bytes, so a socket that cannot take them
    /// counts as broken.
    private func sendNow(_ bytes: ByteBuffer) throws {
        guard let tls else { return try write(bytes) }
        tls.send(Array(buffer: bytes))
        try sendTLS()
    }

    /// Sends the bytes that TLS has made: its own messages and what it has encrypted.
    private func sendTLS() throws {
        if let bytes = try tls?.outgoing() { try write(ByteBuffer(bytes: bytes)) }
    }

    /// Returns the plain text of bytes that came over TLS.
    func decrypt(_ bytes: UnsafeRawBufferPointer) throws -> [UInt8] {
        var plain: [UInt8] = []
        try tls?.receive(bytes) { plain += $0 }
        try sendTLS()
        return plain
    }

    private func write(_ bytes: ByteBuffer) throws {
        let sent = bytes.withUnsafeReadableBytes {
            Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard sent == bytes.readableBytes else {
            throw ViewerError(description: "cannot send: \(String(cString: strerror(errno)))")
        }
    }

    mutating func close() {
        guard fd >= 0 else { return }
        Glibc.close(fd)
        fd = -1
        state = .closed
        tls = nil
    }

    var report: LoadViewerReport {
        let window = atWindowStart.map { (atWindowEnd ?? counters) - $0 }
        return LoadViewerReport(
            index: spec.index, localPort: localPort, askedAtNanoseconds: askedAt,
            firstMediaNanoseconds: firstMediaAt.flatMap { first in askedAt.map { first - $0 } },
            endedAtNanoseconds: endedAt,
            window: window ?? ViewerCounters(), total: counters, failure: failure,
            modelledStalls: link?.stalls, modelledStallNanoseconds: link?.stalledNanoseconds)
    }
}
