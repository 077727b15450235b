/// Reads the responses of one HTTP/1.1 connection from its bytes (RFC 9112), sans-IO.
///
/// A body may be delimited by Content-Length, by chunks (with extensions and trailers) or by the
/// end of the connection. Bodies are handed on as they arrive and never kept; a head is kept until
/// it is complete.
public struct HTTPResponseReader: Sendable {
    /// A response's head, part of its body, or its end.
    public enum Event {
        case head(HTTPResponseHead)
        /// Offsets into the bytes that were given.
        case body(Range<Int>)
        case end
    }

    /// Reason why a response cannot be read.
    public struct Fault: Error, Hashable, CustomStringConvertible {
        public var reason: String
        public var description: String { reason }

        public init(reason: String) { self.reason = reason }
    }

    /// Longest head in bytes; a longer one is an error.
    public static let headLimit = 32_768

    private enum State {
        case head, body
        /// The server has changed the protocol (status 101), so nothing more is read.
        case foreign
    }

    private var state = State.head
    /// Framing of the body; it counts only while a body is read.
    private var framing = HTTPBodyFraming(.bytes(0))
    /// Bytes of the head that have arrived.
    private var line: [UInt8] = []

    /// Whether no byte has come since the end of the previous response.
    public var isBetweenResponses: Bool {
        state == .head && line.isEmpty
    }

    public init() {}

    /// Number of bytes of the body that may be discarded unread; 0 if they must be read.
    public var discardable: Int { remaining ?? 0 }

    /// Records that `count` bytes of the body were discarded; at most `discardable`.
    /// - Returns: Whether the response has ended.
    public mutating func discarded(_ count: Int) -> Bool {
        guard state == .body, let left = framing.remaining else { return false }
        guard left > count, framing.skip(count) else {
            state = .head
            return true
        }
        return false
    }

    /// Number of bytes until the response ends; nil if it is not known.
    public var remaining: Int? {
        state == .body ? framing.remaining : nil
    }

    /// Records that the peer has closed the connection.
    /// - Returns: True if this ends a response whose head gave no length.
    public mutating func closed() -> Bool {
        guard state == .body, framing.endsWithConnection else { return false }
        state = .head
        return true
    }

    /// Reads the next bytes of the connection and passes the events to `take` in order.
    /// - Throws: `Fault`, or an error of `take`; nothing can be read afterwards.
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
                // Other 1xx responses precede the final response (RFC 9110, 15.2) and are skipped.
                guard head.status >= 200 else { continue }
                framing = HTTPBodyFraming(head.bodyLength)
                state = .body
                try take(.head(head))
                try receiveBody(bytes, &at, take)
            case .body: try receiveBody(bytes, &at, take)
            case .foreign: return
            }
        }
    }

    /// Reads the body to the end of `bytes` or of the body.
    private mutating func receiveBody(
        _ bytes: UnsafeRawBufferPointer, _ at: inout Int, _ take: (Event) throws -> Void
    ) throws {
        while let event = try framing.next(bytes, &at) {
            switch event {
            case .body(let range): try take(.body(range))
            case .end:
                state = .head
                return try take(.end)
            }
        }
    }

    /// Appends bytes to `line` up to the end of the head. Returns false if more bytes are needed.
    private mutating func readHead(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws -> Bool
    {
        while at < bytes.count {
            // Empty lines before a response are skipped, as RFC 9112, 2.2, asks for requests.
            if line.isEmpty, bytes[at] == 0x0D || bytes[at] == 0x0A {
                at += 1
                continue
            }
            // The first bytes come one by one, and then whole lines, of which none is longer than
            // the limit allows.
            let most = line.count < 5 ? 1 : Self.headLimit + 1 - line.count
            let piece = bytes[at..<min(at + most, bytes.count)]
            let end = piece.firstIndex(of: 0x0A).map { $0 + 1 } ?? piece.endIndex
            line.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[at..<end]))
            at = end
            if isHeadComplete { return true }
            // Another protocol is an error after 5 bytes, and not only at `headLimit`.
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

    /// Whether an empty line has ended the head. Lines end with LF or CRLF.
    private var isHeadComplete: Bool {
        let count = line.count
        guard count >= 2, line[count - 1] == 0x0A else { return false }
        if line[count - 2] == 0x0A { return true }
        return count >= 3 && line[count - 2] == 0x0D && line[count - 3] == 0x0A
    }
}
