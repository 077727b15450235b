import Foundation
import Glibc
import Synchronization

/// Two network namespaces joined by a packet shell on a thread of its own: viewers inside, servers
/// outside. Sockets bound to a viewer's address in `inside` have that viewer's link.
public final class ShellNetwork: Sendable {
    public let inside: NetworkNamespace
    public let outside: NetworkNamespace
    /// Address of the servers in `outside`.
    public static let server = IPv4Address(10, 78, 0, 1)
    /// Largest number of viewers.
    public static let mostViewers = 65_000

    private let stopper: Int32
    private let report = Mutex<Result<ShellReport, any Error>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    /// Returns the address of viewer `i`, 0 to `mostViewers` - 1; all of them exist.
    public static func viewer(_ i: Int) -> IPv4Address {
        IPv4Address(10, 77, 0, 1).advanced(by: UInt32(i))
    }

    /// Prefix of all viewers' addresses.
    public static let viewers = (prefix: IPv4Address(10, 77, 0, 0), length: 16)
    /// Device of the servers in `outside`.
    public static let serverDevice = "servers"
    private static let viewerDevice = "viewers"

    /// Reads a viewer's address; nil if the text is not one.
    public static func viewerAddress(parsing text: String) -> IPv4Address? {
        let bytes = text.split(separator: ".").compactMap { UInt8($0) }
        guard bytes.count == 4 else { return nil }
        let address = IPv4Address(bytes[0], bytes[1], bytes[2], bytes[3])
        return address.rawValue >> 16 == viewers.prefix.rawValue >> 16 ? address : nil
    }

    /// Starts forwarding.
    /// - Parameters:
    ///   - viewers: Viewers with the addresses of `viewer(_:)`.
    ///   - outside: Namespace of the servers; nil = a namespace of their own.
    ///   - logs: Paths of the first viewer's logs.
    /// - Throws: `LinkError` for an impossible link, `ShellError`.
    public init(
        viewers: [PacketShell.Viewer], outside: NetworkNamespace? = nil,
        options: PacketShell.Options = .init(),
        logs: (down: LinkSession.LogRequest, up: LinkSession.LogRequest)? = nil
    ) throws {
        inside = try NetworkNamespace()
        self.outside = try outside ?? NetworkNamespace()
        let viewerDevice = try inside.perform {
            try Self.makeDevice(
                Self.viewerDevice, address: Self.viewer(0), prefixLength: Self.viewers.length,
                towards: (Self.server, 32))
        }
        let serverDevice = try self.outside.perform {
            try Self.makeDevice(
                Self.serverDevice, address: Self.server, prefixLength: 32, towards: Self.viewers)
        }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw ShellError.system("no pipe", -errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let wakeUp = ends[0]
        stopper = ends[1]
        let thread = Thread { [self] in
            defer {
                close(wakeUp)
                done.signal()
            }
            let result = Result {
                let shell = try PacketShell(
                    viewers: viewers, inside: viewerDevice.descriptor,
                    outside: serverDevice.descriptor, options: options)
                if let logs {
                    shell.log(
                        viewer: 0, down: try LinkLogFile(logs.down), up: try LinkLogFile(logs.up))
                }
                return shell.run(watching: [wakeUp]) { _ in false }
            }
            report.withLock { $0 = result }
        }
        thread.name = "link"
        thread.start()
    }

    /// Ends forwarding; the caller calls this once.
    /// - Throws: `LinkError` if the links were impossible.
    public func stop() throws -> ShellReport {
        close(stopper)
        done.wait()
        var report = try report.withLock { $0! }.get()
        report.kernelDrops = [(inside, Self.viewerDevice), (outside, Self.serverDevice)].reduce(0) {
            $0 + ((try? $1.0.perform { [name = $1.1] in TunDevice.drops(of: name) }) ?? 0)
        }
        return report
    }

    /// Makes, in the calling thread's namespace, a device that is the way to the other side, and
    /// local addresses.
    private static func makeDevice(
        _ name: String, address: IPv4Address, prefixLength: Int,
        towards other: (prefix: IPv4Address, length: Int)
    ) throws -> TunDevice {
        let device = try TunDevice(name: name)
        // A prefix on the loopback is local as a whole.
        try Interface.configure("lo:1", address: address, prefixLength: prefixLength)
        try device.configure(address: address, prefixLength: 32)
        try Interface.route(other.prefix, prefixLength: other.length, through: name)
        return device
    }
}
