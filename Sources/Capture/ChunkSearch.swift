import HTTPWire

/// Finds HTTP/1.1 chunk framing again after bytes that were not captured.
///
/// A size line is accepted only if the next size line follows at the end of its chunk.
struct ChunkSearch {
    enum Result: Equatable {
        /// More bytes are needed.
        case waiting
        /// The contents of a chunk begin at `offset` and have `size` bytes.
        case found(offset: Int, size: Int)
        /// The search has taken too many bytes.
        case failed
    }

    /// Largest number of bytes held during a search; a longer chunk is not found again.
    static let limit = 512 << 10

    private(set) var bytes: [UInt8] = []
    private var position = 0

    mutating func append(_ more: UnsafeRawBufferPointer) -> Result {
        bytes.append(contentsOf: more)
        while position < bytes.count {
            switch sizeLine(at: position) {
            case .waiting: return bytes.count > Self.limit ? .failed : .waiting
            case .failed: position += 1
            case .found(let offset, let size):
                switch sizeLine(at: offset + size) {
                case .waiting: return bytes.count > Self.limit ? .failed : .waiting
                case .failed: position += 1
                case .found: return .found(offset: offset, size: size)
                }
            }
        }
        return bytes.count > Self.limit ? .failed : .waiting
    }

    /// Reads the end of a chunk and the size line of the next one: CR LF, hexadecimal digits,
    /// perhaps an extension, CR LF.
    private func sizeLine(at start: Int) -> Result {
        guard start + 2 <= bytes.count else {
            return start < bytes.count && bytes[start] != 0x0D ? .failed : .waiting
        }
        guard bytes[start] == 0x0D, bytes[start + 1] == 0x0A else { return .failed }
        let line = bytes[(start + 2)...].prefix(64)
        guard let end = line.firstIndex(of: 0x0A) else {
            let isText = line.allSatisfy { (0x20...0x7E).contains($0) || $0 == 0x0D || $0 == 0x09 }
            return isText && line.count < 64 ? .waiting : .failed
        }
        guard end > start + 2, bytes[end - 1] == 0x0D,
            let size = HTTPBodyFraming.chunkSize(line[..<(end - 1)]), size > 0, size <= Self.limit
        else { return .failed }
        return .found(offset: end + 1, size: size)
    }
}
