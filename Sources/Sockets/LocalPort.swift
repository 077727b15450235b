import Glibc

/// TCP ports of this machine, for servers that cannot choose a free port themselves.
public enum LocalPort {
    /// Returns a port of 127.0.0.1 that is free at this moment; nil if there is none.
    ///
    /// The port lies below the range that the kernel gives to outgoing connections, because such a
    /// connection might take the port before the server does.
    public static func free() -> Int? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        for _ in 0..<100 {
            let port = Int.random(in: 10_240..<32_768)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
            address.sin_port = in_port_t(port).bigEndian
            let length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let status = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length)
                }
            }
            if status == 0 { return port }
        }
        return nil
    }
}
