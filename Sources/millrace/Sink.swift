import ArgumentParser
import Glibc
import SimulationKernel
import Statistics
import Viewer

struct Sink: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Accept published streams, count and time them, and throw them away.",
        discussion: """
            The target of a relay:
              millrace sink --port 1936 --seconds 20
              millrace serve --push 'rtmp://127.0.0.1:1936/copy/{stream}'
              millrace publish rtmp://127.0.0.1/live/demo
            Delay is measured on streams published by Millrace, whose frames are stamped: it begins
            at the time for which a frame was planned, and ends when the frame has come whole.
            A stream that comes again goes on with the same account.
            Keys of --json: seconds, refused (by reason), left_out_messages, streams[] (name, \
            sessions, reconnects, orderly_ends, cut_offs, video_messages, audio_messages, \
            payload_bytes, frames, frames_missing, frames_duplicate, delay_p50_ms, delay_p99_ms, \
            delay_max_ms, delay_uncorrected_p99_ms, failure).
            """)

    @Option(help: "Address to listen on.")
    var host = "127.0.0.1"
    @Option(help: "Port to listen on; 0 picks a free one.")
    var port = 1936
    @Option(help: "Seconds until the summary; without it, Ctrl-C ends the sink.")
    var seconds: Int?
    @Option(
        help: ArgumentHelp(
            "Read each connection at this rate only, as a slow target would.",
            valueName: "2Mbps"))
    var readRate: EdgeRate?
    @Flag(help: "Print the summary as JSON.")
    var json = false
    @Flag(name: .shortAndLong, help: "Print no line while the sink runs.")
    var quiet = false

    func validate() throws {
        try check(port, in: 0...65535, "--port")
        if let seconds { try check(seconds, in: 1...31_536_000, "--seconds") }
        if let readRate { try check(readRate.bitsPerSecond, in: 1000...1 << 40, "--read-rate") }
    }

    private var options: SinkOptions {
        var options = SinkOptions()
        options.host = host
        options.port = port
        options.takesAny = true
        options.readRate = readRate.map { Bitrate(bitsPerSecond: $0.bitsPerSecond) }
        return options
    }

    func run() async throws {
        let pool: SinkPool
        do {
            pool = try await SinkPool.listen([], options: options)
        } catch {
            fail("\(error)")
        }
        let name = host.contains(":") ? "[\(host)]" : host
        say("rtmp://\(name):\(pool.port)/<app>/<stream>")
        let begin = ContinuousClock.now
        await waitForEnd(pool)
        let report = try await pool.stop()
        let elapsed = begin.duration(to: .now)
        let summary = SinkSummary(
            report,
            seconds: Double(elapsed.components.seconds)
                + Double(elapsed.components.attoseconds) / 1e18)
        if json { return try printJSON(summary) }
        for line in summary.lines { print(line) }
    }

    /// Waits until the time is over or a signal comes, and says once a second what came.
    private func waitForEnd(_ pool: SinkPool) async {
        let (seconds, isQuiet) = (seconds, quiet)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await Interruption.wait() }
            if let seconds {
                group.addTask { _ = try? await Task.sleep(for: .seconds(seconds)) }
            }
            if !isQuiet {
                group.addTask {
                    var live = SinkLine()
                    while !Task.isCancelled {
                        try? await Task.sleep(for: .seconds(1))
                        guard !Task.isCancelled, let report = try? await pool.interval() else {
                            continue
                        }
                        live.show(report)
                    }
                    live.end()
                }
            }
            await group.next()
            group.cancelAll()
        }
    }
}

/// The line about a running sink: on a terminal it is overwritten each second; elsewhere a line is
/// printed every five seconds.
private struct SinkLine {
    private let isTerminal = isatty(2) == 1
    private var count = 0
    private var bytes = 0
    private var hasShown = false

    mutating func show(_ report: SinkReport) {
        let rate = Double(report.payloadBytes - bytes) * 8 / 1e6
        bytes = report.payloadBytes
        count += 1
        guard isTerminal || count % 5 == 0 else { return }
        var delay = DelayHistogram()
        for one in report.probes.delay.values { delay.add(one) }
        let p99 = delay.milliseconds(atPercentile: 99).map { "\(Figure.plain($0)) ms" } ?? "–"
        let text =
            "\(report.probes.playing) streams live, \(Figure.plain(rate)) Mbit/s, delay p99 \(p99), "
            + "\(report.reconnects) reconnects"
        hasShown = true
        fputs(isTerminal ? "\r\u{1B}[K\(text)" : text + "\n", stderrStream)
    }

    /// Ends the line, so that what follows begins on a new one.
    func end() {
        if isTerminal, hasShown { fputs("\n", stderrStream) }
    }
}
