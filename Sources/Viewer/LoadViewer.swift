import CLinux
import Glibc
import NIOCore
import RTMP

/// One load viewer: a socket, the session that sets it up, and counters. Owned by one thread.
struct LoadViewer {
    enum State {
        case waiting
        case connecting
        case handshake(ClientHandshake, ClientSessionStateMachine)
        case session(ClientSessionStateMachine)
        case http
        case closed
    }

    let spec: ViewerSpec
    let endpoint: ViewerEndpoint
    var state = State.waiting
    var fd: Int32 = -1
    var localPort = 0
    private var chunks = ChunkCounter()
    private var tags = FLVTagCounter()
    /// Bytes that a header cut in two left over: fewer than 18.
    private var carry: [UInt8] = []
    private var receivedBytes = 0
    private var acknowledgements = AcknowledgementWindow()
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
    /// Virtual clock of the rate limit: everything before this moment has been spent.
    var spentUntil: Int64 = 0

    init(_ spec: ViewerSpec) throws {
        self.spec = spec
        endpoint = try ViewerEndpoint(spec)
    }

    var isOpen: Bool { fd >= 0 }

    var counters: ViewerCounters {
        var counters = ViewerCounters()
        counters.receivedBytes = receivedBytes
        counters.payloadBytes =
            chunks.videoBytes + chunks.audioBytes + tags.videoBytes + tags.audioBytes
        counters.videoMessages = chunks.videoMessages + tags.videoMessages
        counters.audioMessages = chunks.audioMessages + tags.audioMessages
        return counters
    }

    /// The connection is up: says hello.
    mutating func connected(now: Int64, random: inout SystemRandomNumberGenerator) throws {
        spentUntil = now
        switch endpoint {
        case .rtmp(let url):
            let handshake = ClientHandshake(mode: .simple, using: &random)
            let session = ClientSessionStateMachine(
                url: url, purpose: .play(bufferMilliseconds: 1000))
            try send(handshake.opening)
            state = .handshake(handshake, session)
        case .http:
            try send(ByteBuffer(string: endpoint.request() ?? ""))
            state = .http
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
        switch state {
        case .handshake(var handshake, var session):
            carry = []
            let input = ByteBuffer(bytes: bytes)
            guard let (c2, rest) = try handshake.receive(input, using: &random) else {
                state = .handshake(handshake, session)
                return false
            }
            var hello = c2
            hello.writeImmutableBuffer(session.start())
            try send(hello)
            state = .session(session)
            if rest.readableBytes > 0 {
                try rest.withUnsafeReadableBytes { try consumeChunks($0) }
            }
        case .session:
            try consumeChunks(bytes)
            if let number = acknowledgements.receive(count) {
                try send(ChunkWriter().bytes(ControlMessage.acknowledgement(number).message))
            }
        case .http:
            let used = try tags.consume(bytes)
            carry = Array(bytes[used...])
            isPlaying = true
        case .waiting, .connecting, .closed: break
        }
        if firstMediaAt == nil, counters.videoMessages + counters.audioMessages > 0 {
            firstMediaAt = now
        }
        return isPlaying && !wasPlaying
    }

    private mutating func consumeChunks(_ bytes: UnsafeRawBufferPointer) throws {
        var messages: [Message] = []
        let used = try chunks.consume(bytes) { messages.append($0) }
        carry = used < bytes.count ? Array(bytes[used...]) : []
        guard !messages.isEmpty, case .session(var session) = state else { return }
        for message in messages {
            for action in try session.receive(message) {
                switch action {
                case .write(let bytes): try send(bytes)
                case .started: isPlaying = true
                case .refused(let code, let description):
                    throw ViewerError(description: "refused: \(code) \(description)")
                case .ended(let code): throw ViewerError(description: "the stream ended: \(code)")
                }
            }
            if let control = try ControlMessage(message),
                case .windowAcknowledgementSize(let size) = control
            {
                acknowledgements.size = size
            }
        }
        state = .session(session)
    }

    /// Requests are a few hundred bytes: a socket that cannot take them is as good as dead.
    private func send(_ bytes: ByteBuffer) throws {
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
    }

    var report: LoadViewerReport {
        let window = atWindowStart.map { (atWindowEnd ?? counters) - $0 }
        return LoadViewerReport(
            index: spec.index, localPort: localPort, askedAtNanoseconds: askedAt,
            firstMediaNanoseconds: firstMediaAt.flatMap { first in askedAt.map { first - $0 } },
            endedAtNanoseconds: endedAt,
            window: window ?? ViewerCounters(), total: counters, failure: failure)
    }
}

extension ChunkWriter {
    func bytes(_ message: Message) -> ByteBuffer {
        var buffer = ByteBuffer()
        write(message, into: &buffer)
        return buffer
    }
}
