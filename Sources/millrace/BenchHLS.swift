import ABR
import ArgumentParser
import Benches
import Statistics

struct BenchHLS: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hls",
        abstract: "Many adaptive HLS viewers in one process: CPU, punctuality; beside wrk.",
        discussion: """
            Each viewer has a link of its own and adapts to it. wrk (apt-get install wrk) fetches \
            one segment of the same origin on as many connections, as fast as it can: it neither \
            adapts nor paces nor reads playlists, so it is a lower bound of what fetching costs.
            Keys of --json: benchmark, viewers, algorithm, media_kbps, mean_bitrate_kbps, \
            viewer_cores, viewer_cpu_s_per_gbit, lag_p99_ms, stall_ratio, failed, segments, \
            server_cores, wrk_cpu_s_per_gbit, wrk_gbit.
            """)

    @Option(help: "Viewers, 1 to 9000.")
    var viewers = 1000
    @Option(help: "kbit/s of each viewer's link.")
    var link = 2500
    @Option(help: "Adaptation algorithm.")
    var algorithm = "throughput"
    @Option(help: "Seconds of the steady window.")
    var duration = 20
    @Flag(help: "Without wrk.")
    var noPeer = false
    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        try check(viewers, in: 1...9000, "--viewers")
        try check(link, in: 100...1_000_000, "--link")
        try check(duration, in: 2...600, "--duration")
        guard AlgorithmName(parsing: algorithm) != nil else {
            throw ValidationError(
                "--algorithm \(algorithm) is none; \(AlgorithmName.allNames.joined(separator: ", "))"
            )
        }
    }

    func run() async throws {
        var options = HLSBench.Options()
        options.viewers = viewers
        options.linkKilobits = link
        options.algorithm = algorithm
        options.seconds = duration
        options.measuresPeer = !noPeer
        do {
            let report = try await HLSBench(options).run()
            if json {
                try printJSON(report)
            } else {
                print(text(report))
            }
        } catch {
            fail("\(error)")
        }
    }

    private func text(_ report: HLSBench.Report) -> String {
        let perViewer = report.viewerCores / Double(report.viewers) * 1000
        var lines = [
            "\(report.viewers) viewers (\(report.algorithm)), each at \(Figure.plain(report.mediaKilobits)) kbit/s of media, renditions of \(Figure.plain(report.meanBitrateKilobits)) kbit/s on average",
            "viewers   \(Figure.plain(report.viewerCores)) cores, \(Figure.plain(perViewer)) ms of CPU a second each, \(Figure.plain(report.cpuPerGigabit)) s/Gbit; lag p99 \(Figure.plain(report.lagP99Milliseconds)) ms",
            "requests  \(report.segments) segments, \(report.failed) failed; stalled \(Figure.plain(report.stallRatio * 100)) %",
            "server    \(Figure.plain(report.serverCores)) cores",
        ]
        if let wrk = report.wrkCPUPerGigabit {
            let share = wrk * report.mediaKilobits / 1e6 * 1000
            lines.append(
                "wrk       \(Figure.plain(wrk)) s/Gbit unpaced, which is \(Figure.plain(share)) ms of CPU a second for each viewer's rate; ours over wrk's: \(Figure.plain(report.cpuPerGigabit / wrk))"
            )
        } else if !noPeer {
            lines.append("wrk       not installed (apt-get install wrk)")
        }
        return lines.joined(separator: "\n")
    }
}
