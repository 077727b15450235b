import NIOCore
import RTMP

/// Bytes that a socket has not taken yet. They are slices of batches that all players share.
struct FloorQueue {
    /// Bytes that a part costs besides its own bytes.
    private static let overhead = 256

    private var parts: [ByteBuffer] = []
    private var byteCount = 0

    var isEmpty: Bool { parts.isEmpty }
    /// Cost of everything in the queue, in bytes.
    var cost: Int { byteCount + parts.count * Self.overhead }
    var first: ByteBuffer? { parts.first }

    func hasRoom(for bytes: Int, limit: Int) -> Bool {
        cost + Self.overhead <= limit && bytes <= limit - cost - Self.overhead
    }

    mutating func append(_ part: ByteBuffer) {
        guard part.readableBytes > 0 else { return }
        parts.append(part)
        byteCount += part.readableBytes
    }

    /// Removes the first `count` bytes, which all belong to the first part.
    mutating func advance(by count: Int) {
        guard var part = parts.first else { return }
        let taken = min(max(0, count), part.readableBytes)
        part.moveReaderIndex(forwardBy: taken)
        byteCount -= taken
        if part.readableBytes == 0 {
            parts.removeFirst()
        } else {
            parts[0] = part
        }
    }
}

/// One connection of a floor sender.
final class FloorConnection {
    enum Phase {
        case handshake(ServerHandshake)
        case session
        /// Everything that comes is dropped.
        case publishing
        /// Index of the stream, and the player's place among the stream's players.
        case playing(stream: Int, place: Int)
    }

    /// Longest command; the reader refuses a longer one at its first chunk.
    private static let commandLimit = 64 << 10

    let descriptor: Int32
    /// Index of the connection in its loop's table.
    let slot: Int
    var phase = Phase.handshake(ServerHandshake())
    var session: ServerSessionStateMachine
    var reader = ChunkReader()
    var queue = FloorQueue()
    /// Whether the loop waits until the socket takes more.
    var awaitsRoom = false
    var isOpen = true

    init(descriptor: Int32, slot: Int, chunkSize: Int) {
        self.descriptor = descriptor
        self.slot = slot
        session = ServerSessionStateMachine(configuration: .init(chunkSize: chunkSize))
        reader.messageLimit = Self.commandLimit
    }

    /// Whether the peer's bytes are still commands.
    var isNegotiating: Bool {
        switch phase {
        case .handshake, .session: isOpen
        case .publishing, .playing: false
        }
    }
}

/// A player as the loop of sends sees it.
struct FloorPlayer {
    let descriptor: Int32
    /// Index of the player's connection.
    let slot: Int
    /// Whether earlier bytes wait for the socket.
    var isBehind: Bool
    /// Whether the next batch for the player begins with a key frame.
    var awaitsBeginning = true
    /// Whether the player has got media, so that what it does not get is dropped.
    var hasBegun = false
}
