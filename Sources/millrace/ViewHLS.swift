import Scenario
import ABR
import ArgumentParser
import Glibc

import Netem
import Results
import SimulationKernel
import Statistics
import Viewer

/// How HLS viewers play.
struct AdaptiveOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Adaptation: \(AlgorithmName.allNames.joined(separator: ", ")) (fixed:N for rung N).",
            valueName: "name"))
    var algorithm = "hls-js"
    @Option(help: "Seconds of media that the player holds at most.")
    var buffer = 30.0
    @Option(help: "Caps the picture's height: phone, tablet or pc.")
    var device: String?
    @Option(help: "Seconds behind the live edge; default: what the playlist asks for.")
    var latency: Double?
    @Flag(inversion: .prefixedNo, help: "Play parts where the server offers low latency.")
    var parts = true
    @Flag(inversion: .prefixedNo, help: "Give downloads up for a lower rendition.")
    var abandon = true

    func validate() throws {
        guard AlgorithmName(parsing: algorithm) != nil else {
            let nearest = NameDistance.nearest(to: algorithm, among: AlgorithmName.allNames)
            throw ValidationError(
                "--algorithm \(algorithm) is none; "
                    + (nearest.map { "did you mean '\($0)'?" } ?? "see millrace simulate --list"))
        }
        if let device {
            do {
                _ = try DeviceProfile(named: device)
            } catch {
                throw ValidationError("--device: \(error)")
            }
        }
        try check(buffer, in: 0.1...3600, "--buffer")
        if let latency { try check(latency, in: 0.1...3600, "--latency") }
    }

    func apply(to spec: inout HLSViewerSpec) {
        spec.algorithm = algorithm
        spec.maximumBufferMilliseconds = buffer * 1000
        spec.maximumHeight = device.flatMap { try? DeviceProfile(named: $0).maximumHeight }
        spec.targetLatencyMilliseconds = latency.map { $0 * 1000 }
        spec.usesParts = parts
        spec.abandons = abandon
    }
}

extension View {
    /// Adaptive viewers instead of those that play one stream.
    func runHLS() async throws {
        let link = groupLink()
        var random = SeededGenerator(seed: 1, entity: "view links")
        let probed = probed
        let specs = (0..<count).map { i in
            var spec = HLSViewerSpec(
                index: i, url: url.replacing("{i}", with: String(i % streams)),
                joinNanoseconds: Int64(Double(i) / rate * 1e9))
            hls.apply(to: &spec)
            spec.isProbe = probed.contains(i)
            spec.link = link.map {
                ViewerLinkPlace(
                    link: 0,
                    offsetNanoseconds: Int64(random.nextUnit() * Double($0.cycleNanoseconds)),
                    seed: random.next())
            }
            return spec
        }
        var options = HLSViewerPool.Options()
        options.congestionControl = congestionControl
        options.links = (link?.socket).map { [$0] } ?? []
        options.trust = tls.trust
        // Probes read what they fetch, and hold up nobody else's loop.
        let pools: [HLSViewerPool]
        do {
            pools = try [false, true].map { isProbe in specs.filter { $0.isProbe == isProbe } }
                .filter { !$0.isEmpty }.map { try HLSViewerPool($0, options: options) }
        } catch {
            fail("\(error)", code: 2)
        }
        let (start, window) = makeWindow()
        for pool in pools { pool.start(atNanoseconds: start, window: window) }
        let measured = await wait(for: window)
        var report = HLSReport()
        for pool in pools {
            if measured != window { pool.setWindow(measured) }
            let part = await pool.stop()
            report.viewers += part.viewers
            report.windowLag.add(part.windowLag)
        }
        let failures = HLSSummary(
            report, measured, isSecure: url.lowercased().hasPrefix("https")
        ).show(algorithm: hls.algorithm)
        if report.viewers.allSatisfy({ $0.mediaBytes == 0 }) {
            fail(
                "no viewer received any media: "
                    + NothingReceived.reason(
                        report.viewers.map { $0.failure ?? $0.trouble }, url: url))
        }
        if failures > 0 {
            fflush(nil)
            throw ExitCode(1)
        }
    }
}

/// What HLS viewers saw, for people.
private struct HLSSummary {
    let report: HLSReport
    let window: SteadyWindow
    let isSecure: Bool

    init(_ report: HLSReport, _ window: SteadyWindow, isSecure: Bool) {
        self.report = report
        self.window = window
        self.isSecure = isSecure
    }

    /// - Returns: how many viewers failed.
    func show(algorithm: String) -> Int {
        let seconds = Double(window.endNanoseconds - window.startNanoseconds) / 1e9
        let viewers = report.viewers
        let bytes = viewers.reduce(0) { $0 + $1.windowMediaBytes }
        line("viewers", "\(viewers.count), \(viewers.count { $0.isLive }) live")
        let rungs = viewers.map(\.bitrates.count).max() ?? 0
        if case .fixed(let rung) = AlgorithmName(parsing: algorithm), rungs > 0, rung >= rungs {
            line("rungs", "0 to \(rungs - 1): rung \(rung) is none, the highest was played")
        }
        let all = viewers.reduce(0) { $0 + $1.mediaBytes }
        if seconds <= 0 {
            line("received", "no figures: ended before all viewers had joined")
        } else if bytes == 0, all > 0 {
            line(
                "received",
                "\(rounded(Double(all) / 1e6)) MB of media, all of it before the time that is measured"
            )
        } else {
            line(
                "received",
                "\(rounded(Double(bytes) * 8 / seconds / 1e6)) Mbit/s of media, over \(rounded(seconds)) s"
            )
        }
        let played = viewers.filter { $0.playback.segments > 0 }
        line(
            "bit rate",
            spread(played.compactMap(\.playback.meanBitrate), "kbit/s, mean of a viewer"))
        line("start-up", spread(played.map(\.playback.startup), "s"))
        line("stalled", spread(played.map(\.playback.stalled), "s"))
        line("switches", spread(played.map { Double($0.playback.switches) }, "a viewer"))
        line("latency", spread(played.compactMap(\.playback.liveLatency), "s behind the live edge"))
        if seconds > 0 { printDelay(viewers.compactMap(\.probe)) }
        let counts = viewers.map(\.requests)
        func sum(_ value: (HLSRequestCounts) -> Int) -> Int { counts.reduce(0) { $0 + value($1) } }
        line(
            "requests",
            "\(sum(\.playlists)) playlists (\(sum(\.blocked)) held back), \(sum(\.segments)) segments, \(sum(\.parts)) parts; \(sum(\.refused)) refused, \(sum(\.serverErrors)) server errors, \(sum(\.timeouts)) time-outs, \(sum(\.broken)) broken, \(sum(\.abandoned)) given up"
        )
        let received = viewers.reduce(0) { $0 + $1.receivedBytes }
        if let cost = ViewerCost.text(received, isSecure: isSecure) { line("cost", cost) }
        printOddities(sum)
        if let tightest = counts.compactMap(\.tightestReload).min() {
            line("reloads", "tightest \(rounded(tightest)) of the interval that RFC 8216bis allows")
        }
        line(
            "lag",
            "p50 \(late(50)), p99 \(late(99)) ms behind the viewers' own deadlines")
        let failures = viewers.compactMap(\.failure)
        for (reason, count) in FailureReasons.ranked(failures) {
            line("failed", "\(count): \(reason)")
        }
        return failures.count
    }

    /// What was passed over or made good, and would else show nowhere.
    private func printOddities(_ sum: ((HLSRequestCounts) -> Int) -> Int) {
        let missing = report.viewers.reduce(0) { $0 + $1.playback.missing }
        if sum(\.missingSegments) > 0 {
            line(
                "missing",
                "\(sum(\.missingSegments)) segments that no rendition has (EXT-X-GAP), \(rounded(missing)) s passed over"
            )
        }
        for (count, what) in [
            (sum(\.olderCopies), "playlists older than the one before, kept out"),
            (sum(\.badLines), "lines of playlists that break RFC 8216, passed over"),
            (sum(\.ignoredRanges), "answers with a whole resource instead of the bytes asked for"),
            (
                sum(\.repeated),
                "requests sent again at once: kept connections brought no answer, or none that can be read"
            ),
        ] where count > 0 {
            line("note", "\(count) \(what)")
        }
    }

    private func printDelay(_ probes: [HLSProbeReport]) {
        guard !probes.isEmpty else { return }
        var delay = DelayHistogram()
        for rung in probes.flatMap(\.rungs) { delay.add(rung.delay) }
        let who = "\(probes.count) probe\(probes.count == 1 ? "" : "s")"
        if let median = delay.milliseconds(atPercentile: 50),
            let high = delay.milliseconds(atPercentile: 99)
        {
            line(
                "delay",
                "p50 \(rounded(median)), p99 \(rounded(high)) ms from the publisher's schedule to \(who)"
            )
        } else {
            line(
                "delay",
                "none at \(who): it needs a stream that Millrace publishes, stamps and all"
            )
        }
        if let problem = probes.lazy.compactMap(\.problem).first {
            let unreadable = probes.reduce(0) { $0 + $1.unreadable }
            line("unreadable", "\(unreadable) segments at probes: \(problem)")
        }
    }

    private func late(_ percentile: Double) -> String {
        report.windowLag.milliseconds(atPercentile: percentile).map { rounded($0) } ?? "–"
    }

    private func line(_ name: String, _ text: String) {
        print(
            name + String(repeating: " ", count: max(1, 12 - name.count))
                + Redaction.urls(in: text))
    }

    private func spread(_ values: [Double], _ unit: String) -> String {
        guard !values.isEmpty else { return "–" }
        let sorted = values.sorted()
        let mean = values.reduce(0, +) / Double(values.count)
        return
            "\(rounded(mean)) \(unit) (median \(rounded(Quantile.sorted(sorted, 0.5))), \(rounded(sorted[0])) to \(rounded(sorted[sorted.count - 1])))"
    }
}
