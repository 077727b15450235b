/// Finds the end of one HTTP/1.1 response's body: by its length, by its chunks or by the end of the
/// connection (RFC 9112, 6 and 7). Bodies are never kept; events give their offsets.
public struct HTTPBodyFraming: Sendable {
    /// The way in which the head delimits the body.
    public enum Length: Hashable, Sendable {
        case bytes(Int)
        case chunked
        case untilClose
    }

    /// Part of a body, or its end.
    public enum Event: Hashable, Sendable {
        /// Offsets into the bytes that were given.
        case body(Range<Int>)
        case end
    }

    private enum State {
        case bytes(left: Int)
        case untilClose
        case chunkSize, chunk(left: Int), chunkEnd, trailer
        case ended
    }

    /// Largest body and largest chunk, in bytes.
    public static let sizeLimit = 1 << 60
    private static let chunkLineLimit = 4096
    private static let trailerLimit = 16_384

    private var state: State
    /// Bytes of an incomplete line: a chunk's head or end, or a line of the trailer.
    private var line: [UInt8] = []
    private var trailerBytes = 0

    public init(_ length: Length) {
        switch length {
        case .bytes(let count): state = .bytes(left: max(0, count))
        case .chunked: state = .chunkSize
        case .untilClose: state = .untilClose
        }
    }

    /// Continues inside a chunk that has `left` bytes to come.
    public init(insideChunk left: Int) { state = .chunk(left: max(0, left)) }

    // MARK: State

    public var hasEnded: Bool {
        if case .ended = state { true } else { false }
    }

    /// Whether only the end of the connection ends the body.
    public var endsWithConnection: Bool {
        if case .untilClose = state { true } else { false }
    }

    /// Whether the body comes in chunks and more chunks may follow.
    public var expectsChunks: Bool {
        switch state {
        case .chunkSize, .chunk, .chunkEnd: true
        case .bytes, .untilClose, .trailer, .ended: false
        }
    }

    /// Number of bytes until the body ends; nil if it is not known.
    public var remaining: Int? {
        if case .bytes(let left) = state { left } else { nil }
    }

    /// Number of bytes kept of an incomplete line.
    public var retainedBytes: Int { line.count }

    // MARK: Bytes

    /// Reads `bytes` from offset `at`, and moves `at` to the first byte that was not read.
    /// - Returns: The next event; nil if more bytes are needed or the body has ended.
    /// - Throws: `Fault` if the bytes do not have this framing; nothing can be read afterwards.
    public mutating func next(
        _ bytes: UnsafeRawBufferPointer, _ at: inout Int
    ) throws(HTTPResponseReader.Fault) -> Event? {
        while true {
            switch state {
            case .ended: return nil
            case .bytes(left: 0):
                state = .ended
                return .end
            case .bytes(let left):
                guard let part = Self.part(left, bytes, &at) else { return nil }
                state = .bytes(left: left - part.count)
                return .body(part)
            case .untilClose: return Self.part(.max, bytes, &at).map { .body($0) }
            case .chunk(left: 0): state = .chunkEnd
            case .chunk(let left):
                guard let part = Self.part(left, bytes, &at) else { return nil }
                state = .chunk(left: left - part.count)
                return .body(part)
            case .chunkSize, .chunkEnd, .trailer:
                guard try readLine(bytes, &at) else { return nil }
                try takeLine()
            }
        }
    }

    /// Skips `count` bytes that were not seen.
    /// - Returns: False if they may reach beyond the body or the contents of the chunk, or lie in a
    ///   line.
    public mutating func skip(_ count: Int) -> Bool {
        switch state {
        case .bytes(let left) where count <= left: state = .bytes(left: left - count)
        case .chunk(let left) where count <= left: state = .chunk(left: left - count)
        case .untilClose: break
        default: return false
        }
        return true
    }

    /// Takes at most `limit` bytes from offset `at`; nil if there are none.
    private static func part(
        _ limit: Int, _ bytes: UnsafeRawBufferPointer, _ at: inout Int
    ) -> Range<Int>? {
        let count = min(limit, bytes.count - at)
        guard count > 0 else { return nil }
        defer { at += count }
        return at..<at + count
    }

    // MARK: Lines

    /// Appends bytes to `line` up to the end of the line, which is left out. Returns false if more
    /// bytes are needed.
    private mutating func readLine(
        _ bytes: UnsafeRawBufferPointer, _ at: inout Int
    ) throws(HTTPResponseReader.Fault) -> Bool {
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            if byte == 0x0A {
                if line.last == 0x0D { line.removeLast() }
                return true
            }
            line.append(byte)
            guard line.count <= Self.chunkLineLimit else {
                throw .init(reason: "a chunk's head is longer than \(Self.chunkLineLimit) bytes")
            }
        }
        return false
    }

    private mutating func takeLine() throws(HTTPResponseReader.Fault) {
        defer { line.removeAll(keepingCapacity: true) }
        switch state {
        case .chunkSize:
            guard let size = Self.chunkSize(line) else {
                let shown = String(decoding: line.prefix(40), as: UTF8.self).printable
                throw .init(reason: "the size of a chunk cannot be read: '\(shown)'")
            }
            trailerBytes = 0
            state = size == 0 ? .trailer : .chunk(left: size)
        case .chunkEnd:
            guard line.isEmpty else { throw .init(reason: "a chunk is longer than it says") }
            state = .chunkSize
        case .trailer:
            guard !line.isEmpty else {
                // No bytes are left, so `next` reports the end.
                state = .bytes(left: 0)
                return
            }
            trailerBytes += line.count
            guard trailerBytes <= Self.trailerLimit else {
                throw .init(reason: "the trailer is longer than \(Self.trailerLimit) bytes")
            }
        case .bytes, .untilClose, .chunk, .ended: break
        }
    }

    /// Reads the size in a chunk's first line: hexadecimal digits, then perhaps blanks and an
    /// extension (RFC 9112, 7.1.1). Blanks before the size are skipped, because some servers send
    /// them.
    /// - Parameter line: The line without its end.
    /// - Returns: The size in bytes; nil if the line has no valid size.
    public static func chunkSize(_ line: some Collection<UInt8>) -> Int? {
        let start = line.drop { $0 == 0x20 || $0 == 0x09 }
        let digits = start.prefix { $0 != 0x3B && $0 != 0x20 && $0 != 0x09 }
        guard let first = digits.first, first != 0x2B, first != 0x2D,
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 16),
            (0...sizeLimit).contains(size)
        else { return nil }
        return size
    }
}
