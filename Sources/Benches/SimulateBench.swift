import ABR
import CLinux
import Glibc
import Netem
import Processes
import SimulationKernel
import Statistics

/// Number of segments decided per CPU second in virtual time, on one core.
package struct SimulateBench: Sendable {
    package struct Measurement: Codable, Sendable {
        package var algorithm: String
        package var abandonment: String
        package var segments: Int
        package var cpuSeconds: Double
        package var segmentsPerCPUSecond: Double

        private enum CodingKeys: String, CodingKey {
            case algorithm, abandonment, segments
            case cpuSeconds = "cpu_s"
            case segmentsPerCPUSecond = "segments_per_cpu_s"
        }
    }

    /// Live viewers behind one equally shared bottleneck.
    package struct Shared: Codable, Sendable {
        package var abandonment: String
        package var viewers: Int
        package var mediaHours: Double
        package var segments: Int
        package var cpuSeconds: Double
        /// Growth of the process's resident memory.
        package var bytesPerViewer: Double

        private enum CodingKeys: String, CodingKey {
            case abandonment, viewers, segments
            case mediaHours = "media_h"
            case cpuSeconds = "cpu_s"
            case bytesPerViewer = "bytes_per_viewer"
        }
    }

    package struct Report: Codable, Sendable {
        package var benchmark = "simulate"
        package var measurements: [Measurement] = []
        package var shared: [Shared] = []
    }

    /// Number of segments in each measurement.
    package var segments = 1_000_000
    package var viewers = 10_000
    /// Divisor of the number of segments for the slow algorithms, which search.
    private static let slowShare = 20

    package init() {}

    /// - Parameter progress: Function that gets a line for each figure.
    package func run(progress: (String) -> Void) throws -> Report {
        var report = Report()
        // The warm-up run comes first, while the process is small, so that later runs do not
        // measure the memory of starting up.
        _ = try shared(.off, viewers: 100)
        for abandonment in [PlayerConfiguration.Abandonment.off, .published] {
            let shared = try shared(abandonment, viewers: viewers)
            report.shared.append(shared)
            progress(
                "\(shared.viewers) live viewers, abandonment \(abandonment.rawValue): "
                    + "\(Figure.short(shared.cpuSeconds, digits: 2)) s of CPU, \(Int(shared.bytesPerViewer)) bytes each"
            )
        }
        let link = try Self.link()
        for abandonment in [PlayerConfiguration.Abandonment.off, .published] {
            for name in AlgorithmName.allNames {
                guard let algorithm = AlgorithmName(parsing: name) else { continue }
                let measurement = try measure(algorithm, name, abandonment, link)
                report.measurements.append(measurement)
                progress(
                    "\(name), abandonment \(abandonment.rawValue): "
                        + "\(Int(measurement.segmentsPerCPUSecond)) segments per CPU second")
            }
        }
        return report
    }

    /// Returns a link with a minute of fading around 2.5 Mbit/s and a round trip of 40 ms.
    private static func link() throws -> RateSchedule {
        var generator = SeededGenerator(seed: 1, entity: "bench simulate")
        return try RateSchedule(
            periods: (0..<600).map { _ in
                RateSchedule.Period(
                    durationNanoseconds: 1_000_000_000,
                    bitsPerSecond: Int64(500_000 + 4_000_000 * generator.nextUnit()),
                    delayNanoseconds: 20_000_000)
            })
    }

    private func measure(
        _ algorithm: AlgorithmName, _ name: String, _ abandonment: PlayerConfiguration.Abandonment,
        _ link: RateSchedule
    ) throws -> Measurement {
        // The title has six renditions, as Pensieve's video has.
        let title = try Title(
            name: "bench", segmentDuration: 4000, bitrates: [300, 750, 1200, 1850, 2850, 4300],
            segmentCount: 900)
        var player = PlayerConfiguration()
        player.abandonment = abandonment
        let viewer = SimulatedViewer(
            title: title, player: player, algorithm: algorithm, link: link)
        let goal = algorithm.isSlow ? segments / Self.slowShare : segments
        var decided = 0
        let start = Self.cpuSeconds()
        while decided < goal {
            var run = try SoloSimulation(viewer)
            decided += run.run().decisions
        }
        let cpu = Self.cpuSeconds() - start
        return Measurement(
            algorithm: name, abandonment: abandonment.rawValue, segments: decided, cpuSeconds: cpu,
            segmentsPerCPUSecond: Double(decided) / cpu)
    }

    private func shared(
        _ abandonment: PlayerConfiguration.Abandonment, viewers: Int
    ) throws -> Shared {
        let title = try Title(
            name: "bench", segmentDuration: 4000, bitrates: [264, 878, 1128, 2628],
            segmentCount: 900)
        var player = PlayerConfiguration()
        player.abandonment = abandonment
        player.live = .init(targetLatency: 12_000)
        var generator = SeededGenerator(seed: 1, entity: "arrivals")
        let link = RateSchedule(constant: Bitrate(kilobitsPerSecond: 1200 * viewers))
        let before = Self.residentBytes()
        let start = Self.cpuSeconds()
        // The list of viewers is only input. It is released before the simulation runs.
        var run = try SharedSimulation(
            (0..<viewers).map { _ in
                var viewer = SimulatedViewer(
                    title: title, player: player, algorithm: .throughput, link: link)
                viewer.arrival = 10_000 * generator.nextUnit()
                viewer.watchTime = 3_600_000
                return (viewer, 0)
            }, audiences: [.init(access: .shared(link), roundTrip: 40)], origin: nil,
            timeline: LiveTimeline())
        let sessions = run.run()
        return Shared(
            abandonment: abandonment.rawValue, viewers: viewers, mediaHours: 1,
            segments: sessions.reduce(0) { $0 + $1.decisions },
            cpuSeconds: Self.cpuSeconds() - start,
            bytesPerViewer: Double(Self.residentBytes() - before) / Double(viewers))
    }

    /// Returns the CPU seconds of this thread.
    private static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func residentBytes() -> Int {
        let fields = (ProcFile.read("/proc/self/statm") ?? "").split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
}

extension AlgorithmName {
    /// Whether the algorithm searches over possible futures and therefore costs many times more
    /// than the others.
    var isSlow: Bool { description.contains("mpc") || description == "soda" }
}
