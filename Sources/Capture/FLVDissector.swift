/// Follows an FLV stream (FLV 10.1, annex E) over gaps, without keeping payloads.
struct FLVDissector {
    private enum State {
        case fileHeader
        case skip(Int)
        case tagHeader
        case payload(left: Int)
    }

    private var state = State.fileHeader
    private var carry: [UInt8] = []
    private var assembly = MessageAssembly()
    private var type: UInt8 = 0
    private var timestamp: UInt32 = 0
    private var nalUnitLengthSize = 4
    var wantsStamps = false

    var retainedBytes: Int { assembly.prefix.count }

    /// Takes the next bytes in order. False where they are no FLV.
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
            }
        }
    }

    /// Passes over missing bytes where they lie within one tag's payload; false otherwise.
    mutating func gap(_ length: Int) -> Bool {
        guard case .payload(let left) = state, length < left else { return false }
        assembly.isSpoiled = true
        state = .payload(left: left - length)
        return true
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
