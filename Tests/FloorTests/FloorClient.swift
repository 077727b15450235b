import Glibc
import NIOCore
import RTMP
import Testing

/// A player on a plain socket, so that a test decides when it reads.
final class FloorClient {
    private let descriptor: Int32
    private var connection: RTMPClientConnection
    private var random = SystemRandomNumberGenerator()
    /// Whether the server has closed the connection.
    private(set) var isClosed = false
    /// Whether the server has begun the stream.
    private(set) var isPlaying = false
    /// Refusal of the server; nil if there was none.
    private(set) var refusal: String?

    /// Connects; the session goes on with each `pump`.
    ///
    /// - Parameter receiveBuffer: SO_RCVBUF in bytes, for a player that is to be slow.
    init(port: Int, stream: String, receiveBuffer: Int32? = nil) throws {
        descriptor = try Self.connect(port: port, receiveBuffer: receiveBuffer)
        connection = RTMPClientConnection(
            url: try RTMPURL("rtmp://127.0.0.1:\(port)/live/\(stream)"),
            purpose: .play(bufferMilliseconds: 100), mode: .simple, using: &random)
        send(connection.opening)
    }

    deinit { close(descriptor) }

    /// Returns a connected socket that does not block.
    static func connect(port: Int, receiveBuffer: Int32? = nil) throws -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_INET, kind, 0)
        try #require(descriptor >= 0)
        if var size = receiveBuffer {
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code != 0 { close(descriptor) }
        try #require(code == 0)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        return descriptor
    }

    /// Sends bytes that fit into an empty socket.
    static func send(_ bytes: [UInt8], to descriptor: Int32) -> Int {
        Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    private func send(_ bytes: ByteBuffer) {
        _ = Self.send(Array(bytes.readableBytesView), to: descriptor)
    }

    /// Reads what is there, at most 64 KiB. Returns the audio, video and data messages in it.
    func pump() throws -> [Message] {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else {
            if count == 0 || errno != EAGAIN { isClosed = true }
            return []
        }
        try connection.append(ByteBuffer(bytes: bytes[..<count]), using: &random)
        var media: [Message] = []
        while let event = try connection.next() {
            switch event {
            case .write(let reply): send(reply)
            case .started: isPlaying = true
            case .media(let message): media.append(message)
            case .refused(let code, _): refusal = code
            case .ended: isClosed = true
            }
        }
        return media
    }
}

/// Sockets of this machine with a local port, from the kernel's own table.
enum LocalSockets {
    /// Number of sockets with that local port that a process still holds: those that listen, are
    /// connected, or wait for the process to close them.
    static func held(port: Int) -> Int {
        guard let file = fopen("/proc/net/tcp", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 512)
        var count = 0
        while fgets(&line, Int32(line.count), file) != nil {
            let bytes = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            let words = String(decoding: bytes, as: UTF8.self).split { $0.isWhitespace }
            guard words.count > 3, let number = words[1].split(separator: ":").last,
                Int(number, radix: 16) == port
            else { continue }
            if ["01", "08", "0A"].contains(String(words[3])) { count += 1 }
        }
        return count
    }
}
