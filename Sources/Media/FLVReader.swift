public import NIOCore

/// An incremental FLV decoder: it takes bytes and returns tags, however the bytes are split (FLV
/// 10.1, annex E).
///
/// The decoder skips what the format tells readers to skip: tags of reserved types, reserved bits
/// and everything that a longer file header holds. Payloads are slices of the appended buffers if
/// possible. After an error the reader throws the same error on every call, because FLV has no
/// means to find the next tag.
public struct FLVReader: Sendable {
    /// The largest DataOffset accepted in the file header; version 1 files have 9.
    public static let maximumHeaderSize = 1 << 20

    private enum State {
        case fileHeader
        case skipping(bytes: Int)
        case tag
        case failed(MediaError)
    }

    /// The largest tag body accepted, in bytes.
    public let maximumTagSize: Int
    /// The header's TypeFlagsAudio; `nil` until the header has been read.
    public private(set) var hasAudio: Bool?
    /// The header's TypeFlagsVideo; `nil` until the header has been read.
    public private(set) var hasVideo: Bool?
    /// Number of tags of reserved types, which were skipped.
    public private(set) var skippedTags = 0
    private var state = State.fileHeader
    private var buffer = ByteBuffer()

    /// - Parameter maximumTagSize: Largest tag body in bytes; the format's own limit is 16 MiB − 1.
    public init(maximumTagSize: Int = 0xFF_FFFF) {
        self.maximumTagSize = maximumTagSize
    }

    /// Number of bytes held that do not make up a whole tag yet.
    public var bufferedBytes: Int { buffer.readableBytes }

    /// Adds the next bytes of the stream.
    public mutating func append(_ bytes: ByteBuffer) {
        if case .failed = state { return }
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// Returns the next whole tag, or `nil` if more bytes are needed.
    /// - Throws: `MediaError`: `.notFLV` or `.tooLarge`.
    public mutating func next() throws -> FLVTag? {
        do {
            return try step()
        } catch let error as MediaError {
            state = .failed(error)
            buffer = ByteBuffer()
            throw error
        }
    }

    private mutating func step() throws -> FLVTag? {
        while true {
            switch state {
            case .failed(let error):
                throw error
            case .fileHeader:
                guard try readFileHeader() else { return nil }
            case .skipping(let bytes):
                let skipped = min(bytes, buffer.readableBytes)
                buffer.moveReaderIndex(forwardBy: skipped)
                state = skipped == bytes ? .tag : .skipping(bytes: bytes - skipped)
                if skipped < bytes { return nil }
            case .tag:
                if let tag = try readTag() { return tag }
                if case .tag = state { return nil }
            }
        }
    }

    private mutating func readFileHeader() throws -> Bool {
        let signature: [UInt8] = [0x46, 0x4C, 0x56]
        let seen = buffer.readableBytesView.prefix(3)
        guard seen.elementsEqual(signature.prefix(seen.count)) else {
            throw MediaError(.notFLV, "the bytes do not start with 'FLV'")
        }
        guard let header = buffer.getBytes(at: buffer.readerIndex, length: 9) else { return false }
        guard header[3] == 1 else {
            throw MediaError(.notFLV, "FLV version \(header[3]) is not 1")
        }
        let offset = header[5..<9].reduce(0) { $0 << 8 | Int($1) }
        guard (9...Self.maximumHeaderSize).contains(offset) else {
            throw MediaError(.notFLV, "DataOffset \(offset) is not in 9…\(Self.maximumHeaderSize)")
        }
        hasAudio = header[4] & 0x04 != 0
        hasVideo = header[4] & 0x01 != 0
        // PreviousTagSize0 follows the file header.
        state = .skipping(bytes: offset + 4)
        return true
    }

    /// Reads the next tag. Returns nil, with the state changed, if the tag is to be skipped.
    private mutating func readTag() throws -> FLVTag? {
        let start = buffer.readerIndex
        guard let flags: UInt8 = buffer.getInteger(at: start) else { return nil }
        guard let sizeWord: UInt32 = buffer.getInteger(at: start),
            let timeWord: UInt32 = buffer.getInteger(at: start + 4)
        else { return nil }
        let size = Int(sizeWord & 0xFF_FFFF)
        guard let type = FLVTagType(rawValue: flags & 0x1F) else {
            skippedTags += 1
            state = .skipping(bytes: 11 + size + 4)
            return nil
        }
        guard size <= maximumTagSize else {
            throw MediaError(
                .tooLarge, "a tag of \(size) bytes exceeds the limit of \(maximumTagSize)")
        }
        guard let payload = buffer.getSlice(at: start + 11, length: size) else { return nil }
        buffer.moveReaderIndex(forwardBy: 11 + size)
        // PreviousTagSize repeats a known length; some writers get it wrong, so it is not checked.
        state = .skipping(bytes: 4)
        return FLVTag(
            type: type, timestamp: timeWord >> 8 | timeWord << 24, payload: payload,
            isFiltered: flags & 0x20 != 0)
    }
}
