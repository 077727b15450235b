import Foundation
import Netem
import Processes
package import SimulationKernel
import Sockets
import Statistics
package import Viewer

/// The socket shell: load viewers behind constant links, with a sender that always has more data.
package struct SocketBench: Sendable {
    package struct Report: Codable, Sendable {
        package var benchmark = "socket"
        package var viewers = 0
        package var rateKilobits = 0.0
        package var mode = ""
        package var windowSeconds = 0.0
        /// Payload rate that each viewer should get: rate × 1448 / 1500, because IP and TCP headers
        /// count.
        package var expectedKilobits = 0.0
        /// Difference between the viewers' goodput and the expected goodput, in percent of the
        /// latter: the mean, the smallest and the largest.
        package var errorPercent = 0.0
        package var lowestErrorPercent = 0.0
        package var highestErrorPercent = 0.0
        /// Number of viewers that failed.
        package var failed = 0
        /// Reason why the first of them failed.
        package var failure: String?
        /// CPU of the viewers' thread in the window; 1 is one core.
        package var viewerCores = 0.0
        package var lagP99Milliseconds: Double?
        /// Median over connections of the bytes that the sender has queued (SIOCOUTQ) at the end of
        /// the window.
        package var senderQueueBytes = 0

        private enum CodingKeys: String, CodingKey {
            case benchmark, viewers, mode, failed, failure
            case rateKilobits = "rate_kbps"
            case windowSeconds = "window_s"
            case expectedKilobits = "expected_kbps"
            case errorPercent = "error_pct"
            case lowestErrorPercent = "error_lowest_pct"
            case highestErrorPercent = "error_highest_pct"
            case viewerCores = "viewer_cores"
            case lagP99Milliseconds = "lag_p99_ms"
            case senderQueueBytes = "sender_queue_bytes"
        }
    }

    package var viewers = 1000
    package var rate = Bitrate(kilobitsPerSecond: 2000)
    package var mode = LoadReadMode.lazy
    /// Seconds before the window begins.
    package var warmup = 5
    package var seconds = 20
    /// One-way delay in milliseconds.
    package var delayMilliseconds = 0
    package var congestionControl = "cubic"

    package init() {}

    package func run() async throws -> Report {
        let server = try BulkServer(congestionControl: congestionControl)
        try server.start()
        let specs = (0..<viewers).map { index in
            ViewerSpec(
                index: index, transport: .httpFLV,
                url: "http://127.0.0.1:\(server.port)/live/bulk.flv",
                // All viewers join in the first second.
                joinNanoseconds: Int64(index) * 1_000_000_000 / Int64(viewers),
                link: LinkAssignment(link: 0, seed: UInt64(index)), mode: mode)
        }
        var options = LoadViewerPool.Options()
        options.congestionControl = congestionControl
        options.links = [
            ViewerLink(
                rate: RateSchedule(constant: rate),
                delay: .init(nanoseconds: Int64(delayMilliseconds) * 1_000_000))
        ]
        let pool = try LoadViewerPool(specs, options: options)
        let start = Clock.monotonicNanoseconds() + 100_000_000
        let window = Window(
            startNanoseconds: start + Int64(warmup + 1) * 1_000_000_000,
            endNanoseconds: start + Int64(warmup + 1 + seconds) * 1_000_000_000)
        pool.start(atNanoseconds: start, window: window)
        try await Self.sleep(until: window.startNanoseconds)
        let before = Self.threadCPU("viewers")
        try await Self.sleep(until: window.endNanoseconds)
        let cpu = Self.threadCPU("viewers") - before
        let queues = server.queues.sorted()
        // The viewers' own loop must pass the end of the window.
        try await Task.sleep(for: .milliseconds(100))
        let report = await pool.stop()
        await server.stop()
        return sum(report, cpu: cpu, queue: queues.isEmpty ? 0 : queues[queues.count / 2])
    }

    private func sum(_ load: LoadReport, cpu: Double, queue: Int) -> Report {
        var report = Report()
        report.viewers = viewers
        report.rateKilobits = Double(rate.bitsPerSecond) / 1000
        report.mode = mode.rawValue
        report.windowSeconds = Double(seconds)
        report.expectedKilobits =
            report.rateKilobits * Double(TCPSegment.payloadBytes) / Double(TCPSegment.packetBytes)
        let errors = load.viewers.map { viewer in
            let kbps = Double(viewer.window.receivedBytes) * 8 / 1000 / Double(seconds)
            return (kbps / report.expectedKilobits - 1) * 100
        }
        report.errorPercent = errors.reduce(0, +) / Double(max(1, errors.count))
        report.lowestErrorPercent = errors.min() ?? 0
        report.highestErrorPercent = errors.max() ?? 0
        report.failed = load.viewers.count { $0.failure != nil }
        report.failure = load.viewers.compactMap(\.failure).first
        report.viewerCores = cpu / Double(seconds)
        report.lagP99Milliseconds = load.windowLag.milliseconds(atPercentile: 99)
        report.senderQueueBytes = queue
        return report
    }

    private static func sleep(until moment: Int64) async throws {
        let left = moment - Clock.monotonicNanoseconds()
        if left > 0 { try await Task.sleep(for: .nanoseconds(left)) }
    }

    /// Returns the CPU seconds of this process's threads with a given name.
    private static func threadCPU(_ name: String) -> Double {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
        return tasks.reduce(0) { sum, task in
            guard let comm = ProcFile.read("/proc/self/task/\(task)/comm"),
                comm.trimmingCharacters(in: .whitespacesAndNewlines) == name,
                let schedule = ProcFile.read("/proc/self/task/\(task)/schedstat"),
                let nanoseconds = schedule.split(separator: " ").first.flatMap({ Double($0) })
            else { return sum }
            return sum + nanoseconds / 1e9
        }
    }
}
