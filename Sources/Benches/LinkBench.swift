import Foundation
import Glibc
import Netem
import NetemShell
import SimulationKernel
import Sockets
import Statistics

/// The packet shell with real TCP and UDP between two network namespaces: accuracy of its rate and
/// its delay, and its CPU cost.
package struct LinkBench: Sendable {
    package struct Options: Sendable {
        /// Rates of the goodput cases with a single viewer, in kbit/s.
        package var ratesKilobits = [500, 2000, 10_000, 50_000]
        package var measuresViewers = true
        /// Number of viewers in the case with many viewers; `viewerKilobits` is the rate of each in
        /// kbit/s.
        package var viewers = 100
        package var viewerKilobits = 2000
        package var measuresDelay = true
        /// Whether the case with many viewers is repeated with the kernel as the shaper.
        package var measuresKernel = false
        package var delayMilliseconds = 20
        package var warmupSeconds = 5.0
        package var seconds = 20.0
        package var congestionControl = "cubic"
        /// Quantum of the case with many viewers in nanoseconds (`PacketShell.Options`).
        package var quantumNanoseconds: Int64 = 500_000

        package init() {}
    }

    /// Result of one case. The fields of other cases are nil.
    package struct Measurement: Codable, Sendable {
        /// Name of the case: `goodput`, `delay`, `viewers` or `kernel`.
        package var name: String
        package var viewers: Int
        package var rateKilobits: Int
        package var seconds: Double
        /// Mean payload rate of the viewers; `expectedKilobits` is the payload rate that the link's
        /// rate permits.
        package var goodputKilobits: Double?
        package var expectedKilobits: Double?
        /// Difference of the mean rate from the expected rate in percent, followed by the smallest
        /// and the largest difference of a single viewer.
        package var errorPercent: Double?
        package var lowestErrorPercent: Double?
        package var highestErrorPercent: Double?
        /// Number of viewers whose rate is more than 1 % from the expected rate.
        package var viewersBeyondOnePercent: Int?
        /// One-way delay beyond serialization and the link's delay, in milliseconds.
        package var delayErrorP50: Double?
        package var delayErrorP99: Double?
        package var delayErrorMaximum: Double?
        package var probes: Int?
        /// CPU seconds per second of the shell's thread.
        package var cpuCores: Double?
        package var releaseP50: Double?
        package var releaseP99: Double?
        package var releaseMaximum: Double?
        package var packets: Int?
        package var voidReasons: [String] = []

        /// - Parameters:
        ///   - rates: Rate of each viewer in bit/s.
        ///   - expected: Expected rate in kbit/s.
        mutating func setGoodput(_ rates: [Double], expected: Double) {
            let errors = rates.map { ($0 / 1000 / expected - 1) * 100 }
            let mean = rates.reduce(0, +) / Double(rates.count) / 1000
            goodputKilobits = mean
            expectedKilobits = expected
            errorPercent = (mean / expected - 1) * 100
            lowestErrorPercent = errors.min()
            highestErrorPercent = errors.max()
            viewersBeyondOnePercent = errors.count { abs($0) > 1 }
        }

        private enum CodingKeys: String, CodingKey {
            case viewers, seconds, probes, packets
            case name = "case"
            case rateKilobits = "rate_kbps"
            case goodputKilobits = "goodput_kbps"
            case expectedKilobits = "expected_kbps"
            case errorPercent = "error_pct"
            case lowestErrorPercent = "error_lowest_pct"
            case highestErrorPercent = "error_highest_pct"
            case viewersBeyondOnePercent = "viewers_beyond_1_pct"
            case delayErrorP50 = "delay_error_p50_ms"
            case delayErrorP99 = "delay_error_p99_ms"
            case delayErrorMaximum = "delay_error_max_ms"
            case cpuCores = "cpu_cores"
            case releaseP50 = "release_p50_ms"
            case releaseP99 = "release_p99_ms"
            case releaseMaximum = "release_max_ms"
            case voidReasons = "void_reasons"
        }
    }

    package struct Report: Codable, Sendable {
        package var benchmark = "link"
        package var congestionControl: String
        package var measurements: [Measurement]

        private enum CodingKeys: String, CodingKey {
            case benchmark, measurements
            case congestionControl = "congestion_control"
        }
    }

    let options: Options

    package init(_ options: Options = .init()) { self.options = options }

    /// - Parameter progress: Function that is called after each case.
    /// - Throws: `ShellError` if this machine cannot run the packet shell.
    package func run(progress: (Measurement) -> Void) throws -> Report {
        var measurements: [Measurement] = []
        func take(_ measurement: Measurement) {
            measurements.append(measurement)
            progress(measurement)
        }
        for rate in options.ratesKilobits {
            take(try goodput("goodput", viewers: 1, kilobits: rate, quantum: 0))
        }
        if options.measuresDelay { take(try delay()) }
        if options.measuresViewers {
            take(
                try goodput(
                    "viewers", viewers: options.viewers, kilobits: options.viewerKilobits,
                    quantum: options.quantumNanoseconds))
        }
        if options.measuresKernel { take(try kernel()) }
        return Report(congestionControl: options.congestionControl, measurements: measurements)
    }

    private static let payloadBytes = Double(TCPSegment.payloadBytes)
    private static let packetBytes = Double(TCPSegment.packetBytes)

    private func network(viewers: Int, kilobits: Int, quantum: Int64) throws -> ShellNetwork {
        let rate = Bitrate(kilobitsPerSecond: kilobits)
        // The queue holds twice the bandwidth-delay product, so that it never runs empty.
        let product = rate.bytes(
            inNanoseconds: 2_000_000 * Int64(options.delayMilliseconds))
        let delay = DelayModel(nanoseconds: Int64(options.delayMilliseconds) * 1_000_000)
        let down = LinkSpec(
            rate: .constant(rate), queue: .dropTail(.bytes(max(64_000, 2 * product))),
            delay: delay)
        let up = LinkSpec(rate: .constant(rate), queue: .dropTail(.bytes(64_000)), delay: delay)
        var shell = PacketShell.Options()
        shell.quantumNanoseconds = quantum
        return try ShellNetwork(
            viewers: (0..<viewers).map {
                .init(address: ShellNetwork.viewer($0), down: down, up: up, seed: UInt64($0))
            }, options: shell)
    }

    private func goodput(
        _ name: String, viewers: Int, kilobits: Int, quantum: Int64
    ) throws -> Measurement {
        let network = try network(viewers: viewers, kilobits: kilobits, quantum: quantum)
        let transfers = try BulkTransfers(
            inside: network.inside, outside: network.outside, viewers: viewers,
            congestionControl: options.congestionControl)
        let rates = transfers.measure(warmup: options.warmupSeconds, seconds: options.seconds)
        let report = try network.stop()
        var measurement = measurement(name, viewers, kilobits, report)
        measurement.setGoodput(
            rates, expected: Double(kilobits) * Self.payloadBytes / Self.packetBytes)
        return measurement
    }

    /// Measures the kernel shell, which counts the Ethernet header, too.
    private func kernel() throws -> Measurement {
        let (viewers, kilobits) = (options.viewers, options.viewerKilobits)
        let spec = LinkSpec(
            rate: .constant(Bitrate(kilobitsPerSecond: kilobits)),
            queue: .dropTail(.bytes(64_000)), overhead: .l2)
        let network = try KernelNetwork(
            viewers: (0..<viewers).map {
                .init(address: ShellNetwork.viewer($0), down: spec, up: spec)
            })
        let transfers = try BulkTransfers(
            inside: network.inside, outside: network.outside, viewers: viewers,
            congestionControl: options.congestionControl)
        let rates = transfers.measure(warmup: options.warmupSeconds, seconds: options.seconds)
        var measurement = Measurement(
            name: "kernel", viewers: viewers, rateKilobits: kilobits, seconds: options.seconds)
        measurement.setGoodput(
            rates, expected: Double(kilobits) * Self.payloadBytes / (Self.packetBytes + 14))
        return measurement
    }

    private func delay() throws -> Measurement {
        let kilobits = options.viewerKilobits
        let network = try network(viewers: 1, kilobits: kilobits, quantum: 0)
        let probes = try DelayProbes(
            network, kilobits: kilobits, delayMilliseconds: options.delayMilliseconds)
        let errors = probes.measure(seconds: options.seconds)
        let report = try network.stop()
        var measurement = measurement("delay", 1, kilobits, report)
        measurement.delayErrorP50 = errors.milliseconds(atPercentile: 50)
        measurement.delayErrorP99 = errors.milliseconds(atPercentile: 99)
        measurement.delayErrorMaximum = errors.maximumMilliseconds
        measurement.probes = errors.count
        return measurement
    }

    private func measurement(
        _ name: String, _ viewers: Int, _ kilobits: Int, _ report: ShellReport
    ) -> Measurement {
        var reasons = report.voidReasons
        for viewer in report.viewers where !viewer.down.balances || !viewer.up.balances {
            reasons.append("bytes in and out of the link of \(viewer.address) differ")
        }
        return Measurement(
            name: name, viewers: viewers, rateKilobits: kilobits, seconds: options.seconds,
            cpuCores: report.cpuSeconds / report.wallSeconds,
            releaseP50: report.releaseLateness.milliseconds(atPercentile: 50),
            releaseP99: report.releaseLateness.milliseconds(atPercentile: 99),
            releaseMaximum: report.releaseLateness.maximumMilliseconds,
            packets: report.releaseLateness.count, voidReasons: reasons)
    }
}
