/// Reads chunk headers and delimits chunk payloads, without keeping a byte of payload
/// (RTMP specification 1.0, section 5.3).
///
/// `ChunkReader` assembles messages on top of it; a load viewer only counts.
public struct ChunkDecoder: Sendable {
    /// One step through the input.
    public struct Step: Hashable, Sendable {
        /// Bytes of input used up, headers included.
        public var consumed: Int
        /// Index of the chunk stream (see `header(at:)`).
        public var stream: Int
        /// Offset in the input at which the payload bytes of this step begin.
        public var payloadOffset: Int
        public var payloadLength: Int
        public var messageBegins: Bool
        public var messageEnds: Bool
    }

    /// The message header in force on a chunk stream.
    public struct Header: Hashable, Sendable {
        public internal(set) var chunkStreamID: UInt32
        public internal(set) var timestamp: UInt32 = 0
        public internal(set) var messageLength = 0
        public internal(set) var type = MessageType(rawValue: 0)
        public internal(set) var messageStreamID: UInt32 = 0
        /// The timestamp field as sent: absolute after type 0, a delta after types 1 and 2.
        var timestampField: UInt32 = 0
        var isExtended = false
        var isAbsolute = true
        /// Payload bytes still to come of the unfinished message.
        var remaining = 0
        var isComplete = true
        var hasHeader = false
    }

    /// Largest number of chunk streams; a peer that opens more is disconnected. Real peers use
    /// fewer than ten.
    public static let chunkStreamLimit = 128

    /// The peer's chunk size, 1…0x7FFFFFFF (section 5.4.1); 128 at the start.
    public private(set) var chunkSize = 128
    private var streams: [Header] = []
    private var current = 0
    /// Bytes left of the current chunk's payload; 0 means that a basic header comes next.
    private var chunkRemaining = 0

    public init() {}

    public func header(at stream: Int) -> Header { streams[stream] }

    /// Applies a Set Chunk Size message. A set top bit or a size of 0 is a protocol error.
    public mutating func setChunkSize(_ size: UInt32) throws(RTMPError) {
        guard size >= 1, size <= 0x7FFF_FFFF else {
            throw RTMPError(.controlMessage, "chunk size \(size) is not in 1…2147483647")
        }
        chunkSize = Int(size)
    }

    /// Applies an Abort message: the partly received message of that chunk stream is dropped.
    /// Returns the stream's index, or nil if there was no such message.
    public mutating func abort(chunkStreamID: UInt32) -> Int? {
        guard let index = streams.firstIndex(where: { $0.chunkStreamID == chunkStreamID }),
            !streams[index].isComplete
        else { return nil }
        streams[index].isComplete = true
        streams[index].remaining = 0
        return index
    }

    /// Reads one step from the start of `bytes`; returns nil if a header is cut off and more bytes
    /// are needed. The caller drops `consumed` bytes after every step.
    public mutating func step(_ bytes: UnsafeRawBufferPointer) throws(RTMPError) -> Step? {
        var headerLength = 0
        var begins = false
        if chunkRemaining == 0 {
            guard let read = try readHeader(bytes) else { return nil }
            (headerLength, begins) = read
        }
        let length = min(chunkRemaining, bytes.count - headerLength)
        chunkRemaining -= length
        streams[current].remaining -= length
        let ends = streams[current].remaining == 0
        if ends {
            streams[current].isComplete = true
            chunkRemaining = 0
        }
        return Step(
            consumed: headerLength + length, stream: current, payloadOffset: headerLength,
            payloadLength: length, messageBegins: begins, messageEnds: ends)
    }

    /// Parses one basic and message header. Returns its length and whether a message begins.
    private mutating func readHeader(
        _ bytes: UnsafeRawBufferPointer
    ) throws(RTMPError) -> (Int, Bool)? {
        guard let first = bytes.first else { return nil }
        let format = first >> 6
        var offset = 1
        var chunkStreamID = UInt32(first & 0x3F)
        if chunkStreamID == 0 {
            guard bytes.count >= 2 else { return nil }
            chunkStreamID = 64 + UInt32(bytes[1])
            offset = 2
        } else if chunkStreamID == 1 {
            guard bytes.count >= 3 else { return nil }
            chunkStreamID = 64 + UInt32(bytes[1]) + UInt32(bytes[2]) << 8
            offset = 3
        }
        // In most cases the chunk belongs to the same stream as the one before it.
        let isCurrent = current < streams.count && streams[current].chunkStreamID == chunkStreamID
        let known =
            isCurrent ? current : streams.firstIndex { $0.chunkStreamID == chunkStreamID }
        var header = known.map { streams[$0] } ?? Header(chunkStreamID: chunkStreamID)
        guard format == 0 || header.hasHeader || format == 1 else {
            throw RTMPError(
                .chunkStream,
                "chunk type \(format) on chunk stream \(chunkStreamID) before any full header")
        }
        let begins = header.isComplete
        if format == 3 {
            guard let used = continueHeader(&header, bytes, offset, begins) else { return nil }
            offset = used
        } else {
            guard begins else {
                throw RTMPError(
                    .chunkStream,
                    "chunk type \(format) on chunk stream \(chunkStreamID) inside a message")
            }
            guard let used = fullHeader(&header, format, bytes, offset) else { return nil }
            offset = used
        }
        if begins {
            header.remaining = header.messageLength
            header.isComplete = header.messageLength == 0
        }
        if let known {
            streams[known] = header
            current = known
        } else {
            guard streams.count < Self.chunkStreamLimit else {
                throw RTMPError(
                    .limitExceeded, "more than \(Self.chunkStreamLimit) chunk streams")
            }
            current = streams.count
            streams.append(header)
        }
        chunkRemaining = min(chunkSize, header.remaining)
        return (offset, begins)
    }

    /// Reads the header of a type 0, 1 or 2 chunk: 11, 7 or 3 bytes, then the extended timestamp if
    /// the timestamp field announces it.
    private func fullHeader(
        _ header: inout Header, _ format: UInt8, _ bytes: UnsafeRawBufferPointer, _ start: Int
    ) -> Int? {
        let size = format == 0 ? 11 : format == 1 ? 7 : 3
        guard bytes.count >= start + size else { return nil }
        var field = bytes.bigEndian24(at: start)
        var offset = start + size
        let isExtended = field == 0xFF_FFFF
        if isExtended {
            guard bytes.count >= offset + 4 else { return nil }
            field = bytes.bigEndian32(at: offset)
            offset += 4
        }
        header.isExtended = isExtended
        header.timestampField = field
        header.isAbsolute = format == 0
        header.timestamp = format == 0 ? field : header.timestamp &+ field
        if format <= 1 {
            header.messageLength = Int(bytes.bigEndian24(at: start + 3))
            header.type = MessageType(rawValue: bytes[start + 6])
        }
        if format == 0 {
            header.messageStreamID = bytes.littleEndian32(at: start + 7)
        }
        header.hasHeader = true
        return offset
    }

    /// Reads the header of a type 3 chunk. If the header in force has an extended timestamp, most
    /// senders (Adobe's, FFmpeg, OBS) repeat that timestamp in every type 3 chunk and some
    /// (rtmpdump) do not. The four bytes are therefore taken as the timestamp only if they carry
    /// its value.
    private func continueHeader(
        _ header: inout Header, _ bytes: UnsafeRawBufferPointer, _ start: Int, _ begins: Bool
    ) -> Int? {
        var offset = start
        if header.isExtended {
            guard bytes.count >= start + 4 else { return nil }
            let value = bytes.bigEndian32(at: start)
            if begins && header.isAbsolute {
                // This chunk begins a new message after a type 0 header, so the field holds the
                // absolute time.
                if value >= header.timestampField, value &- header.timestampField < 0x100_0000 {
                    header.timestampField = value
                    header.timestamp = value
                    offset += 4
                }
                return offset
            }
            if value == header.timestampField || value == header.timestamp { offset += 4 }
        }
        if begins { header.timestamp = header.timestamp &+ header.timestampField }
        return offset
    }
}

extension UnsafeRawBufferPointer {
    @inline(__always)
    func bigEndian24(at offset: Int) -> UInt32 {
        UInt32(self[offset]) << 16 | UInt32(self[offset + 1]) << 8 | UInt32(self[offset + 2])
    }

    @inline(__always)
    func bigEndian32(at offset: Int) -> UInt32 {
        UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inline(__always)
    func littleEndian32(at offset: Int) -> UInt32 {
        UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
