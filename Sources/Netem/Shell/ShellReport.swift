public import Netem
public import Statistics

/// What a packet shell did.
public struct ShellReport: Sendable {
    public struct Direction: Sendable {
        public var counters = LinkCounters()
        /// Still in the link at the end.
        public var inside = PacketCount()

        /// Whether what came in is accounted for: bytes in = out + lost + dropped + inside.
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
    /// How long after its theoretical time each packet was handed to the kernel.
    public var releaseLateness = DelayHistogram()
    /// IPv4 packets of addresses that are no viewer's; not forwarded.
    public var strays = 0
    /// Packets of other protocols (IPv6 neighbour discovery, mostly); not forwarded.
    public var foreign = 0
    /// Packets that found no memory: more than `PacketShell.Options.largestPackets` inside.
    public var overflows = 0
    /// Packets that the kernel did not take.
    public var refused = 0
    /// Packets that a device's queue in the kernel had no room for: the link never saw them.
    public var kernelDrops = 0
    /// Of the thread that ran the shell.
    public var cpuSeconds = 0.0
    public var wallSeconds = 0.0
    /// Log lines that could not be written.
    public var logFailures = 0
    public var lateLimitMilliseconds = 5.0

    /// Why the trial does not count; empty where it does.
    public var voidReasons: [String] {
        var reasons: [String] = []
        if let p99 = releaseLateness.milliseconds(atPercentile: 99), p99 > lateLimitMilliseconds {
            reasons.append(
                "packets were released late: p99 \(Self.text(p99)) ms, the limit is \(Self.text(lateLimitMilliseconds)) ms (a busier machine than the link needs)"
            )
        }
        return reasons + lossReasons
    }

    /// Packets that vanished without the model's leave, each kind with how to mend it.
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
