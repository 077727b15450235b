import NIOCore
import RTMP

/// Follows one direction of an RTMP chunk stream over gaps, without keeping payloads.
///
/// After a gap that ends inside the payload of one chunk, the dissector continues exactly there.
/// Otherwise it searches for a type 0 or 1 header that fits a chunk stream which has carried media
/// before.
struct ChunkDissector {
    enum Output {
        case media(MediaMessage)
        case command(Command, messageStreamID: UInt32)
    }

    /// Longest command or aggregate that is read, in bytes; a longer one is skipped.
    static let keptLimit = 256 << 10
    /// Largest number of bytes kept of all unfinished messages together.
    static let retainedLimit = 1 << 20
    /// Number of bytes that are searched for a header before the flow is given up.
    static let searchLimit = 16 << 20

    private var decoder = ChunkDecoder()
    private var assemblies: [MessageAssembly] = []
    private var remaining: [Int] = []
    private var current = 0
    private var chunkLeft = 0
    private var carry: [UInt8] = []
    private var profiles: [ChunkStreamProfile] = []
    private var searched: Int?
    private var nalUnitLengthSize = 4
    private var hasResynchronized = false
    var wantsStamps = false
    private(set) var retainedBytes = 0
    /// Number of times that the decoder found nonsense or that a search began.
    private(set) var resynchronizations = 0

    /// Reads the next bytes in order. Returns false if the flow cannot be followed further.
    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, time: Int64, emit: (Output) -> Void
    ) -> Bool {
        var offset = 0
        if !carry.isEmpty {
            // A header was cut: a few bytes complete it, and the rest is read in place.
            let joined = carry + bytes.upTo(64)
            let taken = joined.count - carry.count
            let carried = carry.count
            carry = []
            guard let used = joined.withUnsafeBytes({ consume($0, time, emit) }) else {
                return false
            }
            if used < carried {
                carry = Array(joined[used...])
                guard taken < bytes.count else { return true }
                return receive(bytes.from(taken), time: time, emit: emit)
            }
            offset = used - carried
        }
        guard let used = consume(bytes.from(offset), time, emit) else { return false }
        let rest = bytes.from(offset + used)
        if rest.count > 0 { carry = Array(rest) }
        return true
    }

    /// Skips `length` missing bytes.
    mutating func gap(_ length: Int, time: Int64) -> Bool {
        let skipped = carry.isEmpty && searched == nil ? min(length, chunkLeft) : 0
        if skipped > 0 { skip(skipped, time) }
        return skipped == length || beginSearch()
    }

    /// Consumes steps or searches. Returns the number of bytes used, or nil if the flow is lost.
    private mutating func consume(
        _ bytes: UnsafeRawBufferPointer, _ time: Int64, _ emit: (Output) -> Void
    ) -> Int? {
        var offset = 0
        while offset < bytes.count {
            if searched != nil {
                guard let used = search(bytes.from(offset)) else { return nil }
                offset += used
                if searched != nil { return offset }
                continue
            }
            let rest = bytes.from(offset)
            let step: ChunkDecoder.Step?
            do {
                step = try decoder.step(rest)
            } catch {
                guard beginSearch() else { return nil }
                offset += 1
                continue
            }
            guard let step else { return offset }
            guard take(step, rest, time, emit) else {
                guard beginSearch() else { return nil }
                offset += max(1, step.payloadOffset)
                continue
            }
            offset += step.consumed
        }
        return offset
    }

    /// Returns false if the step makes no sense, which can be determined only after a
    /// resynchronisation.
    private mutating func take(
        _ step: ChunkDecoder.Step, _ bytes: UnsafeRawBufferPointer, _ time: Int64,
        _ emit: (Output) -> Void
    ) -> Bool {
        let stream = step.stream
        while assemblies.count <= stream {
            assemblies.append(MessageAssembly())
            remaining.append(0)
        }
        current = stream
        if step.messageBegins {
            remaining[stream] = decoder.header(at: stream).messageLength
        }
        if step.payloadOffset > 0 { chunkLeft = min(decoder.chunkSize, remaining[stream]) }
        chunkLeft -= step.payloadLength
        remaining[stream] -= step.payloadLength
        if step.messageBegins {
            let header = decoder.header(at: stream)
            retainedBytes -= assemblies[stream].prefix.count
            let limit = retainedBytes < Self.retainedLimit ? Self.prefixLimit(header.type) : 0
            assemblies[stream].begin(prefixLimit: limit)
            if hasResynchronized, !isPlausible(header) { return false }
        }
        let before = assemblies[stream].prefix.count
        assemblies[stream].append(bytes.from(step.payloadOffset).upTo(step.payloadLength))
        retainedBytes += assemblies[stream].prefix.count - before
        if step.messageEnds {
            chunkLeft = 0
            finish(stream, time, emit)
        }
        return true
    }

    private static func prefixLimit(_ type: MessageType) -> Int {
        switch type {
        case .audio, .video: MessageAssembly.mediaPrefixLimit
        case .commandAMF0, .commandAMF3, .aggregate: keptLimit
        case .setChunkSize, .abort: 16
        default: 0
        }
    }

    private mutating func finish(_ stream: Int, _ time: Int64, _ emit: (Output) -> Void) {
        let header = decoder.header(at: stream)
        let assembly = assemblies[stream]
        switch header.type {
        case .audio, .video:
            guard
                var message = assembly.message(
                    isVideo: header.type == .video, timestamp: header.timestamp,
                    nalUnitLengthSize: &nalUnitLengthSize, wantsStamp: wantsStamps)
            else { return }
            message.messageStreamID = header.messageStreamID
            message.time = time
            remember(header, assembly.prefix)
            emit(.media(message))
        case .setChunkSize, .abort:
            guard assembly.isWhole, assembly.length >= 4 else { return }
            let value = assembly.prefix.withUnsafeBytes { $0.integer(UInt32.self, at: 0) }
            if header.type == .setChunkSize {
                try? decoder.setChunkSize(value)
            } else if let index = decoder.abort(chunkStreamID: value), index < remaining.count {
                remaining[index] = 0
            }
        case .commandAMF0, .commandAMF3, .aggregate:
            guard assembly.isWhole else { return }
            let message = Message(
                chunkStreamID: header.chunkStreamID, timestamp: header.timestamp,
                type: header.type, messageStreamID: header.messageStreamID,
                payload: ByteBuffer(bytes: assembly.prefix))
            if header.type == .aggregate {
                split(message, time, emit)
            } else if let command = try? Command(message) {
                emit(.command(command, messageStreamID: header.messageStreamID))
            }
        default: break
        }
    }

    private mutating func split(_ message: Message, _ time: Int64, _ emit: (Output) -> Void) {
        guard let parts = try? message.split() else { return }
        for part in parts where part.type == .audio || part.type == .video {
            var assembly = MessageAssembly()
            assembly.begin(prefixLimit: MessageAssembly.mediaPrefixLimit)
            part.payload.withUnsafeReadableBytes { assembly.append($0) }
            guard
                var media = assembly.message(
                    isVideo: part.type == .video, timestamp: part.timestamp,
                    nalUnitLengthSize: &nalUnitLengthSize, wantsStamp: wantsStamps)
            else { continue }
            media.messageStreamID = message.messageStreamID
            media.time = time
            emit(.media(media))
        }
    }
}

extension ChunkDissector {
    private static let zeros = [UInt8](repeating: 0, count: 64 << 10)

    /// Feeds zeros for missing payload bytes of the current chunk.
    private mutating func skip(_ length: Int, _ time: Int64) {
        var left = length
        while left > 0, chunkLeft > 0 {
            let part = min(left, chunkLeft, Self.zeros.count)
            left -= part
            assemblies[current].isSpoiled = true
            Self.zeros.withUnsafeBytes {
                if let step = try? decoder.step($0.upTo(part)) {
                    _ = take(step, $0.upTo(part), time) { _ in }
                }
            }
        }
    }

    private mutating func beginSearch() -> Bool {
        guard !profiles.isEmpty else { return false }
        if chunkLeft > 0 { skip(chunkLeft, 0) }
        for profile in profiles { _ = decoder.abort(chunkStreamID: profile.chunkStreamID) }
        var stream = 0
        while stream < remaining.count {
            if remaining[stream] > 0 {
                _ = decoder.abort(chunkStreamID: decoder.header(at: stream).chunkStreamID)
                remaining[stream] = 0
            }
            stream += 1
        }
        chunkLeft = 0
        carry = []
        searched = searched ?? 0
        resynchronizations += 1
        return true
    }

    /// Looks for a header. Returns the number of bytes skipped, or nil if the search has taken too
    /// long.
    private mutating func search(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var offset = 0
        let last = bytes.count - ChunkStreamProfile.longestMatch
        while offset <= last {
            if profiles.contains(where: { $0.matches(bytes, at: offset) }) {
                searched = nil
                hasResynchronized = true
                return offset
            }
            offset += 1
        }
        let total = (searched ?? 0) + offset
        searched = total
        return total > Self.searchLimit ? nil : offset
    }

    private mutating func remember(_ header: ChunkDecoder.Header, _ prefix: [UInt8]) {
        guard header.chunkStreamID < 64, prefix.count >= 2 else { return }
        let profile = ChunkStreamProfile(
            chunkStreamID: header.chunkStreamID, isVideo: header.type == .video,
            messageStreamID: header.messageStreamID, timestamp: header.timestamp,
            firstByte: prefix[0])
        if let index = profiles.firstIndex(where: {
            $0.chunkStreamID == profile.chunkStreamID && $0.isVideo == profile.isVideo
        }) {
            profiles[index] = profile
        } else if profiles.count < 8 {
            profiles.append(profile)
        }
    }

    private func isPlausible(_ header: ChunkDecoder.Header) -> Bool {
        switch header.type.rawValue {
        case 1...6: header.messageLength <= 18
        case 8, 9: profiles.contains { $0.chunkStreamID == header.chunkStreamID }
        case 15...20, 22: header.messageLength <= 1 << 20
        default: false
        }
    }
}

/// Properties of the messages of a chunk stream that carries media.
struct ChunkStreamProfile {
    /// Number of bytes in the longest match: 12 of header, 4 of extended timestamp, 2 of payload.
    static let longestMatch = 18
    /// Longest message, in bytes, that a search accepts.
    static let lengthLimit: UInt32 = 4 << 20

    var chunkStreamID: UInt32
    var isVideo: Bool
    var messageStreamID: UInt32
    var timestamp: UInt32
    var firstByte: UInt8

    /// Whether a type 0 or 1 header of this chunk stream and two bytes of payload lie at `offset`.
    /// - Precondition: `longestMatch` bytes follow.
    func matches(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        let first = bytes[offset]
        guard UInt32(first & 0x3F) == chunkStreamID, first >> 6 <= 1,
            bytes[offset + 7] == (isVideo ? 9 : 8)
        else { return false }
        let length = bytes.integer(UInt32.self, at: offset + 3) & 0xFF_FFFF
        guard (2...Self.lengthLimit).contains(length) else { return false }
        var time = bytes.integer(UInt32.self, at: offset) & 0xFF_FFFF
        var payload = offset + 8
        if first >> 6 == 0 {
            guard bytes.integer(UInt32.self, at: offset + 8, bigEndian: false) == messageStreamID
            else { return false }
            payload = offset + 12
            if time == 0xFF_FFFF {
                time = bytes.integer(UInt32.self, at: payload)
                payload += 4
            }
            guard Int32(bitPattern: time &- timestamp).magnitude < 60_000 else { return false }
        } else {
            guard time < 10_000 else { return false }
        }
        let mask: UInt8 = isVideo ? 0x0F : 0xFF
        guard (bytes[payload] ^ firstByte) & mask == 0 else { return false }
        // The packet type of AVC is 0, 1 or 2, that of AAC 0 or 1.
        return bytes[payload + 1] <= 2 || firstByte & 0x80 != 0 && isVideo
    }
}
