import HTTPWire

/// Follows the responses on an HTTP/1.1 connection (RFC 9112): finds FLV bodies, reads playlists,
/// and determines which bytes belong to which request.
struct HTTPResponseDissector {
    struct Request {
        var target: String
        var isHead: Bool
        var isInWindow: Bool

        /// Whether the request is for HTTP-FLV: the path ends in `.flv`, or the query has a
        /// `stream` parameter, as nginx-http-flv-module expects.
        var isFLV: Bool {
            HTTPResourceMap.path(target).hasSuffix(".flv")
                || target.split(separator: "?", maxSplits: 1).dropFirst().first?
                    .split(separator: "&").contains { $0.hasPrefix("stream=") } ?? false
        }
    }

    enum State {
        case header
        case body(HTTPBodyFraming)
        /// Looks for chunks of an FLV body after a gap.
        case seekingChunk
        /// Waits for bytes that look like a response.
        case lost
    }

    enum Body {
        case undecided
        case flv
        case playlist
        case other
    }

    /// Largest number of requests without a response, more than a server accepts; further requests
    /// are ignored.
    static let requestLimit = 1_024
    /// Largest playlist that is read, in bytes, as captured and decoded.
    static let playlistLimit = 1 << 20

    var state = State.header
    var body = Body.other
    /// Bytes of the head that have arrived.
    var line: [UInt8] = []
    /// Bytes of the playlist that have arrived.
    var text: [UInt8] = []
    /// Requests without a response, oldest first.
    var requests: [Request] = []
    /// Total length of the targets in `requests`, in bytes.
    private var requestBytes = 0
    /// Request that the current response answers; nil if it was not seen.
    var current: Request?
    /// Codings of the body by Content-Encoding and Transfer-Encoding, without `chunked`.
    private var codings = ""
    /// Decoder of an FLV body, which is read as it arrives; nil if the body is not coded.
    var decoder: ContentDecoder?
    var flv = FLVDissector()
    var search = ChunkSearch()
    /// Stream offset of the next byte.
    var position = 0
    var spans = HTTPResponseSpans()
    private let server: String
    private let table: HTTPTable?

    var wantsStamps: Bool {
        get { flv.wantsStamps }
        set { flv.wantsStamps = newValue }
    }

    /// Approximate size of a decoder's window and state, in bytes.
    private static let decoderBytes = 48 << 10

    var retainedBytes: Int {
        line.count + framingBytes + text.count + search.bytes.count + flv.retainedBytes
            + requestBytes + spans.retainedBytes
            + (decoder == nil ? 0 : Self.decoderBytes)
    }

    private var framingBytes: Int {
        if case .body(let framing) = state { framing.retainedBytes } else { 0 }
    }

    /// - Parameters:
    ///   - server: Name that distinguishes equal paths of two servers.
    ///   - table: Table of responses; nil = responses are not attributed.
    init(server: String = "", table: HTTPTable? = nil) {
        self.server = server
        self.table = table
    }

    /// Records a request that was captured at `time`.
    mutating func requested(_ target: String, isHead: Bool, time: Int64) {
        guard requests.count < Self.requestLimit else { return }
        requestBytes += target.utf8.count
        requests.append(
            Request(
                target: target, isHead: isHead, isInWindow: table?.isInWindow(time) ?? true))
    }

    /// Attributes a captured packet to responses. Call it after `receive` with the packet's bytes.
    mutating func account(_ packet: HTTPResponseSpans.Packet) {
        guard let table else { return }
        spans.account(packet, known: position, table)
    }

    /// Records that the server has closed the connection.
    mutating func closed() {
        endWithConnection()
        if let table { spans.settle(table) }
    }

    /// Records that the client has reset the connection. The latest response counts as incomplete,
    /// because a client that has read all of it closes in order.
    mutating func reset() { spans.spoil() }

    /// Ends the dissection: no more bytes come, or the connection is no longer followed. A response
    /// that has not ended is incomplete.
    mutating func finish() {
        spans.end(at: position)
        endWithConnection()
        if let table { spans.finish(table) }
    }

    private mutating func endWithConnection() {
        if case .body(let framing) = state, framing.endsWithConnection { endResponse() }
    }

    /// Reads the next bytes in order. Returns false if an FLV body is invalid; the connection
    /// cannot be followed any further then.
    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, time: Int64, emit: (MediaMessage) -> Void
    ) -> Bool {
        var offset = 0
        if case .lost = state, !resume(bytes) {
            position += bytes.count
            return true
        }
        while offset < bytes.count {
            switch state {
            case .header:
                if line.isEmpty { beginResponse() }
                line.append(bytes[offset])
                offset += 1
                position += 1
                guard line.count <= HTTPRequestDissector.headerLimit else {
                    lose()
                    continue
                }
                // A line may end without CR (RFC 9112, 2.2).
                guard
                    line.suffix(4) == [0x0D, 0x0A, 0x0D, 0x0A] || line.suffix(2) == [0x0A, 0x0A]
                else { continue }
                if !beginBody(time) { lose() }
            case .body: guard receiveBody(bytes, &offset, time, emit) else { return false }
            case .seekingChunk:
                let rest = bytes.from(offset)
                position += rest.count
                return seekChunk(rest, time)
            case .lost:
                position += bytes.count - offset
                return true
            }
        }
        return true
    }

    /// Reads the body to the end of `bytes` or of the body. Returns false if an FLV body is
    /// invalid.
    private mutating func receiveBody(
        _ bytes: UnsafeRawBufferPointer, _ offset: inout Int, _ time: Int64,
        _ emit: (MediaMessage) -> Void
    ) -> Bool {
        guard case .body(var framing) = state else { return true }
        while true {
            let start = offset
            let event: HTTPBodyFraming.Event?
            do {
                event = try framing.next(bytes, &offset)
                position += offset - start
            } catch {
                // After invalid framing, the position of the next response is unknown.
                position += offset - start
                let isFLV = if case .flv = body { true } else { false }
                lose()
                return !isFLV
            }
            switch event {
            case .body(let range):
                guard take(UnsafeRawBufferPointer(rebasing: bytes[range]), time, emit) else {
                    return false
                }
            case .end:
                endResponse()
                return true
            case nil:
                state = .body(framing)
                return true
            }
        }
    }

    private mutating func take(
        _ part: UnsafeRawBufferPointer, _ time: Int64, _ emit: (MediaMessage) -> Void
    ) -> Bool {
        guard let decoder else { return takeDecoded(part, time, emit) }
        var isGood = true
        do {
            try decoder.decode(part) { piece in
                if isGood { isGood = takeDecoded(piece, time, emit) }
            }
        } catch {
            let isFLV = if case .flv = body { true } else { false }
            leaveUnread()
            return !isFLV
        }
        return isGood
    }

    /// Gives up a body that has an unknown coding or does not match its coding, and counts it.
    mutating func leaveUnread() {
        table?.countUnread(codings)
        decoder = nil
        text = []
        body = .other
    }

    private mutating func takeDecoded(
        _ part: UnsafeRawBufferPointer, _ time: Int64, _ emit: (MediaMessage) -> Void
    ) -> Bool {
        if case .undecided = body, let first = part.first {
            // `F` begins an FLV file.
            body = first == 0x46 ? .flv : .other
            if case .flv = body { spans.disown() }
        }
        switch body {
        case .flv: return flv.receive(part, time: time, emit: emit)
        case .playlist:
            if text.count + part.count <= Self.playlistLimit {
                text += part
            } else {
                text = []
                body = .other
            }
        case .undecided, .other: break
        }
        return true
    }

    private mutating func beginResponse() {
        current = requests.isEmpty ? nil : requests.removeFirst()
        requestBytes -= current?.target.utf8.count ?? 0
        guard let table else { return }
        spans.begin(
            at: position,
            entry: isFLV ? nil : table.entry(target: current?.target, server: server), table)
    }

    /// Whether the request asks for HTTP-FLV.
    private var isFLV: Bool { current?.isFLV ?? false }

    mutating func endResponse() {
        if case .playlist = body, let current, let table {
            if codings.isEmpty {
                table.map.learn(text, target: current.target, server: server)
            } else if let plain = try? ContentDecoder.whole(
                text, codings: codings, limit: Self.playlistLimit)
            {
                table.map.learn(plain, target: current.target, server: server)
            } else {
                table.countUnread(codings)
            }
        }
        text = []
        decoder = nil
        body = .other
        state = .header
        spans.complete(
            at: position,
            seconds: current.flatMap { table?.map.duration(of: $0.target, server: server) } ?? 0)
    }

    /// Gives up after framing that is not understood. The following bytes belong to no request
    /// until a response is found again.
    mutating func lose() {
        state = .lost
        line = []
        text = []
        decoder = nil
        search = ChunkSearch()
        body = .other
        spans.end(at: position)
    }

    /// Looks for a response at the beginning of `bytes` after the framing was lost. Such a response
    /// answers the latest request.
    private mutating func resume(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.starts(with: "HTTP/1.".utf8), !requests.isEmpty else { return false }
        requests.removeFirst(requests.count - 1)
        requestBytes = requests[0].target.utf8.count
        state = .header
        return true
    }

    private mutating func beginBody(_ time: Int64) -> Bool {
        defer { line.removeAll(keepingCapacity: true) }
        guard
            let head = try? HTTPResponseHead(parsing: line.drop { $0 == 0x0D || $0 == 0x0A })
        else { return false }
        let code = head.status
        if code / 100 == 1 {
            // An interim response (1xx) precedes the final response to the same request.
            if let current {
                requests.insert(current, at: 0)
                requestBytes += current.target.utf8.count
            }
            return true
        }
        if let table, !isFLV {
            table.began(
                table.entry(target: current?.target, server: server), status: code, time: time)
            if code == 200 || code == 206, current.map({ $0.isInWindow && !$0.isHead }) ?? false {
                spans.count(isRange: code == 206)
            }
        }
        beginContents(head)
        let length = current?.isHead == true ? .bytes(0) : head.bodyLength
        if length == .bytes(0) { endResponse() } else { state = .body(HTTPBodyFraming(length)) }
        return true
    }

    /// Decides whether and how the body is read.
    private mutating func beginContents(_ head: HTTPResponseHead) {
        let names = head.bodyCodings
        codings = names.joined(separator: ", ")
        decoder = nil
        body = Self.body(head, current?.target ?? "")
        guard case .undecided = body else { return }
        let wantsStamps = flv.wantsStamps
        flv = FLVDissector()
        flv.wantsStamps = wantsStamps
        guard !names.isEmpty else { return }
        // Web pages are coded too, so only a body requested as HTTP-FLV is decoded, or counted as
        // unreadable.
        if !isFLV {
            body = .other
        } else if names.count == 1,
            let coder = try? ContentDecoder(coding: names[0], outputLimit: .max)
        {
            decoder = coder
        } else {
            leaveUnread()
        }
    }

    private static func body(_ head: HTTPResponseHead, _ target: String) -> Body {
        guard head.status == 200 else { return .other }
        let kind = HTTPResourceKind(path: HTTPResourceMap.path(target)[...])
        if kind == .playlist || head["content-type"]?.lowercased().contains("mpegurl") ?? false {
            return .playlist
        }
        return kind == nil ? .undecided : .other
    }
}
