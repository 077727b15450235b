import Netem
import SimulationKernel
import Sockets

/// The link model on its own: packets per CPU second with each queue discipline.
package struct NetemBench {
    /// Measurement of one link.
    package struct Measurement: Codable, Sendable {
        package var link: String
        package var packets: Int
        package var departed: Int
        package var dropped: Int
        package var cpuSeconds: Double
        package var packetsPerCPUSecond: Double

        private enum CodingKeys: String, CodingKey {
            case link, packets, departed, dropped
            case cpuSeconds = "cpu_s"
            case packetsPerCPUSecond = "packets_per_cpu_s"
        }
    }

    /// Gilbert's model compared with its closed form: loss rate p / (p + r), mean burst 1 / r.
    package struct Loss: Codable, Sendable {
        package var model: String
        package var seed: UInt64
        package var packets: Int
        package var share: Double
        package var expectedShare: Double
        package var meanBurst: Double
        package var expectedBurst: Double

        private enum CodingKeys: String, CodingKey {
            case model, seed, packets
            case share = "loss_share"
            case expectedShare = "expected_share"
            case meanBurst = "mean_burst"
            case expectedBurst = "expected_burst"
        }
    }

    package struct Report: Codable, Sendable {
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

    private let packets: Int

    /// - Parameter packets: Number of packets in each measurement.
    package init(packets: Int) { self.packets = packets }

    /// Measures every link. The first link is drop-tail, and its figures are also the report's own.
    ///
    /// - Parameters:
    ///   - losses: Whether to draw 10^8 packets of a Gilbert–Elliott link for each of three seeds.
    ///   - onMeasurement: Function that is called after each link.
    ///   - onLoss: Function that is called after each seed.
    package func run(
        losses: Bool, onMeasurement: (Measurement) -> Void, onLoss: (Loss) -> Void
    ) throws -> Report {
        let measurements = try Self.links().map { name, spec in
            let measurement = try measure(name, spec)
            onMeasurement(measurement)
            return measurement
        }
        let drawn =
            losses
            ? try (1...3).map { seed in
                let loss = try Self.gilbertElliott(seed: UInt64(seed))
                onLoss(loss)
                return loss
            } : nil
        let first = measurements[0]
        return Report(
            packets: first.packets, cpuSeconds: first.cpuSeconds,
            packetsPerCPUSecond: first.packetsPerCPUSecond, measurements: measurements,
            losses: drawn)
    }

    /// Returns links with a constant rate and 20 ms of delay, one for each queue discipline, and
    /// three links with more features.
    private static func links() throws -> [(name: String, spec: LinkSpec)] {
        let rate = Bitrate(kilobitsPerSecond: 10_000)
        let fixed = DelayModel(nanoseconds: 20_000_000)
        let jitter = DelayModel(
            nanoseconds: 20_000_000, jitterNanoseconds: 5_000_000, distribution: .normal,
            keepsOrder: false)
        let limit = QueueLimit.bytes(65536)
        let schedule = try TraceGenerator.lte(mean: rate).schedule(
            seed: 1, delayNanoseconds: 20_000_000)
        return [
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
            ("schedule", LinkSpec(rate: .schedule(schedule), queue: .dropTail(limit))),
            (
                "gemodel and jitter",
                LinkSpec(
                    loss: .gilbertElliott(p: 0.01, r: 0.1), rate: .constant(rate),
                    queue: .dropTail(limit), delay: jitter)
            ),
        ]
    }

    private static func gilbertElliott(seed: UInt64) throws -> Loss {
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
        return Loss(
            model: "gemodel:p=1%,r=25%", seed: seed, packets: packets,
            share: Double(lost) / Double(packets), expectedShare: p / (p + r),
            meanBurst: Double(lost) / Double(bursts), expectedBurst: 1 / r)
    }

    /// Sends packets of 1500 bytes at 1.04 times the link's rate and takes them out one by one.
    private func measure(_ name: String, _ spec: LinkSpec) throws -> Measurement {
        var link = try LinkModel(spec, seed: 1)
        let start = Clock.processCPUNanoseconds()
        var now: Int64 = 0
        for i in 0..<packets {
            now += 1_153_846
            link.arrive(id: UInt64(i), bytes: 1500, at: now)
            while link.next(until: now) != nil {}
        }
        while link.next(until: LinkModel.latestNanoseconds) != nil {}
        let seconds = Double(Clock.processCPUNanoseconds() - start) / 1e9
        return Measurement(
            link: name, packets: packets, departed: link.counters.departed.packets,
            dropped: link.counters.dropped.packets, cpuSeconds: seconds,
            packetsPerCPUSecond: Double(packets) / seconds)
    }
}
