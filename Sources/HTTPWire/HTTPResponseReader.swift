/// Reads the responses of one HTTP/1.1 connection from its bytes (RFC 9112), sans-IO.
///
/// Bodies by Content-Length, chunked bodies (with extensions and trailers) and bodies up to the
/// connection's end are handed on as they arrive and never kept; heads are kept up to `headLimit`.
public struct HTTPResponseReader: Sendable {
    public enum Event {
        case head(HTTPResponseHead)
        /// Part of a body; the offsets refer to the bytes that the caller passed.
        case body(Range<Int>)
        case end
    }

    /// A response that cannot be read.
    public struct Fault: Error, Hashable, CustomStringConvertible {
        public var reason: String
        public var description: String { reason }

        public init(reason: String) { self.reason = reason }
    }

    public static let headLimit = 32_768
    private static let chunkLineLimit = 4096
    private static let trailerLimit = 16_384
    static let mostBodyBytes = 1 << 60

    private enum State {
        case head
        case body(left: Int)
        case untilClose
        case chunkSize, chunk(left: Int), chunkEnd, trailer
        /// Another protocol follows (101, or an answer to CONNECT), and the reader reads no more.
        case foreign
    }

    private var state = State.head
    private var line: [UInt8] = []
    private var trailerBytes = 0

    /// Whether a response has begun and not ended.
    public private(set) var isInside = false

    /// Whether nothing has arrived since the last response's end.
    public var isBetweenResponses: Bool {
        if case .head = state { line.isEmpty } else { false }
    }

    public init() {}

    /// Number of bytes of the body that may be discarded unread; 0 if the bytes must be read.
    public var discardable: Int {
        if case .body(let left) = state { left } else { 0 }
    }

    /// Counts `count` bytes of the body that were discarded, at most `discardable`.
    /// - Returns: Whether the response has ended.
    public mutating func discarded(_ count: Int) -> Bool {
        guard case .body(let left) = state else { return false }
        guard left > count else {
            finish()
            return true
        }
        state = .body(left: left - count)
        return false
    }

    /// Bytes until the response ends, if that is known.
    public var remaining: Int? {
        if case .body(let left) = state { left } else { nil }
    }

    private mutating func finish() {
        state = .head
        isInside = false
        line.removeAll(keepingCapacity: true)
    }

    /// Ends the reading because the peer has closed the connection.
    /// - Returns: True if the close ends a response without a stated length.
    public mutating func closed() -> Bool {
        guard case .untilClose = state else { return false }
        finish()
        return true
    }

    /// Reads more bytes; events come in order.
    /// - Throws: `Fault`, or the error that `take` throws; nothing can be read afterwards.
    public mutating func receive(
        _ bytes: UnsafeRawBufferPointer, _ take: (Event) throws -> Void
    ) throws {
        var at = 0
        while at < bytes.count {
            switch state {
            case .head:
                guard try readHead(bytes, &at) else { return }
                let head = try HTTPResponseHead(parsing: line)
                line.removeAll(keepingCapacity: true)
                guard head.status != 101 else {
                    state = .foreign
                    throw Fault(reason: "the server answers 101 and changes the protocol")
                }
                // Other 1xx responses come before the final response (RFC 9110, 15.2).
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
                trailerBytes = 0
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
                    trailerBytes += line.count
                    guard trailerBytes <= Self.trailerLimit else {
                        throw Fault(
                            reason: "the trailer is longer than \(Self.trailerLimit) bytes")
                    }
                    line.removeAll(keepingCapacity: true)
                    continue
                }
                finish()
                try take(.end)
            case .foreign: return
            }
        }
    }

    private mutating func begin(_ head: HTTPResponseHead) {
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

    /// Appends to `line` up to and including the empty line.
    private mutating func readHead(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws -> Bool
    {
        while at < bytes.count {
            // Empty lines before a response are skipped (RFC 9112, 2.2).
            if line.isEmpty, bytes[at] == 0x0D || bytes[at] == 0x0A {
                at += 1
                continue
            }
            line.append(bytes[at])
            at += 1
            if line.last == 0x0A {
                let end = line.suffix(4)
                if end.elementsEqual([13, 10, 13, 10]) || end.suffix(2).elementsEqual([10, 10])
                    || end.suffix(3).elementsEqual([10, 13, 10])
                {
                    return true
                }
            }
            // Bytes that are not HTTP are refused at once, and not only after the length of a whole
            // head.
            if line.count == 5, !line.elementsEqual("HTTP/".utf8) {
                let shown = String(
                    decoding: line + bytes[at..<min(bytes.count, at + 30)], as: UTF8.self)
                throw Fault(
                    reason: "the answer is no HTTP/1 response: '\(shown.printable)'")
            }
            guard line.count <= Self.headLimit else {
                throw Fault(reason: "the response's head is longer than \(Self.headLimit) bytes")
            }
        }
        return false
    }

    /// Fills `line` with the next line, without its line end.
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
        // An extension may follow the size, with blanks before it (RFC 9112, 7.1.1).
        let digits = line.prefix { $0 != 0x3B && $0 != 0x20 && $0 != 0x09 }
        defer { line.removeAll(keepingCapacity: true) }
        guard !digits.isEmpty,
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 16),
            (0...Self.mostBodyBytes).contains(size), digits.first != 0x2B, digits.first != 0x2D
        else {
            let shown = String(decoding: line.prefix(40), as: UTF8.self).printable
            throw Fault(reason: "the size of a chunk cannot be read: '\(shown)'")
        }
        return size
    }
}
