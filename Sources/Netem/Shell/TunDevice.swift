import CLinux
import Glibc
import Processes

/// A TUN device: a program reads and writes its IP packets. The device goes away with its
/// descriptor, so a killed program leaves none behind.
public final class TunDevice: Sendable {
    /// Path at which the kernel offers TUN devices; the environment's `MILLRACE_TUN` overrides it,
    /// for machines on which another node is open to everybody.
    public static var path: String {
        getenv("MILLRACE_TUN").map { String(cString: $0) } ?? "/dev/net/tun"
    }

    /// Largest packet in bytes: the MTU of every device here, so that nothing is merged.
    public static let mtu = 1500

    public let descriptor: Int32
    public let name: String

    /// Makes the device in the calling thread's network namespace.
    /// - Parameter name: 1 to 15 bytes.
    /// - Throws: `ShellError`; `isBusy` means that another program has the name.
    public init(name: String) throws(ShellError) {
        let code = Self.path.withCString { path in
            name.withCString { millrace_open_tun(path, $0) }
        }
        guard code >= 0 else {
            throw .system(
                "cannot make the TUN device \(name) from \(Self.path)", code,
                code == -ENOENT
                    ? "modprobe tun" : "run as root, or: chmod 0666 \(Self.path)")
        }
        descriptor = code
        self.name = name
    }

    /// Takes over a descriptor of a device made elsewhere.
    public init(owning descriptor: Int32, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    deinit { close(descriptor) }

    /// Number of packets that the device's queue had no room for, as `/proc/PID/net/dev` of a
    /// process (or `thread-self`) in its namespace states; 0 if that is gone.
    static func drops(of device: String, in process: String = "thread-self") -> Int {
        for line in (ProcFile.read("/proc/\(process)/net/dev") ?? "").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].drop(while: { $0 == " " }) == device else { continue }
            let fields = parts[1].split(separator: " ")
            // The line has eight columns received, then eight sent: bytes, packets, errors, drops
            // and so on.
            return fields.count > 11 ? Int(fields[11]) ?? 0 : 0
        }
        return 0
    }

    /// Gives the device an address and brings it up.
    /// - Throws: `ShellError`.
    public func configure(address: IPv4Address, prefixLength: Int) throws(ShellError) {
        try Interface.configure(
            name, address: address, prefixLength: prefixLength, mtu: Self.mtu)
    }
}

/// Interfaces of the calling thread's network namespace.
public enum Interface {
    static func mask(_ prefixLength: Int) -> UInt32 {
        prefixLength == 0 ? 0 : ~0 << UInt32(32 - prefixLength)
    }

    /// Gives an interface an address and brings it up. On a loopback device the whole prefix then
    /// belongs to this machine.
    /// - Parameters:
    ///   - name: Interface; `lo:1` and such are further addresses of `lo`.
    ///   - prefixLength: 0 to 32.
    ///   - mtu: MTU in bytes; 0 leaves it unchanged.
    /// - Throws: `ShellError`.
    public static func configure(
        _ name: String, address: IPv4Address, prefixLength: Int, mtu: Int = 0
    ) throws(ShellError) {
        let code = name.withCString {
            millrace_configure_interface(
                $0, address.rawValue, mask(prefixLength), Int32(mtu))
        }
        guard code == 0 else { throw .system("cannot configure \(name)", code) }
    }

    /// Routes a prefix through a device.
    /// - Throws: `ShellError`.
    public static func route(
        _ prefix: IPv4Address, prefixLength: Int, through device: String
    ) throws(ShellError) {
        let code = device.withCString {
            millrace_add_route($0, prefix.rawValue, mask(prefixLength))
        }
        guard code == 0 else { throw .system("cannot route through \(device)", code) }
    }

    /// Addresses of this namespace's interfaces.
    static var addresses: [IPv4Address] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var result: [IPv4Address] = []
        var next = list
        while let entry = next {
            next = entry.pointee.ifa_next
            guard let address = entry.pointee.ifa_addr,
                address.pointee.sa_family == sa_family_t(AF_INET)
            else { continue }
            let raw = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                $0.pointee.sin_addr.s_addr
            }
            result.append(IPv4Address(rawValue: UInt32(bigEndian: raw)))
        }
        return result
    }
}
