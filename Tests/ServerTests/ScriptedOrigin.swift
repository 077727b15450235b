import Glibc
import NIOCore
import TestSupport
import Testing

/// An origin; the test determines its every byte.
final class ScriptedOrigin {
    /// One accepted connection.
    final class Peer {
        let socket: TCPSocket
        private var bytes: [UInt8] = []

        init(_ descriptor: Int32) { socket = TCPSocket(descriptor: descriptor) }

        /// Returns the next request's head; nil if the edge has closed.
        func request() async throws -> String? {
            while true {
                if let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
                    let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
                    bytes.removeFirst(end.upperBound)
                    return head
                }
                guard let more = try await socket.receive() else { return nil }
                bytes += more.readableBytesView
            }
        }

        /// Returns a request's head that has arrived; nil if none has.
        func poll() -> String? {
            if case .bytes(let more) = socket.poll() { bytes += more.readableBytesView }
            guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
            let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
            bytes.removeFirst(end.upperBound)
            return head
        }

        /// Returns the bytes that have arrived behind the last head.
        func rest() -> String {
            defer { bytes = [] }
            return String(decoding: bytes, as: UTF8.self)
        }

        func send(_ text: String) async throws {
            try await socket.send(ByteBuffer(string: text))
        }

        /// Answers with a body and `Content-Length`.
        func answer(
            _ body: String, status: String = "200 OK",
            headers: [String] = ["Cache-Control: max-age=60"]
        ) async throws {
            let lines = headers.map { $0 + "\r\n" }.joined()
            try await send(
                "HTTP/1.1 \(status)\r\n\(lines)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }
    }

    private let descriptor: Int32
    let port: Int
    private var peers: [Peer] = []

    init() throws {
        let kind =
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            | Int32(SOCK_NONBLOCK.rawValue)
        descriptor = socket(AF_INET, kind, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let fd = descriptor
        let code = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, size) == 0 && listen(fd, 128) == 0 ? getsockname(fd, $0, &size) : -1
            }
        }
        try #require(code == 0)
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }

    /// Whether no client has connected.
    var isUnasked: Bool {
        let fd = Glibc.accept(descriptor, nil, nil)
        if fd >= 0 { close(fd) }
        return fd < 0
    }

    /// Returns the next request on any connection, including those that this method has accepted
    /// before.
    func next() async throws -> (peer: Peer, request: String) {
        var found: (Peer, String)?
        try await eventually("the edge asks") {
            let fd = Glibc.accept(descriptor, nil, nil)
            if fd >= 0 { peers.append(Peer(fd)) }
            for peer in peers {
                if let request = peer.poll() {
                    found = (peer, request)
                    return true
                }
            }
            return false
        }
        return try #require(found)
    }

    func accept() async throws -> Peer {
        var fd: Int32 = -1
        try await eventually("the edge connects") {
            fd = Glibc.accept(descriptor, nil, nil)
            return fd >= 0
        }
        return Peer(fd)
    }
}
