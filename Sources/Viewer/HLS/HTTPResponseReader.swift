/// Reads the responses of one HTTP/1.1 connection from its bytes (RFC 9112), sans-IO.
///
/// Heads are kept up to `headLimit`; bodies are handed on as they come and never kept.
struct HTTPResponseReader {
    struct Head: Hashable {
        var status = 0
        /// nil where the length is not told.
        var contentLength: Int?
        var isChunked = false
        /// The connection takes another request afterwards.
        var keepsAlive = true
        var location: String?
        /// Seconds of Retry-After.
        var retryAfter: Int?
        /// Of the head itself.
        var byteCount = 0
        /// When an embedded origin published the resource: its CLOCK_MONOTONIC, ns.
        var published: Int64?

        var isSuccess: Bool { (200..<300).contains(status) }
    }

    enum Event {
        case head(Head)
        /// Offsets into the bytes that were given.
        case body(Range<Int>)
        case end
    }

    /// A response that cannot be read.
    struct Fault: Error, Hashable { var reason: String }

    static let headLimit = 16_384
    private static let chunkLineLimit = 1024
    static let mostBodyBytes = 1 << 40

    private enum State {
        case head
        case body(left: Int)
        case untilClose
        case chunkSize, chunk(left: Int), chunkEnd, trailer
    }

    private var state = State.head
    private var line: [UInt8] = []

    /// Whether a response has begun and not ended.
    private(set) var isInside = false

    /// Bytes of the body that may be thrown away unread; 0 where they must be looked at.
    var discardable: Int {
        if case .body(let left) = state { left } else { 0 }
    }

    /// `count` bytes of the body were thrown away; at most `discardable`.
    /// - Returns: whether the response has ended.
    mutating func discarded(_ count: Int) -> Bool {
        guard case .body(let left) = state else { return false }
        guard left > count else {
            finish()
            return true
        }
        state = .body(left: left - count)
        return false
    }

    /// Bytes until the response ends, if that is known.
    var remaining: Int? {
        if case .body(let left) = state { left } else { nil }
    }

    private mutating func finish() {
        state = .head
        isInside = false
        line.removeAll(keepingCapacity: true)
    }

    /// The peer has closed the connection.
    /// - Returns: true where that ends a response whose length was not told.
    mutating func closed() -> Bool {
        guard case .untilClose = state else { return false }
        finish()
        return true
    }

    /// Reads on; events come in order.
    /// - Throws: `Fault`; nothing can be read afterwards.
    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, _ take: (Event) throws -> Void
    ) throws {
        var at = 0
        while at < bytes.count {
            switch state {
            case .head:
                guard try readHead(bytes, &at) else { return }
                let head = try parseHead()
                line.removeAll(keepingCapacity: true)
                // 1xx comes before the response proper.
                guard head.status >= 200 else { continue }
                isInside = true
                begin(head)
                try take(.head(head))
                if case .body(0) = state {
                    finish()
                    try take(.end)
                }
            case .body(let left):
                let count = min(left, bytes.count - at)
                try take(.body(at..<at + count))
                at += count
                if count == left {
                    finish()
                    try take(.end)
                } else {
                    state = .body(left: left - count)
                }
            case .untilClose:
                try take(.body(at..<bytes.count))
                at = bytes.count
            case .chunkSize:
                guard try readLine(bytes, &at) else { return }
                let size = try chunkSize()
                state = size == 0 ? .trailer : .chunk(left: size)
            case .chunk(let left):
                let count = min(left, bytes.count - at)
                try take(.body(at..<at + count))
                at += count
                state = count == left ? .chunkEnd : .chunk(left: left - count)
            case .chunkEnd:
                guard try readLine(bytes, &at) else { return }
                guard line.isEmpty else { throw Fault(reason: "a chunk is longer than it says") }
                state = .chunkSize
            case .trailer:
                guard try readLine(bytes, &at) else { return }
                guard line.isEmpty else {
                    line.removeAll(keepingCapacity: true)
                    continue
                }
                finish()
                try take(.end)
            }
        }
    }

    private mutating func begin(_ head: Head) {
        if head.status == 204 || head.status == 304 {
            state = .body(left: 0)
        } else if head.isChunked {
            state = .chunkSize
        } else if let length = head.contentLength {
            state = .body(left: length)
        } else {
            state = .untilClose
        }
    }

    /// Appends to `line` up to and with the empty line.
    private mutating func readHead(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws -> Bool
    {
        while at < bytes.count {
            line.append(bytes[at])
            at += 1
            if line.last == 0x0A, line.count >= 2 {
                let end = line.suffix(4)
                if end.elementsEqual([13, 10, 13, 10]) || end.suffix(2).elementsEqual([10, 10]) {
                    return true
                }
            }
            guard line.count <= Self.headLimit else {
                throw Fault(reason: "the response's head is longer than \(Self.headLimit) bytes")
            }
        }
        return false
    }

    /// Fills `line` with the next line, without its end.
    private mutating func readLine(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws -> Bool
    {
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            if byte == 0x0A {
                if line.last == 0x0D { line.removeLast() }
                return true
            }
            line.append(byte)
            guard line.count <= Self.chunkLineLimit else {
                throw Fault(reason: "a chunk's head is longer than \(Self.chunkLineLimit) bytes")
            }
        }
        return false
    }

    private mutating func chunkSize() throws -> Int {
        let digits = line.prefix { $0 != 0x3B && $0 != 0x20 }
        defer { line.removeAll(keepingCapacity: true) }
        guard !digits.isEmpty, digits.count <= 10,
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw Fault(reason: "the size of a chunk cannot be read") }
        return size
    }

    private func parseHead() throws -> Head {
        let text = String(decoding: line, as: UTF8.self)
        var lines = text.split(whereSeparator: \.isNewline).makeIterator()
        let start = (lines.next() ?? "").split(separator: " ", maxSplits: 2)
        guard start.count >= 2, start[0].hasPrefix("HTTP/1."), let status = Int(start[1]),
            (100...999).contains(status)
        else {
            throw Fault(reason: "the answer is no HTTP response: '\(text.prefix(40))'")
        }
        var head = Head(status: status)
        head.byteCount = line.count
        head.keepsAlive = start[0] != "HTTP/1.0"
        while let field = lines.next() {
            guard let colon = field.firstIndex(of: ":") else { continue }
            let value = field[field.index(after: colon)...].trimmed
            switch field[..<colon].lowercased() {
            case "content-length":
                guard let length = Int(value), (0...Self.mostBodyBytes).contains(length) else {
                    throw Fault(reason: "the Content-Length '\(value)' is no length")
                }
                head.contentLength = length
            case "transfer-encoding":
                head.isChunked = value.lowercased().hasSuffix("chunked")
            case "connection":
                if value.lowercased() == "close" { head.keepsAlive = false }
                if value.lowercased() == "keep-alive" { head.keepsAlive = true }
            case "location": head.location = String(value)
            case "retry-after": head.retryAfter = Int(value)
            case "millrace-published": head.published = Int64(value)
            default: break
            }
        }
        return head
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
