import Glibc
import HTTPWire
import Publisher
import Statistics
import Viewer

/// The progress of a run on standard error. On a terminal one line is overwritten again and again;
/// elsewhere a line is added every five seconds.
struct TrialProgress {
    private let isTerminal = isatty(2) == 1
    private let isQuiet: Bool
    private var lastLine = -10.0

    init(quiet: Bool) { isQuiet = quiet }

    /// - Parameter elapsed: Seconds since the shared start time.
    mutating func show(
        _ live: TrialObservations.Live, elapsed: Double, total: Double, phase: String
    ) {
        guard !isQuiet, isTerminal || elapsed - lastLine >= 5 else { return }
        lastLine = elapsed
        let viewers =
            live.load.values.reduce(0) { $0 + $1.playing }
            + live.probes.values.reduce(0) { $0 + $1.playing }
            + live.hls.values.reduce(0) { $0 + $1.playing }
        let frames = live.publishers.values.reduce(0) { sum, report in
            sum + report.streams.reduce(0) { $0 + $1.framesSent }
        }
        let bytes =
            live.load.values.reduce(0) { $0 + $1.receivedBytes }
            + live.hls.values.reduce(0) { $0 + $1.receivedBytes }
        let late = live.publisherLateness.milliseconds(atPercentile: 99).map { tenths($0) } ?? "–"
        let width = 24
        let done = min(width, Int(elapsed / max(total, 0.001) * Double(width)))
        let bar = String(repeating: "█", count: done) + String(repeating: "░", count: width - done)
        write(
            "\(phase) \(bar) \(tenths(elapsed))/\(tenths(total)) s, \(viewers) playing, \(frames) frames sent, \(bytes >> 20) MiB received, publisher lag p99 \(late) ms"
        )
    }

    mutating func say(_ text: String) {
        guard !isQuiet else { return }
        if isTerminal, lastLine > -10 { fdWrite("\n") }
        lastLine = -10
        // Children's last words may have several lines and may quote a server.
        for line in text.split(separator: "\n") { fdWrite(line.printable(limit: 4096) + "\n") }
    }

    private func write(_ line: String) { fdWrite(isTerminal ? "\r\u{1B}[K\(line)" : line + "\n") }

    private func tenths(_ value: Double) -> String {
        let scaled = Int((value * 10).rounded())
        return "\(scaled / 10).\(abs(scaled) % 10)"
    }

    private func fdWrite(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(2, bytes, bytes.count)
    }
}
