import ArgumentParser
import Benches
import Statistics

struct BenchNetem: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "netem",
        abstract: "The link model: packets per CPU second.",
        discussion: """
            Packets of 1500 bytes at 1.04 times the link's rate, taken out one by one. Measures a \
            constant rate with 20 ms of delay behind each queue, and the bar's case (drop-tail) first.
            Keys of --json: benchmark, packets, cpu_s, packets_per_cpu_s (all three of drop-tail), \
            measurements[] (link, packets, departed, dropped, cpu_s, packets_per_cpu_s), with \
            --losses also losses[] (model, seed, packets, loss_share, expected_share, mean_burst, \
            expected_burst).
            """)

    @Option(help: "Packets of each measurement.")
    var packets = 10_000_000
    @Flag(help: "Draw losses too: 10^8 packets of a Gilbert–Elliott link for each of three seeds.")
    var losses = false
    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws { try check(packets, in: 1000...1_000_000_000, "--packets") }

    func run() throws {
        let report = try NetemBench(packets: packets).run(losses: losses) { measurement in
            if !json { Self.show(measurement) }
        } onLoss: { loss in
            if !json { Self.show(loss) }
        }
        if json { try printJSON(report) }
    }

    private static func show(_ loss: NetemBench.Loss) {
        func percent(_ value: Double, _ expected: Double) -> String {
            Figure.short((value / expected - 1) * 100, digits: 3) + " %"
        }
        print(
            "\(loss.model), seed \(loss.seed), 10^8 packets: loss rate "
                + "\(percent(loss.share, loss.expectedShare)), mean burst "
                + "\(percent(loss.meanBurst, loss.expectedBurst)) off the closed form")
    }

    private static func show(_ m: NetemBench.Measurement) {
        let name = Figure.flushLeft(m.link, 20)
        print(
            "\(name)\(Figure.plain(m.packetsPerCPUSecond / 1e6)) million packets per CPU second "
                + "(\(m.packets) packets, \(m.dropped) dropped)")
    }
}
