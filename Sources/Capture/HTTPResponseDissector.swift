/// Follows the responses in the server's direction of an HTTP/1.1 connection (RFC 9112): finds FLV
/// bodies, reads playlists, and tells which bytes belong to which request.
struct HTTPResponseDissector {
    struct Request {
        var target: String
        var isHead: Bool
        var isInWindow: Bool
    }

    private enum State {
        case header
        case length(Int)
        /// To the connection's end.
        case rest
        case chunkSize
        case chunk(left: Int)
        case chunkEnd
        case trailer
        /// Waits for bytes that look like a response.
        case lost
    }

    private enum Body {
        case undecided
        case flv
        case playlist
        case other
    }

    /// Requests without a response so far; more than a server would let wait.
    static let requestLimit = 1_024
    static let playlistLimit = 1 << 20

    private var state = State.header
    private var body = Body.other
    private var line: [UInt8] = []
    private var text: [UInt8] = []
    private var requests: [Request] = []
    private var current: Request?
    private var flv = FLVDissector()
    /// Stream offset of the next byte.
    private(set) var position = 0
    private var spans = HTTPResponseSpans()
    private let server: String
    private let table: HTTPTable?

    var wantsStamps: Bool {
        get { flv.wantsStamps }
        set { flv.wantsStamps = newValue }
    }

    var retainedBytes: Int { line.count + text.count + flv.retainedBytes }

    /// - Parameters:
    ///   - server: keeps equal paths of two servers apart.
    ///   - table: nil = responses are not attributed.
    init(server: String = "", table: HTTPTable? = nil) {
        self.server = server
        self.table = table
    }

    /// - Parameter time: of capture.
    mutating func requested(_ target: String, isHead: Bool, time: Int64) {
        guard requests.count < Self.requestLimit else { return }
        requests.append(
            Request(
                target: target, isHead: isHead, isInWindow: table?.isInWindow(time) ?? true))
    }

    /// Attributes a captured packet, after its bytes were received.
    mutating func account(_ packet: HTTPResponseSpans.Packet) {
        guard let table else { return }
        spans.account(packet, known: position, table)
    }

    /// The server has ended the connection.
    mutating func closed() {
        if case .rest = state { endResponse() }
        if let table { spans.settle(table) }
    }

    /// The client has: where it had read all, it would have ended in order.
    mutating func reset() { spans.spoil() }

    /// Nothing more comes, or is followed. What goes on is not whole.
    mutating func finish() {
        spans.end(at: position)
        if case .rest = state { endResponse() }
        if let table { spans.finish(table) }
    }

    /// Takes the next bytes in order. False where an FLV body is none, and nothing else can follow.
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
                if line.last == 0x0A { finishLine(time) }
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
            case .lost:
                position += bytes.count - offset
                return true
            }
        }
        return true
    }

    /// Passes over missing bytes. False where an FLV body cannot be followed any more.
    mutating func gap(_ length: Int) -> Bool {
        position += length
        text = []
        spans.spoil()
        if case .playlist = body { body = .other }
        func flvGoesOn() -> Bool {
            if case .flv = body { flv.gap(length) } else { true }
        }
        switch state {
        case .length(let left) where length <= left:
            if length == left { endResponse() } else { state = .length(left - length) }
            return flvGoesOn()
        case .rest: return flvGoesOn()
        case .chunk(let left) where length < left:
            state = .chunk(left: left - length)
            return flvGoesOn()
        default:
            if case .flv = body { return false }
            lose()
            return true
        }
    }

    private mutating func take(
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
        guard let table else { return }
        spans.begin(
            at: position,
            entry: isFLV ? nil : table.entry(target: current?.target, server: server), table)
    }

    /// Whether the request asks for HTTP-FLV, by its path or as nginx-http-flv-module's do.
    private var isFLV: Bool {
        guard let target = current?.target else { return false }
        return HTTPResourceMap.path(target).hasSuffix(".flv")
            || target.split(separator: "?", maxSplits: 1).dropFirst().first?
                .split(separator: "&").contains { $0.hasPrefix("stream=") } ?? false
    }

    private mutating func endResponse() {
        if case .playlist = body, let current, let table {
            table.map.learn(text, target: current.target, server: server)
        }
        text = []
        body = .other
        state = .header
        spans.complete(
            at: position,
            seconds: current.flatMap { table?.map.duration(of: $0.target, server: server) } ?? 0)
    }

    /// The framing is not understood; what follows belongs to nobody until a response is found.
    private mutating func lose() {
        state = .lost
        line = []
        text = []
        body = .other
        spans.end(at: position)
    }

    /// After a loss a response is found again where a packet begins with one; it answers the latest
    /// request.
    private mutating func resume(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.starts(with: "HTTP/1.".utf8), !requests.isEmpty else { return false }
        requests.removeFirst(requests.count - 1)
        state = .header
        return true
    }

    private mutating func finishLine(_ time: Int64) {
        switch state {
        case .header:
            guard line.suffix(4) == [0x0D, 0x0A, 0x0D, 0x0A] else { return }
            if !beginBody(time) { lose() }
        case .chunkSize:
            let digits = line.prefix { $0 != 0x0D && $0 != 0x0A && $0 != 0x3B && $0 != 0x20 }
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
            line.removeAll(keepingCapacity: true)
            guard let size, size >= 0, size <= 1 << 40 else { return lose() }
            state = size == 0 ? .trailer : .chunk(left: size)
        case .chunkEnd:
            let isEmpty = line.allSatisfy { $0 == 0x0D || $0 == 0x0A }
            line.removeAll(keepingCapacity: true)
            if isEmpty { state = .chunkSize } else { lose() }
        case .trailer:
            let isEmpty = line.allSatisfy { $0 == 0x0D || $0 == 0x0A }
            line.removeAll(keepingCapacity: true)
            if isEmpty { endResponse() }
        case .length, .rest, .chunk, .lost: break
        }
    }

    private mutating func beginBody(_ time: Int64) -> Bool {
        let lines = String(decoding: line, as: UTF8.self).split(separator: "\r\n")
        line.removeAll(keepingCapacity: true)
        guard let status = lines.first?.split(separator: " "), status.count >= 2,
            status[0].hasPrefix("HTTP/1"), let code = Int(status[1])
        else { return false }
        if code / 100 == 1 {
            // The answer itself is still to come.
            if let current { requests.insert(current, at: 0) }
            return true
        }
        if let table, !isFLV {
            table.began(
                table.entry(target: current?.target, server: server), status: code, time: time)
            if code == 200 || code == 206, current.map({ $0.isInWindow && !$0.isHead }) ?? false {
                spans.count(isRange: code == 206)
            }
        }
        var fields: [String: String] = [:]
        for field in lines.dropFirst() {
            let parts = field.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let value = parts[1].drop { $0 == " " || $0 == "\t" }
            fields[parts[0].lowercased()] = value.lowercased()
        }
        body = Self.body(code, current?.target ?? "", fields)
        if case .undecided = body {
            let wantsStamps = flv.wantsStamps
            flv = FLVDissector()
            flv.wantsStamps = wantsStamps
        }
        if code == 204 || code == 304 || current?.isHead == true {
            endResponse()
        } else if fields["transfer-encoding"]?.hasSuffix("chunked") ?? false {
            state = .chunkSize
        } else if let length = fields["content-length"] {
            guard let length = Int(length), length >= 0 else { return false }
            if length == 0 { endResponse() } else { state = .length(length) }
        } else {
            state = .rest
        }
        return true
    }

    private static func body(_ code: Int, _ target: String, _ fields: [String: String]) -> Body {
        guard code == 200 else { return .other }
        let kind = HTTPResourceKind(path: HTTPResourceMap.path(target)[...])
        if kind == .playlist || fields["content-type"]?.contains("mpegurl") ?? false {
            // A compressed one cannot be read.
            return fields["content-encoding"].map { $0 == "identity" } ?? true ? .playlist : .other
        }
        return kind == nil ? .undecided : .other
    }
}
