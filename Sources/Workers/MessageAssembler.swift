import Processes

/// Divides messages between runner and workers that are too long for one line into pieces, and
/// joins the pieces again.
///
/// A short message is one line. A longer message (such as the viewers of a large plan, or the
/// frames that probes saw) is divided: the last piece begins with `=`, and each other piece begins
/// with `+`. No JSON object begins with these characters. The type has no input or output of its
/// own.
struct MessageAssembler {
    enum Outcome: Hashable {
        case message([UInt8])
        /// The message is incomplete; more pieces follow.
        case partial
        case tooLong
    }

    /// Number of bytes in a piece, far below `LineReader.maximumLineBytes`.
    static let pieceBytes = 1 << 20
    /// Maximum number of bytes in a whole message, and the most that a reader keeps.
    static let messageLimit = 256 << 20
    static let tooLongWords =
        "a message of more than \(messageLimit >> 20) MiB, or a line of more than "
        + "\(LineReader.maximumLineBytes >> 20) MiB"

    private static let more = UInt8(ascii: "+")
    private static let last = UInt8(ascii: "=")

    private let limit: Int
    private var pending: [UInt8] = []

    /// - Parameter limit: Maximum number of bytes in a message.
    init(limit: Int = messageLimit) { self.limit = limit }

    /// Returns the lines of a message, each with its line end. `message` must not contain a line
    /// feed.
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
