import ArgumentParser
import Benches
import Foundation
import NetemShell
import Scenario
import SimulationKernel
import Statistics

struct BenchFanout: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fanout",
        abstract: "One publisher, many RTMP viewers: server CPU per gigabit and frame delay.",
        discussion: """
            Alternating pairs of the embedded stack and the peer, server pinned to CPU 0, all load \
            to CPU 1, no capture, cubic on both (in a network namespace of the bench's own: root).
            Keys of --json: benchmark, against, streams, viewers, bitrate_kbps, flush_interval_ms, \
            measurements[] (server, mode, pair, gigabits, server_cpu_s_per_gbit, \
            viewer_cpu_s_per_gbit, delay_p50_ms, delay_p99_ms, frames_missing, server_rss_bytes, \
            cached_bytes (of the embedded stack, for joining players), server_threads, \
            switches_per_s, run_delay_ms_per_s, publisher_lag_p99_ms, congestion_control), \
            ratios[] (mode, cpu_per_gbit, delay_p99, delay_p50, server_rss: medians over the pairs \
            of embedded over peer). A figure that was not measured has no key.
            With --floor, --flush or --peers, each round runs all servers and settings, and the \
            medians are the front of CPU against delay. Keys of --json: benchmark, streams, \
            viewers, bitrate_kbps, rounds, measurements[] (as above, and flush_interval_ms), \
            rows[] (server, mode, flush_interval_ms, server_cpu_s_per_gbit, delay_p50_ms, \
            delay_p99_ms, times_floor, place, behind, frames_missing).
            """)

    @Option(help: "Viewers, probes included.")
    var viewers = 1000
    @Option(help: "Probes among them.")
    var probes = 20
    @OptionGroup var shared: FanoutOptions
    @OptionGroup var front: FrontOptions

    func validate() throws {
        try check(viewers, in: 1...15_000, "--viewers")
        try check(probes, in: 1...viewers, "--probes")
    }

    func run() async throws {
        if front.isAsked {
            return try await front.run(shared, viewers: viewers, probes: probes)
        }
        try await shared.run(streams: 1, viewers: viewers, probes: probes)
    }
}

struct BenchRelay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay",
        abstract: "Many publishers with a few RTMP viewers or targets each, beside a peer.",
        discussion: """
            As bench fanout, with many streams: alternating pairs, server pinned to CPU 0, all load \
            to CPU 1, no capture, cubic on both (in a network namespace of the bench's own: root).
            With --push, both servers push each stream to sinks, which time every frame; the mode \
            is then push.
            With --models, the embedded stack also runs with a sender thread for each receiver \
            (per-session) and for each stream (per-stream), in the same pairs.
            With --push and --fault, the embedded stack runs with the fault and without it instead \
            of beside a peer: stalled-target (the last target of the first stream reads 8 kbit/s), \
            lost-publisher (that of the first stream is gone for 3 s) or flooded-api (1,000 \
            requests to its API in a second). The delays are then those of the other streams; with \
            flooded-api, of all.
            Keys of --json: those of bench fanout; with --models or --fault also fault, medians[] \
            (server, mode, \
            threads, server_cpu_s_per_gbit, delay_p50_ms, delay_p99_ms, server_rss_bytes, \
            cached_bytes, switches_per_s, run_delay_ms_per_s).
            """)

    @Option(help: "Published streams.")
    var streams = 100
    @Option(help: "Viewers, or targets, of each stream.")
    var viewersEach = 2
    @Flag(help: "Push each stream to sinks instead of letting viewers play it.")
    var push = false
    @Option(help: "Sink processes, with --push.")
    var sinks = 1
    @Flag(help: "Measure the models with sender threads as well: per-session and per-stream.")
    var models = false
    @Option(
        help: ArgumentHelp(
            "Compare with a fault: stalled-target, lost-publisher or flooded-api; needs --push.",
            valueName: "fault"))
    var fault: String?
    @Option(help: "Probes among all viewers.")
    var probes = 20
    @OptionGroup var shared: FanoutOptions

    func validate() throws {
        try check(streams, in: 2...1000, "--streams")
        try check(viewersEach, in: 1...100, "--viewers-each")
        try check(probes, in: 1...streams * viewersEach, "--probes")
        if push { try check(viewersEach, in: 1...64, "--viewers-each with --push") }
        try check(sinks, in: 1...viewersEach, "--sinks")
        // The server starts no more sender threads.
        if models { try check(streams * viewersEach, in: 2...4096, "receivers with --models") }
        guard try relayFault() != nil else { return }
        guard push, !models else {
            throw ValidationError("--fault needs --push, and goes without --models")
        }
        // The publisher is back within the window.
        try check(shared.duration, in: 5...600, "--duration with --fault")
    }

    private func relayFault() throws -> RelayFault? {
        guard let fault else { return nil }
        if let known = RelayFault(rawValue: fault) { return known }
        let names = RelayFault.allCases.map(\.rawValue)
        let nearest = NameDistance.nearest(to: fault, among: names)
        throw ValidationError(
            "--fault is '\(fault)'; it takes \(names.joined(separator: ", "))"
                + (nearest.map { "; did you mean '\($0)'?" } ?? ""))
    }

    func run() async throws {
        try await shared.run(
            streams: streams, viewers: streams * viewersEach, probes: probes,
            sinks: push ? sinks : nil, hasModels: models, fault: try relayFault())
    }
}

/// Options of the benches that run a `FanoutBench`, and the printing of its measurements.
struct FanoutOptions: ParsableArguments {
    @Option(help: "The peer: nginx-rtmp.")
    var against = "nginx-rtmp"
    @Option(help: "Alternating pairs.")
    var pairs = 5
    @Option(help: "kbit/s of each stream.")
    var bitrate = 2000
    @Option(help: "Seconds of each steady window.")
    var duration = 10
    @Option(
        help:
            "Milliseconds for which messages wait in the embedded stack, to leave together, or auto."
    )
    var flushInterval = FlushIntervalArgument(milliseconds: nil)
    @Option(help: "Chunk size of what nginx-rtmp sends; 4096 is its default.")
    var peerChunkSize = 4096
    @Flag(help: "Skip the table with lazy load viewers.")
    var promptOnly = false
    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        try check(pairs, in: 1...100, "--pairs")
        try check(bitrate, in: 200...100_000, "--bitrate")
        try check(duration, in: 2...600, "--duration")
        try check(peerChunkSize, in: 128...1_048_576, "--peer-chunk-size")
        guard against == "nginx-rtmp" else {
            throw ValidationError("--against is '\(against)'; the peer built in is nginx-rtmp")
        }
        guard ProcessInfo.processInfo.processorCount >= 2 else {
            throw ValidationError(
                "the bench pins server and load to two CPUs; this machine has one")
        }
    }

    /// - Parameters:
    ///   - sinks: Sink processes to which the servers push; nil = viewers play.
    ///   - hasModels: Whether the models with sender threads are measured as well.
    ///   - fault: Fault in one run of each pair; nil = a peer runs.
    func run(
        streams: Int, viewers: Int, probes: Int, sinks: Int? = nil, hasModels: Bool = false,
        fault: RelayFault? = nil
    ) async throws {
        if let why = NetworkIsolation.enter(congestionControl: "cubic") {
            fail("this bench needs the same congestion control on both servers; \(why)")
        }
        var options = FanoutBench.Options()
        options.pairs = pairs
        options.streams = streams
        options.viewers = viewers
        options.probes = probes
        options.bitrateKilobits = bitrate
        options.seconds = duration
        options.flushInterval = flushInterval.milliseconds
        options.peerChunkSize = peerChunkSize
        if promptOnly { options.modes = [.prompt] }
        if let sinks { (options.pushes, options.sinks) = (true, sinks) }
        options.hasModels = hasModels
        options.fault = fault
        let report: FanoutBench.Report
        do {
            report = try await FanoutBench(options).run { measurement in
                say(Self.line(measurement))
            }
        } catch {
            fail("\(error)")
        }
        if json {
            return try printJSON(report)
        }
        printTables(report, receivers: sinks == nil ? "viewers" : "targets")
    }

    private func printTables(_ report: FanoutBench.Report, receivers: String) {
        print(
            "\(report.benchmark): streams \(report.streams), RTMP \(receivers) "
                + "\(report.viewers), \(bitrate) kbit/s each")
        print("flush interval \(flushInterval.defaultValueDescription)")
        print("server      mode   # CPU    viewers p50   p99    RSS   cache thr sw/s   wait  miss")
        for measurement in report.measurements { print(Self.line(measurement)) }
        print(
            """
            CPU is the server's in seconds per gigabit, beside that of the viewers; p50 and
            p99 are delays in ms. RSS is the server's peak in MB, and cache that of what it
            keeps for joining players. The server has thr threads, which switch sw/s times
            in a second and wait so many ms of it for a CPU; miss is the number of frames
            that did not arrive.
            """)
        for row in report.medians ?? [] {
            print(
                """
                \(row.server), \(row.mode) readers, median of \(pairs): CPU \
                \(Figure.plain(row.cpuPerGigabit, digits: 3)), p50 \
                \(Figure.plain(row.delayP50Milliseconds)), p99 \
                \(Figure.plain(row.delayP99Milliseconds)) ms,
                  RSS \(Self.megabytes(row.rssBytes)) MB, cache \
                \(Self.megabytes(row.cachedBytes)) MB, threads \
                \(Figure.plain(row.threads, digits: 0)), switches \
                \(Figure.plain(row.switchesPerSecond, digits: 0))/s, wait \
                \(Figure.plain(row.runDelayMillisecondsPerSecond, digits: 1)) ms/s
                """)
        }
        for ratio in report.ratios {
            print(
                """
                \(report.fault?.rawValue ?? "embedded") / \(report.against), \(ratio.mode) readers, median of \(pairs): CPU \
                \(Figure.plain(ratio.cpuPerGigabit)),
                  delay p99 \(Figure.plain(ratio.delayP99)), p50 \(Figure.plain(ratio.delayP50)), \
                RSS \(Figure.plain(ratio.serverRSS))
                """)
        }
    }

    private static func line(_ m: FanoutBench.Measurement) -> String {
        let cells: [(String, Int)] = [
            (m.server, 12), (m.mode, 7), ("\(m.pair)", 2),
            (Figure.plain(m.serverCPUPerGigabit, digits: 3), 7),
            (Figure.plain(m.viewerCPUPerGigabit, digits: 3), 8),
            (Figure.plain(m.delayP50Milliseconds), 6), (Figure.plain(m.delayP99Milliseconds), 7),
            (megabytes(Double(m.serverRSSBytes)), 6),
            (megabytes(m.cachedBytes.map { Double($0) }), 6),
            (Figure.integer(m.serverThreads), 4),
            (Figure.plain(m.switchesPerSecond, digits: 0), 7),
            (Figure.plain(m.runDelayMillisecondsPerSecond, digits: 1), 6),
        ]
        return cells.map { Figure.flushLeft($0.0, $0.1) }.joined() + "\(m.framesMissing)"
    }

    private static func megabytes(_ bytes: Double?) -> String {
        Figure.plain(bytes.map { $0 / 1e6 }, digits: 1)
    }
}
