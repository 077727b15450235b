/// Reads the responses of one HTTP/1.1 connection from its bytes (RFC 9112), sans-IO.
///
/// Bodies by Content-Length, chunked (with extensions and trailers) or up to the connection's end
/// are handed on as they come and never kept; heads are kept up to `headLimit`.
public struct HTTPResponseReader: Sendable {
    public enum Event {
        case head(HTTPResponseHead)
        /// Offsets into the bytes that were given.
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

    private enum State {
        case head
        case body(HTTPBodyFraming)
        /// Another protocol follows (101, or an answer to CONNECT): nothing is read any more.
        case foreign
    }

    private var state = State.head
    /// The head so far.
    private var line: [UInt8] = []

    /// Whether nothing has come since the last response's end.
    public var isBetweenResponses: Bool {
        if case .head = state { line.isEmpty } else { false }
    }

    public init() {}

    /// Bytes of the body that may be thrown away unread; 0 where they must be looked at.
    public var discardable: Int { remaining ?? 0 }

    /// `count` bytes of the body were thrown away; at most `discardable`.
    /// - Returns: whether the response has ended.
    public mutating func discarded(_ count: Int) -> Bool {
        guard case .body(var framing) = state, let left = framing.remaining else { return false }
        guard left > count, framing.skip(count) else {
            state = .head
            return true
        }
        state = .body(framing)
        return false
    }

    /// Bytes until the response ends, if that is known.
    public var remaining: Int? {
        if case .body(let framing) = state { framing.remaining } else { nil }
    }

    /// The peer has closed the connection.
    /// - Returns: true where that ends a response whose length was not told.
    public mutating func closed() -> Bool {
        guard case .body(let framing) = state, framing.endsWithConnection else { return false }
        state = .head
        return true
    }

    /// Reads on; events come in order.
    /// - Throws: `Fault`, or what `take` throws; nothing can be read afterwards.
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
                // Other 1xx come before the response proper (RFC 9110, 15.2).
                guard head.status >= 200 else { continue }
                state = .body(HTTPBodyFraming(head.bodyLength))
                try take(.head(head))
                try receiveBody(bytes, &at, take)
            case .body: try receiveBody(bytes, &at, take)
            case .foreign: return
            }
        }
    }

    /// Reads on in a body, as far as there are bytes or to its end.
    private mutating func receiveBody(
        _ bytes: UnsafeRawBufferPointer, _ at: inout Int, _ take: (Event) throws -> Void
    ) throws {
        guard case .body(var framing) = state else { return }
        while let event = try framing.next(bytes, &at) {
            switch event {
            case .body(let range): try take(.body(range))
            case .end:
                state = .head
                return try take(.end)
            }
        }
        state = .body(framing)
    }

    /// Appends to `line` up to and with the empty line.
    private mutating func readHead(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws -> Bool
    {
        while at < bytes.count {
            // Empty lines before a response are passed over (RFC 9112, 2.2).
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
            // What is no HTTP is told at once, not after a whole head's worth of it.
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
}
