import NIOCore
import RTMP
import TestSupport
import Testing

/// A target of pushed streams that accepts one stream, and reads media only when the test says so.
final class StalledTarget {
    private let listener = try? ScriptedOrigin()
    let port: Int
    private var socket: TCPSocket?
    private var random = SystemRandomNumberGenerator()
    private var handshake: ServerHandshake? = ServerHandshake()
    private var session = ServerSessionStateMachine()
    private var reader = ChunkReader()

    init() throws { port = try #require(listener).port }

    /// Accepts the connection and the stream.
    func accept() async throws {
        socket = try await #require(listener).accept().socket
        while let bytes = try await socket?.receive() {
            if try await receive(bytes) { return }
        }
        Issue.record("the server has closed the connection")
    }

    /// Returns whether the stream was accepted.
    private func receive(_ bytes: ByteBuffer) async throws -> Bool {
        var bytes = bytes
        if var handshake {
            switch try handshake.receive(bytes, using: &random) {
            case .pending(let reply):
                self.handshake = handshake
                try await socket?.send(reply)
                return false
            case .done(let reply, let rest):
                self.handshake = nil
                try await socket?.send(reply)
                bytes = rest
            }
        }
        reader.append(bytes)
        while let message = try reader.next() {
            for action in try session.receive(message) {
                switch action {
                case .write(let reply): try await socket?.send(reply)
                case .publishRequested(let request):
                    try await socket?.send(session.acceptPublish(request))
                    return true
                default: break
                }
            }
        }
        return false
    }

    /// Reads until a frame of at least number `first` has come. `send` sends ten frames from a
    /// number on, as often as needed.
    /// - Returns: The numbers of the video frames in the order in which they came.
    func read(upToVideo first: Int, _ send: (Range<Int>) async throws -> Void) async throws -> [Int]
    {
        var numbers: [Int] = []
        var next = first
        try await eventually("frame \(first) or a later one has come") {
            while case .bytes(let bytes)? = socket?.poll() {
                reader.append(bytes)
                while let message = try reader.next() {
                    if let number = message.videoNumber { numbers.append(number) }
                }
            }
            if let last = numbers.last, last >= first { return true }
            try await send(next..<next + 10)
            next += 10
            return false
        }
        return numbers
    }
}
