/// Follows an FLV stream (FLV 10.1, annex E) over gaps, without keeping payloads.
struct FLVDissector {
    private enum State {
        case fileHeader
        case skip(Int)
        case tagHeader
        case payload(left: Int)
        /// The dissector looks for a tag after a gap.
        case searching
    }

    /// Largest number of bytes held during the search for a tag; a longer tag is not found again.
    static let searchLimit = 1 << 20
    /// Largest distance, in milliseconds, from the last tag's time at which a tag is accepted.
    static let timeLimit: UInt32 = 60_000

    private var state = State.fileHeader
    private var carry: [UInt8] = []
    private var assembly = MessageAssembly()
    private var type: UInt8 = 0
    private var timestamp: UInt32 = 0
    private var nalUnitLengthSize = 4
    var wantsStamps = false

    private var searched = 0
    /// Number of searches for a tag.
    private(set) var searches = 0

    var retainedBytes: Int { assembly.prefix.count + carry.count }

    /// Reads the next bytes in order. Returns false if they are not FLV.
    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, time: Int64, emit: (MediaMessage) -> Void
    ) -> Bool {
        var offset = 0
        while true {
            switch state {
            case .fileHeader:
                guard fill(9, bytes, &offset) else { return true }
                let size = carry[5..<9].reduce(0) { $0 << 8 | Int($1) }
                guard carry.starts(with: [0x46, 0x4C, 0x56]), (9...1024).contains(size) else {
                    return false
                }
                carry.removeAll(keepingCapacity: true)
                state = .skip(size - 9 + 4)
            case .skip(let left):
                let used = min(left, bytes.count - offset)
                offset += used
                guard used == left else {
                    state = .skip(left - used)
                    return true
                }
                state = .tagHeader
            case .tagHeader:
                guard fill(11, bytes, &offset) else { return true }
                guard beginTag() else { return false }
            case .payload(let left):
                let part = bytes.from(offset).upTo(left)
                offset += part.count
                assembly.append(part)
                guard part.count == left else {
                    state = .payload(left: left - part.count)
                    return true
                }
                finishTag(time, emit)
            case .searching:
                carry.append(contentsOf: bytes.from(offset))
                offset = bytes.count
                guard let start = findTag() else { return carry.count <= Self.searchLimit }
                let rest = Array(carry[start...])
                carry = []
                state = .tagHeader
                // The arrival time of these bytes is no longer known, so no message of them counts.
                return rest.withUnsafeBytes { receive($0, time: time) { _ in } }
            }
        }
    }

    /// Skips missing bytes: in place if they lie within one tag's payload, else by a search for a
    /// later tag. Returns false if nothing was understood before.
    mutating func gap(_ length: Int) -> Bool {
        if case .payload(let left) = state, length < left {
            assembly.isSpoiled = true
            state = .payload(left: left - length)
            return true
        }
        return beginSearch()
    }

    /// Begins the search for a tag from the next byte on. Returns false before the first tag.
    mutating func beginSearch() -> Bool {
        guard type != 0 else { return false }
        state = .searching
        carry = []
        searched = 0
        searches += 1
        return true
    }

    /// Position of a tag in the bytes kept: a header with a size that is repeated behind its
    /// payload, followed by another tag's type.
    private mutating func findTag() -> Int? {
        carry.withUnsafeBytes { bytes in
            while searched + 16 <= bytes.count {
                let start = searched
                if let size = tagSize(bytes.from(start)) {
                    let end = start + 11 + size
                    guard let again = bytes.read(UInt32.self, at: end),
                        let next = bytes.read(UInt8.self, at: end + 4)
                    else { return nil }
                    if Int(again) == 11 + size, next == 8 || next == 9 || next == 18 {
                        return start
                    }
                }
                searched += 1
            }
            return nil
        }
    }

    /// Size of the tag if `bytes` may begin with its header, else nil.
    private func tagSize(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard let word = bytes.read(UInt32.self, at: 0), let time = bytes.read(UInt32.self, at: 4),
            let last = bytes.read(UInt32.self, at: 7)
        else { return nil }
        let kind = word >> 24
        let size = Int(word & 0xFF_FFFF)
        // The field holds three bytes of time, then its upper byte, and a stream ID of 0.
        let stamp = time >> 8 | (time & 0xFF) << 24
        guard kind == 8 || kind == 9 || kind == 18, last & 0xFF_FFFF == 0, size > 0,
            size < Self.searchLimit / 2,
            Int32(bitPattern: stamp &- timestamp).magnitude < Self.timeLimit
        else { return nil }
        return size
    }

    private mutating func fill(
        _ count: Int, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int
    ) -> Bool {
        let part = bytes.from(offset).upTo(count - carry.count)
        carry.append(contentsOf: part)
        offset += part.count
        return carry.count == count
    }

    private mutating func beginTag() -> Bool {
        type = carry[0] & 0x1F
        guard type == 8 || type == 9 || type == 18 else { return false }
        let size = carry[1..<4].reduce(0) { $0 << 8 | Int($1) }
        timestamp = carry[4..<7].reduce(UInt32(carry[7])) { $0 << 8 | UInt32($1) }
        carry.removeAll(keepingCapacity: true)
        assembly.begin(prefixLimit: MessageAssembly.mediaPrefixLimit)
        state = .payload(left: size)
        return true
    }

    private mutating func finishTag(_ time: Int64, _ emit: (MediaMessage) -> Void) {
        state = .skip(4)
        guard type != 18,
            var message = assembly.message(
                isVideo: type == 9, timestamp: timestamp, nalUnitLengthSize: &nalUnitLengthSize,
                wantsStamp: wantsStamps)
        else { return }
        message.time = time
        emit(message)
    }
}
