import Glibc
import NetemShell
import Sockets

/// Blocking and non-blocking sockets of the link bench, in a given namespace.
enum LinkBenchSocket {
    static func address(_ address: IPv4Address, port: UInt16) -> sockaddr_in {
        var value = sockaddr_in()
        value.sin_family = sa_family_t(AF_INET)
        value.sin_port = port.bigEndian
        value.sin_addr.s_addr = address.rawValue.bigEndian
        return value
    }

    static func withAddress<Result>(
        _ value: sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafePointer(to: value) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// Returns a socket that is bound to an address and to a port that the kernel picks.
    static func make(
        _ type: __socket_type, at address: IPv4Address, in namespace: NetworkNamespace
    ) throws -> Int32 {
        try namespace.perform {
            let descriptor = socket(
                AF_INET, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { throw failure("cannot make a socket") }
            let value = Self.address(address, port: 0)
            guard withAddress(value, { bind(descriptor, $0, $1) }) == 0 else {
                close(descriptor)
                throw failure("cannot bind to \(address)")
            }
            return descriptor
        }
    }

    static func port(of descriptor: Int32) -> UInt16 {
        var value = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &value) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(descriptor, $0, &size)
            }
        }
        return UInt16(bigEndian: value.sin_port)
    }

    static func setCongestionControl(_ descriptor: Int32, _ name: String) throws {
        guard CongestionControl(name).apply(toSocket: descriptor) else {
            throw failure("cannot use the congestion control '\(name)'")
        }
    }

    static func setNonBlocking(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    static func failure(_ what: String) -> ShellError {
        ShellError("\(what): \(String(cString: strerror(errno)))")
    }
}
