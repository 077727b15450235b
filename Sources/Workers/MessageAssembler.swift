import Processes

/// Messages between runner and workers that are too long for a line, in pieces.
///
/// A short message is a line of its own. A longer one (the viewers of a large plan, the frames
/// that probes saw one by one) is cut: each piece but the last begins with `+`, the last with
/// `=`. No JSON object begins so. Pure.
struct MessageAssembler {
    enum Outcome: Hashable {
        case message([UInt8])
        /// More pieces are to come.
        case partial
        case tooLong
    }

    /// Bytes of a piece, far below `LineReader.maximumLineBytes`.
    static let pieceBytes = 1 << 20
    /// Bytes of a whole message: what a reader keeps at most.
    static let messageLimit = 256 << 20
    static let tooLongWords =
        "a message of more than \(messageLimit >> 20) MiB, or a line of more than "
        + "\(LineReader.maximumLineBytes >> 20) MiB"

    private static let more = UInt8(ascii: "+")
    private static let last = UInt8(ascii: "=")

    private let limit: Int
    private var pending: [UInt8] = []

    /// - Parameter limit: bytes of a message at most.
    init(limit: Int = messageLimit) { self.limit = limit }

    /// The lines of a message, each with its line end. `message` must not hold a line feed.
    static func lines(of message: [UInt8], pieceBytes: Int = pieceBytes) -> [UInt8] {
        guard message.count > pieceBytes else { return message + [0x0A] }
        var result: [UInt8] = []
        result.reserveCapacity(message.count + 2 * (message.count / pieceBytes + 1))
        var start = 0
        while start < message.count {
            let end = min(start + pieceBytes, message.count)
            result.append(end == message.count ? last : more)
            result += message[start..<end]
            result.append(0x0A)
            start = end
        }
        return result
    }

    /// Takes a line without its line end.
    mutating func receive(_ line: [UInt8]) -> Outcome {
        guard let mark = line.first, mark == Self.more || mark == Self.last else {
            pending = []
            return line.count <= limit ? .message(line) : .tooLong
        }
        guard pending.count + line.count - 1 <= limit else {
            pending = []
            return .tooLong
        }
        pending += line.dropFirst()
        guard mark == Self.last else { return .partial }
        defer { pending = [] }
        return .message(pending)
    }
}
