import Benches
import ABR
import ArgumentParser
import Foundation
import Glibc

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
            "\(report.viewers) viewers (\(report.algorithm)), each at \(rounded(report.mediaKilobits)) kbit/s of media, rungs of \(rounded(report.meanBitrateKilobits)) kbit/s on average",
            "viewers   \(rounded(report.viewerCores)) cores, \(rounded(perViewer)) ms of CPU a second each, \(rounded(report.cpuPerGigabit)) s/Gbit; lag p99 \(rounded(report.lagP99Milliseconds)) ms",
            "requests  \(report.segments) segments, \(report.failed) failed; stalled \(rounded(report.stallRatio * 100)) %",
            "server    \(rounded(report.serverCores)) cores",
        ]
        if let wrk = report.wrkCPUPerGigabit {
            let share = wrk * report.mediaKilobits / 1e6 * 1000
            lines.append(
                "wrk       \(rounded(wrk)) s/Gbit unpaced, which is \(rounded(share)) ms of CPU a second for each viewer's rate; ours over wrk's: \(rounded(report.cpuPerGigabit / wrk))"
            )
        } else if !noPeer {
            lines.append("wrk       not installed (apt-get install wrk)")
        }
        return lines.joined(separator: "\n")
    }
}
