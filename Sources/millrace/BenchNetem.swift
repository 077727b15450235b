import ArgumentParser
import Foundation
import Glibc
import Netem
import SimulationKernel

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

    private struct Loss: Codable {
        var model: String
        var seed: UInt64
        var packets: Int
        var share: Double
        var expectedShare: Double
        var meanBurst: Double
        var expectedBurst: Double

        private enum CodingKeys: String, CodingKey {
            case model, seed, packets
            case share = "loss_share"
            case expectedShare = "expected_share"
            case meanBurst = "mean_burst"
            case expectedBurst = "expected_burst"
        }
    }

    private struct Measurement: Codable {
        var link: String
        var packets: Int
        var departed: Int
        var dropped: Int
        var cpuSeconds: Double
        var packetsPerCPUSecond: Double

        private enum CodingKeys: String, CodingKey {
            case link, packets, departed, dropped
            case cpuSeconds = "cpu_s"
            case packetsPerCPUSecond = "packets_per_cpu_s"
        }
    }

    private struct Report: Codable {
        var benchmark = "netem"
        var packets: Int
        var cpuSeconds: Double
        var packetsPerCPUSecond: Double
        var measurements: [Measurement]
        var losses: [Loss]?

        private enum CodingKeys: String, CodingKey {
            case benchmark, packets, measurements, losses
            case cpuSeconds = "cpu_s"
            case packetsPerCPUSecond = "packets_per_cpu_s"
        }
    }

    func validate() throws { try check(packets, in: 1000...1_000_000_000, "--packets") }

    func run() throws {
        let rate = Bitrate(kilobitsPerSecond: 10_000)
        let fixed = DelayModel(nanoseconds: 20_000_000)
        let jitter = DelayModel(
            nanoseconds: 20_000_000, jitterNanoseconds: 5_000_000, distribution: .normal,
            keepsOrder: false)
        let limit = QueueLimit.bytes(65536)
        let links: [(name: String, spec: LinkSpec)] = [
            ("droptail", LinkSpec(rate: .constant(rate), queue: .dropTail(limit), delay: fixed)),
            ("drophead", LinkSpec(rate: .constant(rate), queue: .dropHead(limit), delay: fixed)),
            ("codel", LinkSpec(rate: .constant(rate), queue: .coDel(), delay: fixed)),
            ("pie", LinkSpec(rate: .constant(rate), queue: .pie(), delay: fixed)),
            (
                "bucket",
                LinkSpec(
                    rate: .tokenBucket(rate, burstBytes: 16000), queue: .dropTail(limit),
                    delay: fixed)
            ),
            (
                "schedule",
                LinkSpec(
                    rate: .schedule(
                        try TraceGenerator.lte(mean: rate).schedule(
                            seed: 1, delayNanoseconds: 20_000_000)),
                    queue: .dropTail(limit))
            ),
            (
                "gemodel and jitter",
                LinkSpec(
                    loss: .gilbertElliott(p: 0.01, r: 0.1), rate: .constant(rate),
                    queue: .dropTail(limit), delay: jitter)
            ),
        ]
        var measurements: [Measurement] = []
        for link in links {
            measurements.append(try measure(link.name, link.spec))
            if !json { Self.print(measurements[measurements.count - 1]) }
        }
        let drawn = losses ? try (1...3).map { try gilbertElliott(seed: UInt64($0)) } : nil
        guard json else { return }
        let first = measurements[0]
        let report = Report(
            packets: first.packets, cpuSeconds: first.cpuSeconds,
            packetsPerCPUSecond: first.packetsPerCPUSecond, measurements: measurements,
            losses: drawn)
        try printJSON(report)
    }

    /// Gilbert's model against its closed form: loss rate p / (p + r), mean burst 1 / r.
    private func gilbertElliott(seed: UInt64) throws -> Loss {
        let (p, r, packets) = (0.01, 0.25, 100_000_000)
        var process = try LossProcess(
            .gilbertElliott(p: p, r: r), random: SeededGenerator(seed: seed))
        var (lost, bursts, wasLost) = (0, 0, false)
        for _ in 0..<packets {
            let isLost = process.loses()
            lost += isLost ? 1 : 0
            bursts += isLost && !wasLost ? 1 : 0
            wasLost = isLost
        }
        let loss = Loss(
            model: "gemodel:p=1%,r=25%", seed: seed, packets: packets,
            share: Double(lost) / Double(packets), expectedShare: p / (p + r),
            meanBurst: Double(lost) / Double(bursts), expectedBurst: 1 / r)
        if !json {
            func percent(_ a: Double, _ b: Double) -> Double {
                ((a / b - 1) * 1e5).rounded() / 1000
            }
            Swift.print(
                "\(loss.model), seed \(seed), 10^8 packets: loss rate "
                    + "\(percent(loss.share, loss.expectedShare)) %, mean burst "
                    + "\(percent(loss.meanBurst, loss.expectedBurst)) % off the closed form")
        }
        return loss
    }

    private func measure(_ name: String, _ spec: LinkSpec) throws -> Measurement {
        var link = try LinkModel(spec, seed: 1)
        let start = Self.cpuSeconds()
        var now: Int64 = 0
        for i in 0..<packets {
            now += 1_153_846
            link.arrive(id: UInt64(i), bytes: 1500, at: now)
            while link.next(until: now) != nil {}
        }
        while link.next(until: LinkModel.latestNanoseconds) != nil {}
        let seconds = Self.cpuSeconds() - start
        return Measurement(
            link: name, packets: packets, departed: link.counters.departed.packets,
            dropped: link.counters.dropped.packets, cpuSeconds: seconds,
            packetsPerCPUSecond: Double(packets) / seconds)
    }

    private static func print(_ m: Measurement) {
        let name = m.link + String(repeating: " ", count: max(1, 20 - m.link.count))
        Swift.print(
            "\(name)\(rounded(m.packetsPerCPUSecond / 1e6)) million packets per CPU second "
                + "(\(m.packets) packets, \(m.dropped) dropped)")
    }

    private static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
