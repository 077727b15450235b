import ArgumentParser
import Benches
import NetemShell
import Statistics

struct BenchCapture: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "capture",
        abstract: "The live capture beside tcpdump: packets lost, and CPU per packet.",
        discussion: """
            Small TCP packets of 64 connections cross the loopback of a network namespace of the \
            bench's own, from CPU 0. The live capture and tcpdump have the same filter, snap length \
            and ring size, first both at once, then each alone. The live capture analyses the \
            packets, tcpdump writes them to /dev/null; with --dump both write them to files too. \
            'lost' are packets that the interface delivered and a capture has not seen. CPU is that \
            of each process; the kernel's copying into the rings is the sender's. A run is void \
            (exit 97) if the sender or the interface does not keep the rate. Needs root; without \
            tcpdump (apt-get install tcpdump) the live capture is measured alone.
            Keys of --json: benchmark, packets, rate, snap_length, ring_bytes, phases[] (phase, \
            round, sent, delivered, seconds, packets_per_s, tools[] (name, seen, lost, \
            kernel_drops, cpu_s, cpu_s_per_million)), lost (of the live capture, worst phase), \
            cpu_ratio_together, cpu_ratio_alone (the live capture's CPU over tcpdump's), \
            void_reasons.
            """)

    @Option(help: "Packets of each phase.")
    var packets = 6_000_000
    @Option(help: "Packets a second.")
    var rate = 200_000
    @Option(help: "Bytes captured of a packet.")
    var snapLength = 128
    @Option(help: "MiB of each capture's ring.")
    var ring = 64
    @Option(help: "Times that all phases are measured.")
    var rounds = 1
    @Flag(help: "Only both at once, not each alone.")
    var togetherOnly = false
    @Flag(help: "Both write the packets to files in a temporary folder.")
    var dump = false
    @Flag(help: "Without tcpdump.")
    var noPeer = false
    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        try check(packets, in: 1000...1_000_000_000, "--packets")
        try check(rate, in: 100...5_000_000, "--rate")
        try check(snapLength, in: 96...65_535, "--snap-length")
        try check(ring, in: 16...1023, "--ring")
        try check(rounds, in: 1...100, "--rounds")
        guard packets / rate <= 3600 else {
            throw ValidationError(
                "--packets \(packets) at --rate \(rate) take more than an hour; take fewer")
        }
    }

    func run() async throws {
        if let why = NetworkIsolation.enter(congestionControl: "cubic") {
            fail("bench capture needs a network namespace of its own; \(why)")
        }
        var options = CaptureBench.Options()
        options.packets = packets
        options.rate = rate
        options.snapLength = snapLength
        options.ringBytes = ring << 20
        options.rounds = rounds
        options.measuresAlone = !togetherOnly
        options.measuresPeer = !noPeer
        options.keepsPackets = dump
        let report: CaptureBench.Report
        do {
            report = try await CaptureBench(options).run { if !json { Self.show($0) } }
        } catch {
            fail("\(error)")
        }
        if json {
            try printJSON(report)
        } else {
            show(report)
        }
        if !report.voidReasons.isEmpty { throw ExitCode(97) }
    }

    private static func show(_ phase: CaptureBench.Phase) {
        print(
            "\(phase.name), round \(phase.round): \(phase.sent) packets in "
                + "\(Figure.short(phase.seconds, digits: 1)) s, \(Int(phase.packetsPerSecond)) a "
                + "second, \(phase.delivered) delivered")
        for tool in phase.tools {
            let drops = tool.kernelDrops.map { "\($0)" } ?? "unknown"
            print(
                "  \(Figure.flushLeft(tool.name, 10))\(tool.seen) seen, \(tool.lost) lost "
                    + "(kernel drops \(drops)), \(Figure.short(tool.cpuPerMillion, digits: 3)) "
                    + "CPU s per million packets")
        }
    }

    private func show(_ report: CaptureBench.Report) {
        for reason in report.voidReasons { print("void: \(reason)") }
        if !noPeer, !CaptureBench.hasPeer {
            print("tcpdump is not installed (apt-get install tcpdump): there is no comparison")
        }
        var line = "the live capture lost \(report.lost) packets"
        if let ratio = report.ratioTogether {
            line += "; its CPU is \(Figure.short(ratio, digits: 2)) times tcpdump's at once"
        }
        if let ratio = report.ratioAlone {
            line += ", \(Figure.short(ratio, digits: 2)) times alone"
        }
        print(line)
        if let isMet = report.meetsBar {
            print(
                "bar (0 lost, at most \(CaptureBench.Report.largestRatio) times tcpdump's CPU): "
                    + (isMet ? "met" : "not met"))
        }
    }
}
