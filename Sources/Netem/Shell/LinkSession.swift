// How `millrace link` runs a program.
//
// The program runs in network, PID and mount namespaces under an init process (`Isolation.c`),
// which dies with millrace and ends everything that the program started; devices disappear with
// their descriptors. The kernel does not undo two changes by itself: address translation, and
// forwarding on the default route's device. Each is noted in `/run/millrace/links` before it is
// made, and undone at the end or, after a kill, by the next link. Logs are in nanoseconds and name
// the link's options, so `--replay` needs nothing else.

import CLinux
import Glibc
public import Netem
import Processes
import Sockets

/// Runs one program behind an emulated link, as mm-link does. The program's default route is a TUN
/// device. Its packets pass the uplink and come out of a second device on this machine; responses
/// come back through the downlink. The machine itself is at `gateway`.
public final class LinkSession {
    public struct Request: Sendable {
        /// Program and its arguments, at least one word.
        public var command: [String]
        public var down: LinkSpec
        public var up: LinkSpec
        public var seed: UInt64
        /// Log of each direction.
        public var logs: (down: LogRequest, up: LogRequest)?

        public init(command: [String], down: LinkSpec, up: LinkSpec, seed: UInt64 = 0) {
            self.command = command
            self.down = down
            self.up = up
            self.seed = seed
        }
    }

    public struct LogRequest: Sendable {
        public var path: String
        public var title: String
        public var options: [LinkLog.Option]

        public init(path: String, title: String, options: [LinkLog.Option]) {
            self.path = path
            self.title = title
            self.options = options
        }
    }

    /// Outcome of a session.
    public struct Outcome {
        /// The program's exit code; 128 + n if signal n ended it.
        public var exitCode: Int32
        public var report: ShellReport
    }

    /// Base of the links' addresses, 100.64.0.0 (RFC 6598). Of link k's four addresses the first
    /// two are the network and the gateway; the program has the third.
    private static let base = IPv4Address(100, 64, 0, 0)
    private static let mostLinks: UInt32 = 1024

    /// Address under which the program finds this machine; it is also in the program's environment,
    /// as `MILLRACE_GATEWAY`.
    public let gateway: IPv4Address
    /// Reason why the program can reach only this machine; nil if it can reach more.
    public var obstacle: String? { routing.obstacle }

    private let outside: TunDevice
    private let routing: HostRouting
    private let program: IsolatedProgram
    private let shell: PacketShell
    private let signals: Int32
    /// First signal that was passed on.
    private var signalled: (signal: Int32, time: Int64)?
    /// Time in nanoseconds within which a repeated signal counts as the same one.
    private static let repeatNanoseconds: Int64 = 1_000_000_000

    /// Makes the link; the program starts with `run`. The caller must be the process's only thread:
    /// the session takes SIGINT, SIGTERM, SIGHUP and SIGQUIT away from it.
    /// - Throws: `LinkError` for an impossible link, `ShellError`.
    public init(_ request: Request) throws {
        if let obstacle = ShellPrivilege.obstacle(asRoot: geteuid() == 0) {
            throw ShellError("a link cannot run here: \(obstacle)")
        }
        guard geteuid() == 0 else {
            throw ShellError(
                "without root a link has no way to this machine's servers; run as root, or run server and link together in: unshare -Urn sh -c '…'"
            )
        }
        HostRouting.sweep()
        let (device, network) = try Self.makeDevice()
        gateway = network.advanced(by: 1)
        let viewer = network.advanced(by: 2)
        try device.configure(address: gateway, prefixLength: 30)
        var numbers = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]
        signals = millrace_signal_descriptor(&numbers, Int32(numbers.count))
        guard signals >= 0 else { throw ShellError.system("cannot watch for signals", signals) }
        var environment: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let pair = String(cString: entry).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2 { environment[String(pair[0])] = String(pair[1]) }
            next += 1
        }
        environment["MILLRACE_GATEWAY"] = gateway.description
        // This comes before the routing, so that a failure here leaves nothing to be undone.
        program = try IsolatedProgram(
            .init(
                command: request.command, environment: environment, device: "link0",
                address: viewer, prefixLength: 30, resolverFile: Self.resolverFile))
        shell = try PacketShell(
            viewers: [
                .init(
                    address: viewer, down: request.down, up: request.up, seed: request.seed)
            ], inside: program.tun.descriptor, outside: device.descriptor)
        if let logs = request.logs {
            shell.log(viewer: 0, down: try LinkLogFile(logs.down), up: try LinkLogFile(logs.up))
        }
        routing = HostRouting(device: device.name, prefix: "\(network)/30")
        outside = device
    }

    deinit { close(signals) }

    /// Runs the program to its end. A signal sent to this process is passed on to the program
    /// (signals of the terminal reach the program directly); the second one kills it.
    /// - Throws: `ShellError` if the program could not be executed.
    public func run() throws(ShellError) -> Outcome {
        var message = IsolatedProgram.Message.lost
        program.start()
        var report = shell.run(watching: [signals, program.control]) { descriptor in
            if descriptor == signals {
                forwardSignals()
                return true
            }
            message = program.message()
            return false
        }
        report.kernelDrops = TunDevice.drops(of: outside.name) + program.kernelDrops
        program.end()
        routing.remove()
        switch message {
        case .notExecuted(let code):
            throw ShellError(
                "cannot run the program: \(String(cString: strerror(code)))",
                exitCode: code == ENOENT ? 127 : 126)
        case .ended(let status):
            let signal = status & 0x7F
            return Outcome(
                exitCode: signal == 0 ? status >> 8 & 0xFF : 128 + signal, report: report)
        case .lost: return Outcome(exitCode: 128 + SIGKILL, report: report)
        }
    }

    private func forwardSignals() {
        var fromTerminal: Int32 = 0
        while true {
            let signal = millrace_read_signal(signals, &fromTerminal)
            guard signal > 0 else { return }
            guard fromTerminal == 0 else { continue }
            let now = Clock.monotonicNanoseconds()
            if let first = signalled {
                // timeout(1) signals its child and then the group: that is one signal, not two.
                if signal == first.signal, now - first.time < Self.repeatNanoseconds { continue }
                program.send(SIGKILL)
            } else {
                signalled = (signal, now)
                program.send(signal)
            }
        }
    }

    /// Makes the first device, by its name, that is free and has four addresses that no interface
    /// here has.
    private static func makeDevice() throws(ShellError) -> (TunDevice, IPv4Address) {
        let taken = Set(Interface.addresses.map { $0.rawValue & ~3 })
        for k in 0..<mostLinks {
            let network = base.advanced(by: 4 * k)
            guard !taken.contains(network.rawValue),
                access("/sys/class/net/millrace\(k)", F_OK) != 0
            else { continue }
            do throws(ShellError) {
                return (try TunDevice(name: "millrace\(k)"), network)
            } catch  where error.isBusy {
                continue
            }
        }
        throw ShellError("\(mostLinks) links run already")
    }

    /// Resolver file that names a resolver reachable through the link; it is needed if
    /// /etc/resolv.conf names only this machine's loopback (systemd-resolved).
    private static var resolverFile: String? {
        let servers = (ProcFile.read("/etc/resolv.conf") ?? "").split(separator: "\n")
            .filter { $0.hasPrefix("nameserver") }
        let real = "/run/systemd/resolve/resolv.conf"
        return !servers.isEmpty && servers.allSatisfy { $0.contains(" 127.") }
            && access(real, R_OK) == 0 ? real : nil
    }
}
