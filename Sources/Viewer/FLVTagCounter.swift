import Media

/// Walks an HTTP-FLV response without keeping media: HTTP head, FLV header, tags.
struct FLVTagCounter {
    private(set) var videoBytes = 0
    private(set) var audioBytes = 0
    private(set) var videoMessages = 0
    private(set) var audioMessages = 0

    private enum State {
        case head
        case fileHeader
        case tagHeader
        /// Payload (or, for other tags and the previous tag's size, plain skipping).
        case payload(type: UInt8, left: Int)
        case skip(Int)
    }

    private var state = State.head
    /// An HTTP response head longer than this is refused.
    static let headLimit = 16 << 10

    /// Reads on; returns how many bytes were used. The rest must come again in front of the next.
    mutating func consume(_ bytes: UnsafeRawBufferPointer) throws -> Int {
        var offset = 0
        while offset < bytes.count {
            let left = bytes.count - offset
            switch state {
            case .head:
                guard
                    let length = try Self.headLength(
                        UnsafeRawBufferPointer(rebasing: bytes[offset...]))
                else { return offset }
                offset += length
                state = .fileHeader
            case .fileHeader:
                guard left >= 9 else { return offset }
                guard bytes[offset] == 0x46, bytes[offset + 1] == 0x4C, bytes[offset + 2] == 0x56
                else {
                    throw ViewerError(description: "the response is not FLV (chunked framing?)")
                }
                // A header may be longer than we know; PreviousTagSize0 follows it.
                let length = bytes[offset + 5..<offset + 9].reduce(0) { $0 << 8 | Int($1) }
                guard (9...FLVReader.maximumHeaderSize).contains(length) else {
                    throw ViewerError(
                        description: "the FLV header claims \(length) bytes; it has 9")
                }
                state = .skip(length + 4)
            case .tagHeader:
                guard left >= 11 else { return offset }
                let size =
                    Int(bytes[offset + 1]) << 16 | Int(bytes[offset + 2]) << 8
                    | Int(bytes[offset + 3])
                // A filtered tag is encrypted: nobody counts it as media.
                let type = bytes[offset] & 0x20 == 0 ? bytes[offset] & 0x1F : 0
                state = size == 0 ? .skip(4) : .payload(type: type, left: size)
                offset += 11
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
        return offset
    }

    private mutating func count(_ type: UInt8, _ bytes: Int, ends: Bool) {
        switch type {
        case 8:
            audioBytes += bytes
            if ends { audioMessages += 1 }
        case 9:
            videoBytes += bytes
            if ends { videoMessages += 1 }
        default: break
        }
    }

    /// Length of the response head with its blank line; nil while it is cut off.
    static func headLength(_ bytes: UnsafeRawBufferPointer) throws -> Int? {
        let limit = min(bytes.count, headLimit)
        var end = 3
        while end < limit {
            if bytes[end] == 10, bytes[end - 1] == 13, bytes[end - 2] == 10, bytes[end - 3] == 13 {
                let line = String(decoding: bytes.prefix { $0 != 13 }, as: UTF8.self)
                let parts = line.split(separator: " ", maxSplits: 2)
                guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), parts[1] == "200" else {
                    throw ViewerError(description: "the server answered '\(line)'")
                }
                return end + 1
            }
            end += 1
        }
        guard bytes.count < headLimit else {
            throw ViewerError(description: "the response head is longer than \(headLimit) bytes")
        }
        return nil
    }
}
