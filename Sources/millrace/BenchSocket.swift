import ArgumentParser
import Benches
import SimulationKernel
import Statistics
import Viewer

struct BenchSocket: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "socket",
        abstract:
            "Links on sockets: goodput of load viewers, their CPU, and what the sender feels.",
        discussion: """
            A sender in this process that always has more to send, over loopback, to load viewers \
            behind constant links; one CPU is the sender's, one the viewers'.
            Keys of --json: benchmark, viewers, rate_kbps, mode, window_s, expected_kbps (rate × \
            1448/1500), error_pct (mean), error_lowest_pct, error_highest_pct, failed, failure, \
            viewer_cores, lag_p99_ms, sender_queue_bytes (median SIOCOUTQ).
            """)

    @Option(help: "Viewers.")
    var viewers = 1000
    @Option(help: "kbit/s of each link, IP and TCP headers included.")
    var rate = 2000
    @Option(help: "One-way delay, milliseconds.")
    var delay = 0
    @Option(help: "How they read: lazy or prompt.")
    var mode = LoadReadMode.lazy
    @Option(help: "Seconds that are measured.")
    var duration = 20
    @Option(help: "Seconds before.")
    var warmup = 5
    @Option(help: "TCP congestion control of the sender.")
    var congestionControl = "cubic"
    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        try check(viewers, in: 1...15_000, "--viewers")
        try check(rate, in: 1...10_000_000, "--rate")
        try check(delay, in: 0...10_000, "--delay")
        try check(duration, in: 1...3600, "--duration")
        try check(warmup, in: 0...600, "--warmup")
    }

    func run() async throws {
        var bench = SocketBench()
        bench.viewers = viewers
        bench.rate = Bitrate(kilobitsPerSecond: rate)
        bench.mode = mode
        bench.seconds = duration
        bench.warmup = warmup
        bench.delayMilliseconds = delay
        bench.congestionControl = congestionControl
        let report: SocketBench.Report
        do {
            report = try await bench.run()
        } catch {
            fail("\(error)")
        }
        if json { return try printJSON(report) }
        func percent(_ value: Double) -> String { Figure.short(value, digits: 3) + " %" }
        print(
            """
            \(report.viewers) \(report.mode) viewers at \(report.rateKilobits) kbit/s, \(duration) s: \
            goodput mean \(percent(report.errorPercent)), from \
            \(percent(report.lowestErrorPercent)) to \(percent(report.highestErrorPercent)) off \
            \(Figure.short(report.expectedKilobits, digits: 1)) kbit/s; \(report.failed) failed\
            \(report.failure.map { " (\($0))" } ?? "")
            viewers' CPU \(Figure.short(report.viewerCores, digits: 3)) cores, loop lag p99 \
            \(Figure.plain(report.lagP99Milliseconds)) ms; the sender has a median of \
            \(report.senderQueueBytes) bytes queued per viewer
            """)
    }
}
