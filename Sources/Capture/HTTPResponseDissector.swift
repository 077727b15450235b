import HTTPWire

/// Follows the responses in the server's direction of an HTTP/1.1 connection (RFC 9112): it finds
/// FLV bodies, reads playlists, and determines which bytes belong to which request.
struct HTTPResponseDissector {
    struct Request {
        var target: String
        var isHead: Bool
        var isInWindow: Bool

        /// Whether the request is for HTTP-FLV, by its path or in the form of
        /// nginx-http-flv-module.
        var isFLV: Bool {
            HTTPResourceMap.path(target).hasSuffix(".flv")
                || target.split(separator: "?", maxSplits: 1).dropFirst().first?
                    .split(separator: "&").contains { $0.hasPrefix("stream=") } ?? false
        }
    }

    enum State {
        case header
        case length(Int)
        /// The body extends to the connection's end.
        case rest
        case chunkSize
        case chunk(left: Int)
        case chunkEnd
        case trailer
        /// The dissector looks for chunks of an FLV body after a gap.
        case seekingChunk
        /// The dissector waits for bytes that look like a response.
        case lost
    }

    enum Body {
        case undecided
        case flv
        case playlist
        case other
    }

    /// Largest number of requests without a response; a server would not let more wait.
    static let requestLimit = 1_024
    static let playlistLimit = 1 << 20

    var state = State.header
    var body = Body.other
    var line: [UInt8] = []
    var text: [UInt8] = []
    var requests: [Request] = []
    /// Length of the targets of these requests, in bytes.
    private var requestBytes = 0
    var current: Request?
    /// Codings of the body in Content-Encoding and Transfer-Encoding, except chunks.
    private var codings = ""
    /// Decoder for a body that is read as it arrives.
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

    /// Size of a decoder's window and state, in bytes.
    private static let decoderBytes = 48 << 10

    var retainedBytes: Int {
        line.count + text.count + search.bytes.count + flv.retainedBytes + requestBytes
            + spans.retainedBytes
            + (decoder == nil ? 0 : Self.decoderBytes)
    }

    /// - Parameters:
    ///   - server: Name that distinguishes equal paths of two servers.
    ///   - table: Table of the responses; nil = responses are not attributed.
    init(server: String = "", table: HTTPTable? = nil) {
        self.server = server
        self.table = table
    }

    /// - Parameter time: Capture time of the request.
    mutating func requested(_ target: String, isHead: Bool, time: Int64) {
        guard requests.count < Self.requestLimit else { return }
        requestBytes += target.utf8.count
        requests.append(
            Request(
                target: target, isHead: isHead, isInWindow: table?.isInWindow(time) ?? true))
    }

    /// Attributes a captured packet after its bytes were received.
    mutating func account(_ packet: HTTPResponseSpans.Packet) {
        guard let table else { return }
        spans.account(packet, known: position, table)
    }

    /// Ends the response because the server has closed the connection.
    mutating func closed() {
        if case .rest = state { endResponse() }
        if let table { spans.settle(table) }
    }

    /// Marks the response as incomplete because the client has reset the connection: a client that
    /// had read everything would have closed it in order.
    mutating func reset() { spans.spoil() }

    /// Ends the dissection, because nothing more arrives or the connection is not followed further.
    /// A response that has not ended is not whole.
    mutating func finish() {
        spans.end(at: position)
        if case .rest = state { endResponse() }
        if let table { spans.finish(table) }
    }

    /// Reads the next bytes in order. Returns false if a body is not FLV although it should be, and
    /// nothing else can follow.
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
            case .header, .chunkSize, .chunkEnd, .trailer:
                if case .header = state, line.isEmpty { beginResponse() }
                line.append(bytes[offset])
                offset += 1
                position += 1
                guard line.count <= HTTPRequestDissector.headerLimit else {
                    lose()
                    continue
                }
                guard line.last == 0x0A else { continue }
                let isFLV = if case .flv = body { true } else { false }
                finishLine(time)
                // After framing that makes no sense, nothing more of the stream can be read.
                if isFLV, case .lost = state { return false }
            case .length(let left):
                let part = bytes.from(offset).upTo(left)
                offset += part.count
                position += part.count
                guard take(part, time, emit) else { return false }
                if part.count == left {
                    endResponse()
                } else {
                    state = .length(left - part.count)
                }
            case .rest:
                position += bytes.count - offset
                return take(bytes.from(offset), time, emit)
            case .chunk(let left):
                let part = bytes.from(offset).upTo(left)
                offset += part.count
                position += part.count
                guard take(part, time, emit) else { return false }
                state = part.count == left ? .chunkEnd : .chunk(left: left - part.count)
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

    /// Leaves the body unread, because its coding is not understood or its bytes are not of the
    /// coding.
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
            // An FLV file begins with `F`.
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

    /// Whether the request is for HTTP-FLV.
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

    /// Marks the framing as not understood: the following bytes belong to no response until one is
    /// found.
    mutating func lose() {
        state = .lost
        line = []
        text = []
        decoder = nil
        search = ChunkSearch()
        body = .other
        spans.end(at: position)
    }

    /// Finds a response again after a loss, if a packet begins with one; the response belongs to
    /// the latest request.
    private mutating func resume(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.starts(with: "HTTP/1.".utf8), !requests.isEmpty else { return false }
        requests.removeFirst(requests.count - 1)
        requestBytes = requests[0].target.utf8.count
        state = .header
        return true
    }

    private mutating func finishLine(_ time: Int64) {
        switch state {
        case .header:
            // A line may end without its CR (RFC 9112, 2.2).
            guard line.suffix(4) == [0x0D, 0x0A, 0x0D, 0x0A] || line.suffix(2) == [0x0A, 0x0A]
            else { return }
            if !beginBody(time) { lose() }
        case .chunkSize:
            let size = HTTPHead.chunkSize(line)
            line.removeAll(keepingCapacity: true)
            guard let size else { return lose() }
            state = size == 0 ? .trailer : .chunk(left: size)
        case .chunkEnd:
            let isEmpty = line.allSatisfy { $0 == 0x0D || $0 == 0x0A }
            line.removeAll(keepingCapacity: true)
            if isEmpty { state = .chunkSize } else { lose() }
        case .trailer:
            let isEmpty = line.allSatisfy { $0 == 0x0D || $0 == 0x0A }
            line.removeAll(keepingCapacity: true)
            if isEmpty { endResponse() }
        case .length, .rest, .chunk, .seekingChunk, .lost: break
        }
    }

    private mutating func beginBody(_ time: Int64) -> Bool {
        let lines = String(decoding: line, as: UTF8.self).split {
            $0 == "\r\n" || $0 == "\n"
        }
        line.removeAll(keepingCapacity: true)
        guard let status = lines.first?.split(separator: " "), status.count >= 2,
            status[0].hasPrefix("HTTP/1"), let code = Int(status[1])
        else { return false }
        if code / 100 == 1 {
            // This is an interim response, and the final one is still to come.
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
        let fields = HTTPHead.fields(lines.dropFirst())
        beginContents(code, fields)
        if code == 204 || code == 304 || current?.isHead == true {
            endResponse()
        } else if HTTPHead.names(fields["transfer-encoding"]).last == "chunked" {
            state = .chunkSize
        } else if let length = fields["content-length"] {
            // A length that occurs again must have the same value (RFC 9112, 6.3).
            guard let length = HTTPHead.length(length) else { return false }
            if length == 0 { endResponse() } else { state = .length(length) }
        } else {
            state = .rest
        }
        return true
    }

    /// Decides whether and how the body is read.
    private mutating func beginContents(_ code: Int, _ fields: [String: String]) {
        var names = HTTPHead.names(fields["content-encoding"])
        // Transfer codings are applied after content codings.
        names += HTTPHead.names(fields["transfer-encoding"]).filter { $0 != "chunked" }
        names.removeAll { ContentDecoder.isIdentity($0) }
        codings = names.joined(separator: ", ")
        decoder = nil
        body = Self.body(code, current?.target ?? "", fields)
        guard case .undecided = body else { return }
        let wantsStamps = flv.wantsStamps
        flv = FLVDissector()
        flv.wantsStamps = wantsStamps
        guard !names.isEmpty else { return }
        // Pages are coded too: only the bodies of HTTP-FLV requests are decoded or counted.
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

    private static func body(_ code: Int, _ target: String, _ fields: [String: String]) -> Body {
        guard code == 200 else { return .other }
        let kind = HTTPResourceKind(path: HTTPResourceMap.path(target)[...])
        if kind == .playlist || fields["content-type"]?.contains("mpegurl") ?? false {
            return .playlist
        }
        return kind == nil ? .undecided : .other
    }
}
