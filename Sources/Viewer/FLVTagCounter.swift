import Media

/// Walks the bytes of an FLV stream without keeping media: file header, tags (Adobe FLV 10.1, E).
struct FLVTagCounter {
    private(set) var videoBytes = 0
    private(set) var audioBytes = 0
    private(set) var videoMessages = 0
    private(set) var audioMessages = 0

    private enum State {
        case fileHeader
        case tagHeader
        case payload(type: UInt8, left: Int)
        /// Number of bytes to skip: another tag, or the size that follows each tag.
        case skip(Int)
    }

    private var state = State.fileHeader
    /// Bytes so far of a header that is not complete yet.
    private var header: [UInt8] = []
    private static let fileHeaderSize = 9
    private static let tagHeaderSize = 11

    /// Processes the next bytes of the stream, all of them.
    /// - Throws: `ViewerError` if the bytes are not FLV.
    mutating func consume(_ bytes: UnsafeRawBufferPointer) throws {
        var offset = 0
        while offset < bytes.count {
            let left = bytes.count - offset
            switch state {
            case .fileHeader, .tagHeader:
                let size: Int
                if case .fileHeader = state {
                    size = Self.fileHeaderSize
                } else {
                    size = Self.tagHeaderSize
                }
                let part = min(size - header.count, left)
                header.append(contentsOf: bytes[offset..<offset + part])
                offset += part
                guard header.count == size else { return }
                try takeHeader()
                header.removeAll(keepingCapacity: true)
            case .payload(let type, let size):
                let part = min(size, left)
                offset += part
                count(type, part, ends: part == size)
                state = part == size ? .skip(4) : .payload(type: type, left: size - part)
            case .skip(let size):
                let part = min(size, left)
                offset += part
                state = part == size ? .tagHeader : .skip(size - part)
            }
        }
    }

    private mutating func takeHeader() throws {
        if case .fileHeader = state {
            let offset = header[5..<9].reduce(0) { $0 << 8 | Int($1) }
            guard header.starts(with: [0x46, 0x4C, 0x56]) else {
                let shown = header.map { (0x20...0x7E).contains($0) ? $0 : 0x2E }
                throw ViewerError(
                    description:
                        "the answer's body is not FLV: it begins with '\(String(decoding: shown, as: UTF8.self))'"
                )
            }
            guard (Self.fileHeaderSize...FLVReader.maximumHeaderSize).contains(offset) else {
                throw ViewerError(
                    description: "the FLV header says that tags begin at byte \(offset)")
            }
            // The skip includes the first size field, which belongs to no tag.
            state = .skip(offset - Self.fileHeaderSize + 4)
            return
        }
        let size = header[1..<4].reduce(0) { $0 << 8 | Int($1) }
        // The two reserved bits are not part of the type. A filtered tag is encrypted, so it does
        // not count as media.
        let type = header[0] & 0x20 == 0 ? header[0] & 0x1F : 0
        state =
            size == 0 || (type != 8 && type != 9)
            ? .skip(size + 4) : .payload(type: type, left: size)
    }

    private mutating func count(_ type: UInt8, _ bytes: Int, ends: Bool) {
        if type == 8 {
            audioBytes += bytes
            if ends { audioMessages += 1 }
        } else {
            videoBytes += bytes
            if ends { videoMessages += 1 }
        }
    }
}
