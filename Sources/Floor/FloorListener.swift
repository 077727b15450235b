import CLinux
import Glibc
import Sockets

/// The listening socket of a floor sender, and the options of the sockets that it accepts.
struct FloorListener {
    let descriptor: Int32
    let port: Int

    /// - Throws: `FloorError` if the address cannot be used.
    init(_ configuration: FloorConfiguration) throws(FloorError) {
        guard let number = in_port_t(exactly: configuration.port) else {
            throw FloorError("the port \(configuration.port) is not in 0 to 65535")
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = number.bigEndian
        guard inet_pton(AF_INET, configuration.host, &address.sin_addr) == 1 else {
            throw FloorError("'\(configuration.host)' is not an IPv4 address such as 127.0.0.1")
        }
        let type =
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            | Int32(SOCK_CLOEXEC.rawValue)
        let fd = socket(AF_INET, type, 0)
        guard fd >= 0 else { throw Self.failure("socket") }
        Self.set(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, length) == 0 && listen(fd, 4096) == 0
                    && getsockname(fd, $0, &length) == 0
            }
        }
        guard isBound else {
            let error = Self.failure("cannot listen on \(configuration.host):\(number)")
            close(fd)
            throw error
        }
        // Accepted sockets have the congestion control of the listening socket.
        if let name = configuration.congestionControl,
            !CongestionControl(name).apply(toSocket: fd)
        {
            close(fd)
            throw FloorError(CongestionControlError(name: name).description)
        }
        descriptor = fd
        port = Int(in_port_t(bigEndian: address.sin_port))
    }

    enum Accepted {
        case connection(Int32)
        /// Nobody waits.
        case nobody
        /// The system has no descriptor or memory for another connection.
        case exhausted
    }

    /// Accepts one connection without waiting.
    func accept() -> Accepted {
        let fd = Glibc.accept(descriptor, nil, nil)
        guard fd >= 0 else {
            return [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno) ? .exhausted : .nobody
        }
        _ = fcntl(fd, F_SETFL, O_NONBLOCK)
        _ = fcntl(fd, F_SETFD, FD_CLOEXEC)
        // A flush is a whole message, so no byte of it waits for an acknowledgement.
        Self.set(fd, Int32(IPPROTO_TCP), millrace_TCP_NODELAY, 1)
        return .connection(fd)
    }

    private static func set(_ fd: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        setsockopt(fd, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func failure(_ call: String) -> FloorError {
        FloorError("\(call): \(String(cString: strerror(errno)))")
    }
}
