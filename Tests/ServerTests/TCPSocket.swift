import Glibc
import NIOCore
import Testing

/// A plain non-blocking socket. A test determines byte by byte what a peer sends and when it reads.
final class TCPSocket {
    private var fd: Int32

    /// - Parameter receiveBuffer: SO_RCVBUF, for peers that are to be slow.
    init(host: String = "127.0.0.1", port: Int, receiveBuffer: Int32? = nil) throws {
        let isIPv6 = host.contains(":")
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        fd = socket(isIPv6 ? AF_INET6 : AF_INET, kind, 0)
        try #require(fd >= 0)
        if var size = receiveBuffer {
            setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        let code: Int32
        if isIPv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = in_port_t(port).bigEndian
            inet_pton(AF_INET6, host, &address.sin6_addr)
            code = Self.connect(fd, &address)
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(port).bigEndian
            inet_pton(AF_INET, host, &address.sin_addr)
            code = Self.connect(fd, &address)
        }
        try #require(code == 0, "connect to \(host):\(port): \(String(cString: strerror(errno)))")
        _ = fcntl(fd, F_SETFL, O_NONBLOCK)
    }

    /// Takes over an accepted connection.
    init(descriptor: Int32) {
        fd = descriptor
        _ = fcntl(fd, F_SETFL, O_NONBLOCK)
    }

    private static func connect<Address>(_ fd: Int32, _ address: inout Address) -> Int32 {
        let size = socklen_t(MemoryLayout<Address>.size)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(fd, $0, size) }
        }
    }

    /// Whether a server listens at the port.
    static func accepts(port: Int) -> Bool {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { Glibc.close(fd) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        return connect(fd, &address) == 0
    }

    deinit { close() }

    var localPort: Int? {
        var address = sockaddr_in6()
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let code = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &size) }
        }
        // The port has the same position in both address families.
        return code == 0 ? Int(UInt16(bigEndian: address.sin6_port)) : nil
    }

    func close() {
        if fd >= 0 { Glibc.close(fd) }
        fd = -1
    }

    /// Ends the connection as a crash does: with a reset.
    func abort() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// Sends all of `bytes`. Returns false if the server has closed the connection.
    @discardableResult
    func send(_ bytes: ByteBuffer, within limit: Duration = .seconds(30)) async throws -> Bool {
        var rest = bytes
        let deadline = ContinuousClock.now + limit
        while rest.readableBytes > 0 {
            let count = rest.withUnsafeReadableBytes {
                Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                rest.moveReaderIndex(forwardBy: count)
            } else if errno == EAGAIN {
                try #require(ContinuousClock.now < deadline, "the server does not read")
                try await Task.sleep(for: .milliseconds(1))
            } else {
                return false
            }
        }
        return true
    }

    enum Received {
        case bytes(ByteBuffer)
        case nothing
        case closed
    }

    /// Returns the bytes that are there, without waiting.
    func poll() -> Received {
        var buffer = ByteBuffer()
        let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 65536) {
            recv(fd, $0.baseAddress, $0.count - 1, 0) + 1
        }
        // The buffer has one byte more than the count, so that 0 stands for an error.
        guard count > 0 else { return errno == EAGAIN ? .nothing : .closed }
        guard count > 1 else { return .closed }
        return .bytes(buffer.getSlice(at: 0, length: count - 1)!)
    }

    /// Waits for bytes; nil if the server has closed the connection.
    func receive(within limit: Duration = .seconds(30)) async throws -> ByteBuffer? {
        let deadline = ContinuousClock.now + limit
        while true {
            switch poll() {
            case .bytes(let bytes): return bytes
            case .closed: return nil
            case .nothing:
                try #require(ContinuousClock.now < deadline, "nothing came within \(limit)")
                try await Task.sleep(for: .milliseconds(1))
            }
        }
    }

    /// Reads and drops bytes until the server closes. Fails if it does not.
    func waitForClose(within limit: Duration = .seconds(20)) async throws {
        let deadline = ContinuousClock.now + limit
        while try await receive(within: deadline - .now) != nil {}
    }
}

/// Polls until `condition` holds; fails if it does not within a generous time.
func eventually(
    _ what: Comment, within limit: Duration = .seconds(30),
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        try #require(ContinuousClock.now < deadline, what)
        try await Task.sleep(for: .milliseconds(2))
    }
}
