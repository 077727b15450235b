/// Where the body of one HTTP/1.1 response ends: by its length, by its chunks or with the
/// connection (RFC 9112, 6 and 7). Bodies are never kept, only told by their places.
public struct HTTPBodyFraming: Sendable {
    /// What the head says of the body's end.
    public enum Length: Hashable, Sendable {
        case bytes(Int)
        case chunked
        case untilClose
    }

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

    /// The largest body and the largest chunk, bytes.
    public static let sizeLimit = 1 << 60
    private static let chunkLineLimit = 4096
    private static let trailerLimit = 16_384

    private var state: State
    /// A line that is not whole yet: of a chunk's head or end, or of the trailer.
    private var line: [UInt8] = []
    private var trailerBytes = 0

    public init(_ length: Length) {
        switch length {
        case .bytes(let count): state = .bytes(left: max(0, count))
        case .chunked: state = .chunkSize
        case .untilClose: state = .untilClose
        }
    }

    /// Goes on inside of a chunk of which `left` bytes are to come.
    public init(insideChunk left: Int) { state = .chunk(left: max(0, left)) }

    // MARK: What is known

    public var hasEnded: Bool {
        if case .ended = state { true } else { false }
    }

    public var endsWithConnection: Bool {
        if case .untilClose = state { true } else { false }
    }

    /// Whether the body comes in chunks, and more of them may follow.
    public var expectsChunks: Bool {
        switch state {
        case .chunkSize, .chunk, .chunkEnd: true
        case .bytes, .untilClose, .trailer, .ended: false
        }
    }

    /// Bytes until the body ends, if that is known.
    public var remaining: Int? {
        if case .bytes(let left) = state { left } else { nil }
    }

    /// Bytes that are kept of a line.
    public var retainedBytes: Int { line.count }

    // MARK: Bytes

    /// Reads on from `at`, which is moved behind what was read.
    /// - Returns: the next event; nil where more bytes are needed, or the body has ended.
    /// - Throws: where the bytes are no such framing; nothing can be read afterwards.
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

    /// Passes over bytes that nobody has seen.
    /// - Returns: false where they are more than the body, or the chunk, is known to have.
    public mutating func skip(_ count: Int) -> Bool {
        switch state {
        case .bytes(let left) where count <= left: state = .bytes(left: left - count)
        case .chunk(let left) where count < left: state = .chunk(left: left - count)
        case .untilClose: break
        default: return false
        }
        return true
    }

    /// At most `limit` bytes from `at` on; nil where there is none.
    private static func part(
        _ limit: Int, _ bytes: UnsafeRawBufferPointer, _ at: inout Int
    ) -> Range<Int>? {
        let count = min(limit, bytes.count - at)
        guard count > 0 else { return nil }
        defer { at += count }
        return at..<at + count
    }

    // MARK: Lines

    /// Fills `line` with the next line, without its end.
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
                // Nothing is left, which `next` then tells.
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

    /// The size that a chunk's first line says, which is given without its end: hexadecimal digits,
    /// then perhaps blanks and an extension (RFC 9112, 7.1.1). Servers that pad the size in front
    /// are met, too. nil for what is no size.
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
