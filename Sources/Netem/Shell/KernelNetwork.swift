import Glibc
import Netem
import Processes
import SimulationKernel

/// Abilities of the kernel's own queueing as a link on this machine.
public enum KernelShell {
    /// Reason why the kernel cannot shape rates here; nil if it can (HTB in a namespace).
    public static func obstacle() -> String? {
        guard geteuid() == 0 else { return "it needs root" }
        guard Program.find("tc") != nil, Program.find("ip") != nil else {
            return "there is no tc; apt-get install iproute2"
        }
        return accepts(["htb"]) ? nil : "the kernel has no HTB (CONFIG_NET_SCH_HTB)"
    }

    /// Whether the kernel can delay and lose packets itself (sch_netem).
    public static var hasNetem: Bool { geteuid() == 0 && accepts(["netem", "delay", "1ms"]) }

    private static func accepts(_ discipline: [String]) -> Bool {
        guard let tc = Program.find("tc"), let namespace = try? NetworkNamespace() else {
            return false
        }
        let arguments = ["qdisc", "add", "dev", "lo", "root"] + discipline
        return (try? namespace.perform { Program.succeeds(tc, arguments) }) ?? false
    }

    /// Refuses settings that the kernel shell cannot honour.
    /// - Returns: Rate in bit/s, and the queue's limit in bytes.
    /// - Throws: `ShellError`.
    static func check(_ spec: LinkSpec) throws(ShellError) -> (rate: Int, limit: Int) {
        let instead = "use the packet shell"
        guard case .constant(let rate) = spec.rate, rate.bitsPerSecond > 0 else {
            throw ShellError("the kernel shell takes a constant rate; \(instead) for others")
        }
        guard spec.loss == .none, spec.delay == DelayModel(), spec.reorder == 0,
            spec.duplicate == 0
        else { throw ShellError("the kernel shell has no delay and no loss; \(instead)") }
        guard spec.overhead == .l2 else {
            throw ShellError("the kernel counts 14 bytes of overhead per packet; \(instead)")
        }
        guard case .dropTail(.bytes(let limit)) = spec.queue else {
            throw ShellError("the kernel shell takes a drop-tail queue in bytes; \(instead)")
        }
        return (rate.bitsPerSecond, limit)
    }
}

/// A network as `ShellNetwork`, but shaped by the kernel: a router's namespace stands between
/// viewers and servers, with one HTB class per viewer on each of its devices. (On a sender's own
/// egress, TCP would treat the qdisc as its own queue.) It shapes rates only.
public final class KernelNetwork: Sendable {
    public let inside: NetworkNamespace
    public let outside: NetworkNamespace
    private let router: NetworkNamespace

    /// - Parameter viewers: 1 to 1000 viewers with constant rate, drop-tail in bytes,
    ///   `PacketOverhead.l2`.
    /// - Throws: `ShellError` for settings that the kernel, or this machine, cannot honour.
    public init(viewers: [PacketShell.Viewer]) throws {
        precondition((1...1000).contains(viewers.count), "1 to 1000 viewers")
        var down = ["qdisc add dev viewers root handle 1: htb"]
        var up = ["qdisc add dev servers root handle 1: htb"]
        for (i, viewer) in viewers.enumerated() {
            down += try Self.classes(i, viewer.down, device: "viewers", "dst", viewer.address)
            up += try Self.classes(i, viewer.up, device: "servers", "src", viewer.address)
        }
        inside = try NetworkNamespace()
        outside = try NetworkNamespace()
        router = try NetworkNamespace()
        let (insideFile, outsideFile) = (
            "/proc/\(getpid())/fd/\(inside.descriptor)",
            "/proc/\(getpid())/fd/\(outside.descriptor)"
        )
        try Self.configure(
            router, "ip",
            [
                "link add viewers type veth peer name port netns \(insideFile)",
                "link add servers type veth peer name port netns \(outsideFile)",
                "addr add 10.76.1.1/30 dev viewers", "addr add 10.76.2.1/30 dev servers",
                "link set viewers up", "link set servers up",
            ])
        // Packets have one segment each, as on a wire.
        let prepare = ["link set dev port gso_max_segs 1", "link set dev port up"]
        try Self.configure(
            inside, "ip",
            prepare + [
                "addr add 10.76.1.2/30 dev port", "route add default via 10.76.1.1",
                "addr add \(ShellNetwork.viewer(0))/16 dev lo",
            ])
        try Self.configure(
            outside, "ip",
            prepare + [
                "addr add 10.76.2.2/30 dev port", "route add default via 10.76.2.1",
                "addr add \(ShellNetwork.server)/32 dev lo",
            ])
        try Self.configure(
            router, "ip",
            [
                "route add 10.77.0.0/16 via 10.76.1.2",
                "route add \(ShellNetwork.server)/32 via 10.76.2.2",
            ])
        try Self.configure(router, "tc", down + up)
        guard try router.perform({ SystemFiles.write("/proc/sys/net/ipv4/ip_forward", "1") }) else {
            throw ShellError("cannot turn on forwarding in a namespace")
        }
    }

    private static func classes(
        _ i: Int, _ spec: LinkSpec, device: String, _ side: String, _ address: IPv4Address
    ) throws(ShellError) -> [String] {
        let (rate, limit) = try KernelShell.check(spec)
        let id = String(i + 16, radix: 16)
        // The burst is two packets, or a timer tick of 1 ms.
        let burst = max(3028, rate / 8000)
        return [
            "class add dev \(device) parent 1: classid 1:\(id) htb rate \(rate)bit ceil \(rate)bit burst \(burst) cburst \(burst) quantum 1514",
            "qdisc add dev \(device) parent 1:\(id) bfifo limit \(limit)",
            "filter add dev \(device) parent 1: protocol ip prio 1 u32 match ip \(side) \(address)/32 flowid 1:\(id)",
        ]
    }

    /// Runs lines of `ip -batch` or `tc -batch`.
    private static func configure(
        _ namespace: NetworkNamespace, _ program: String, _ lines: [String]
    ) throws {
        guard let path = Program.find(program) else {
            throw ShellError("there is no \(program); apt-get install iproute2")
        }
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var name = Array("\(folder)/millrace-batch-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        guard descriptor >= 0 else { throw ShellError.system("no temporary file", -errno) }
        close(descriptor)
        let file = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unlink(file) }
        guard SystemFiles.write(file, lines.joined(separator: "\n") + "\n"),
            try namespace.perform({ Program.succeeds(path, ["-batch", file]) })
        else { throw ShellError("\(program) refuses the kernel shell's configuration") }
    }
}
