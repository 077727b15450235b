import CLinux
import Glibc
import HTTPWire
import NIOCore
import Netem
import RTMP
import Sockets

/// One load viewer: a socket, the session that sets it up, and counters. Owned by one thread.
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
    /// Where the server has sent this viewer; its loop connects there.
    private(set) var redirection: HTTPURL?
    var state = State.waiting
    var fd: Int32 = -1
    var localPort = 0
    /// Of a viewer over RTMP, once it is connected.
    private var connection: RTMPClientConnection?
    private var chunks = ChunkCounter()
    private var tags = FLVTagCounter()
    /// Of a connection over TLS; it is made on the loop's thread.
    private(set) var tls: TLSStream?
    /// Bytes that a header cut in two left over: fewer than 18.
    private var carry: [UInt8] = []
    private var receivedBytes = 0
    /// When it set out to connect, CLOCK_MONOTONIC.
    var askedAt: Int64?
    private(set) var firstMediaAt: Int64?
    /// When it left or was cut off.
    var endedAt: Int64?
    /// Reads rarely from now on: its socket has a low-water mark.
    var hasLowWaterMark = false
    private(set) var isPlaying = false
    var atWindowStart: ViewerCounters?
    var atWindowEnd: ViewerCounters?
    var failure: String?
    var link: SocketLink?
    /// Ticks between two reads.
    private(set) var stride = 1
    /// Read, but not arrived yet.
    private var incoming = DelayedBytes()
    /// Sent, but not yet at the server.
    private var outgoing = DelayedBytes()
    /// When the handshake's first bytes leave; nil once they have.
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

    /// The connection is up: says hello, over a link with delay when the round trip of a TCP
    /// handshake and the way of the first bytes are over.
    /// - Parameter trust: for https and rtmps.
    mutating func connected(
        now: Int64, trust: TLSTrust, random: inout SystemRandomNumberGenerator
    ) throws {
        if endpoint.isSecure {
            tls = try TLSStream(
                trust.context(), host: endpoint.host, port: endpoint.port)
        }
        let delay = link?.delay(at: now) ?? 0
        guard delay == 0 else {
            // TLS takes a round trip more; its own few bytes do not wait.
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

    /// Takes what was read into `buffer`, behind room for the carry. Returns true when the
    /// stream has just begun to play.
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

    /// The connection is over, and the next one goes to `url`.
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

    /// Bytes that were read wait for the link's delay.
    mutating func hold(_ bytes: Slice<UnsafeRawBufferPointer>, now: Int64) {
        let time = link?.release(bytes.count, at: now) ?? now
        incoming.append(Array(bytes), at: time)
    }

    mutating func releaseHeld(now: Int64) -> [UInt8]? { incoming.pop(at: now) }

    /// Sends what has been on its way for the link's delay.
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
                // Media are counted, and never come as messages.
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

    /// Requests are a few hundred bytes: a socket that cannot take them is as good as dead.
    private func sendNow(_ bytes: ByteBuffer) throws {
        guard let tls else { return try write(bytes) }
        tls.send(Array(buffer: bytes))
        try sendTLS()
    }

    /// What TLS itself has to say, and what it has encrypted.
    private func sendTLS() throws {
        if let bytes = try tls?.outgoing() { try write(ByteBuffer(bytes: bytes)) }
    }

    /// What was in bytes of TLS.
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
