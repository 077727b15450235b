public import Netem
public import Statistics

/// Counts and times of a packet shell's run.
public struct ShellReport: Sendable {
    public struct Direction: Sendable {
        public var counters = LinkCounters()
        /// Packets still in the link at the end.
        public var inside = PacketCount()

        /// Whether all incoming bytes are accounted for: bytes in = out + lost + dropped + inside.
        public var balances: Bool {
            counters.arrived.bytes + counters.duplicated.bytes
                == counters.departed.bytes + counters.lost.bytes + counters.dropped.bytes
                + inside.bytes
        }
    }

    public struct Viewer: Sendable {
        public var address: IPv4Address
        public var down = Direction()
        public var up = Direction()
    }

    public var viewers: [Viewer] = []
    /// Time between each packet's theoretical release and its hand-over to the kernel.
    public var releaseLateness = DelayHistogram()
    /// IPv4 packets of addresses that belong to no viewer; they are not forwarded.
    public var strays = 0
    /// Packets of other protocols (mostly IPv6 neighbour discovery); they are not forwarded.
    public var foreign = 0
    /// Packets that found no memory, because more than `PacketShell.Options.largestPackets` were
    /// inside.
    public var overflows = 0
    /// Packets that the kernel did not accept.
    public var refused = 0
    /// Packets that a device's queue in the kernel had no room for, so that the link never saw
    /// them.
    public var kernelDrops = 0
    /// CPU time of the thread that ran the shell.
    public var cpuSeconds = 0.0
    public var wallSeconds = 0.0
    /// Number of log lines that could not be written.
    public var logFailures = 0
    public var lateLimitMilliseconds = 5.0

    /// Reasons why the trial is void; empty if it is not.
    public var voidReasons: [String] {
        var reasons: [String] = []
        if let p99 = releaseLateness.milliseconds(atPercentile: 99), p99 > lateLimitMilliseconds {
            reasons.append(
                "packets were released late: p99 \(Self.text(p99)) ms, the limit is \(Self.text(lateLimitMilliseconds)) ms (a busier machine than the link needs)"
            )
        }
        return reasons + lossReasons
    }

    /// Reasons for packets that vanished although the model did not drop them, each with its
    /// remedy.
    public var lossReasons: [String] {
        var reasons: [String] = []
        if overflows > 0 {
            reasons.append("\(overflows) packets found no memory: bound the queue")
        }
        if kernelDrops > 0 {
            reasons.append(
                "the kernel dropped \(kernelDrops) packets before the link could read them: take fewer viewers or lower rates"
            )
        }
        if refused > 0 { reasons.append("the kernel did not take \(refused) packets") }
        return reasons
    }

    private static func text(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100)." + (rest < 10 ? "0\(rest)" : "\(rest)")
    }
}
