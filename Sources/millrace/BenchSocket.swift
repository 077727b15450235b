import Benches
import ArgumentParser

import SimulationKernel
import Viewer

struct BenchSocket: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "socket",
        abstract:
            "Links on sockets: goodput of load viewers, their CPU, and what the sender feels.",
        discussion: """
            A sender in this process that always has more to send, over loopback, to load viewers \
            behind constant links; one CPU is the sender's, one the viewers'.
            Keys of --json: benchmark, viewers, rateKbps, mode, windowS, expectedKbps (rate × \
            1448/1500), meanErrorPercent, lowestErrorPercent, highestErrorPercent, failed, failure, \
            viewerCores, lagP99Ms, senderQueueBytes (median SIOCOUTQ).
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
        func percent(_ value: Double) -> String { "\((value * 1000).rounded() / 1000) %" }
        print(
            """
            \(report.viewers) \(report.mode) viewers at \(report.rateKbps) kbit/s, \(duration) s: \
            goodput mean \(percent(report.meanErrorPercent)), from \
            \(percent(report.lowestErrorPercent)) to \(percent(report.highestErrorPercent)) off \
            \((report.expectedKbps * 10).rounded() / 10) kbit/s; \(report.failed) failed\
            \(report.failure.map { " (\($0))" } ?? "")
            viewers' CPU \((report.viewerCores * 1000).rounded() / 1000) cores, loop lag p99 \
            \(report.lagP99Ms.map { "\(rounded($0))" } ?? "–") ms; the sender has a median of \
            \(report.senderQueueBytes) bytes queued per viewer
            """)
    }
}
