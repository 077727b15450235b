import Scenario
public import ArgumentParser
import Glibc

import Results
import SimulationKernel
import Sockets
import Statistics
public import Viewer

struct View: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Play a stream with many viewers: load viewers that count, probes that time frames.",
        discussion: """
            millrace view rtmp://127.0.0.1/live/demo --count 500 --probes 10 --duration 20
            millrace view http://127.0.0.1:8080/live/demo.flv --count 50
            millrace view http://127.0.0.1:8080/hls/live/demo/master.m3u8 --algorithm bola-e --link lte
            Delay is measured on streams published by Millrace, whose frames are stamped.
            """)

    @Argument(
        help:
            "rtmp[s]://…, http[s]://….flv or http[s]://….m3u8; {i} becomes the viewer's number modulo --streams."
    )
    var url: String
    @Option(help: "Number of viewers, probes included.")
    var count = 1
    @Option(help: "How many of them time each frame.")
    var probes = 1
    @Option(help: "Streams that {i} runs over.")
    var streams = 1
    @Option(help: "Joins per second.")
    var rate = 200.0
    @Option(help: "Seconds to play after the last join.")
    var duration = 10
    @Option(help: "How load viewers read: lazy (the default) or prompt; not for HLS.")
    var mode: LoadReadMode?
    @Option(help: "kbit/s that each load viewer reads at most; 0 = no limit.")
    var rateLimit = 0
    @Option(
        help: "Link of each viewer: a profile such as lte, a rate such as 3Mbps, or a trace file.")
    var link: String?
    @OptionGroup var tls: TLSOptions
    @OptionGroup(title: "HLS viewers")
    var hls: AdaptiveOptions
    @Option(help: "TCP congestion control; default: the system's.")
    var congestionControl: String?

    func validate() throws {
        try check(count, in: 1...100_000, "--count")
        try check(probes, in: 0...count, "--probes")
        try check(streams, in: 1...100_000, "--streams")
        try check(duration, in: 1...31_536_000, "--duration")
        try check(rate, in: 0.01...1_000_000, "--rate")
        try check(rateLimit, in: 0...100_000_000, "--rate-limit")
        guard rateLimit == 0 || link == nil else {
            throw ValidationError("give --rate-limit or --link, not both")
        }
        if isHLS, mode != nil {
            throw ValidationError(
                "--mode is for RTMP and HTTP-FLV: HLS viewers read as their players do; leave it out"
            )
        }
    }

    /// Numbers of the probes: they sit evenly in the join order.
    var probed: Set<Int> { Set((0..<probes).map { $0 * count / max(1, probes) }) }

    private var isHLS: Bool {
        url.lowercased().prefix(while: { $0 != "?" }).hasSuffix(".m3u8")
    }

    func groupLink() -> GroupLink? {
        do {
            return try link.map { try GroupLink.named($0) }
                ?? (rateLimit > 0 ? .rateLimit(Bitrate(kilobitsPerSecond: rateLimit)) : nil)
        } catch {
            fail("--link: \(error)", code: 2)
        }
    }

    func run() async throws {
        if isHLS { return try await runHLS() }
        let transport: ViewerProtocol = url.lowercased().hasPrefix("http") ? .httpFLV : .rtmp
        let link = groupLink()
        var random = SeededGenerator(seed: 1, entity: "view links")
        let specs = (0..<count).map { i in
            ViewerSpec(
                index: i, transport: transport,
                url: url.replacing("{i}", with: String(i % streams)),
                joinNanoseconds: Int64(Double(i) / rate * 1e9),
                link: link.map {
                    ViewerLinkPlace(
                        link: 0,
                        offsetNanoseconds: Int64(
                            random.nextUnit() * Double($0.cycleNanoseconds)), seed: random.next())
                }, mode: mode ?? .lazy)
        }
        let probed = probed
        var options = LoadViewerPool.Options()
        options.congestionControl = congestionControl
        options.links = (link?.socket).map { [$0] } ?? []
        options.trust = tls.trust
        let load: LoadViewerPool
        let probe: ProbePool
        do {
            load = try LoadViewerPool(specs.filter { !probed.contains($0.index) }, options: options)
            probe = try ProbePool(
                specs.filter { probed.contains($0.index) }, congestionControl: congestionControl,
                links: options.links, trust: tls.trust)
        } catch {
            fail("\(error)", code: 2)
        }
        let (start, window) = makeWindow()
        load.start(atNanoseconds: start, window: window)
        probe.start(atNanoseconds: start, window: window)
        let measured = await wait(for: window)
        if measured != window {
            load.setWindow(measured)
            probe.setWindow(measured)
        }
        let probeReport = try await probe.stop()
        let loadReport = await load.stop()
        let failures = summarise(loadReport, probeReport, measured)
        let total =
            loadReport.viewers.reduce(0) { $0 + $1.total.payloadBytes }
            + probeReport.viewers.reduce(0) { $0 + $1.total.payloadBytes }
        if total == 0 {
            fail(
                "no viewer received any audio or video: "
                    + NothingReceived.reason(
                        loadReport.viewers.map(\.failure) + probeReport.viewers.map(\.failure),
                        url: url))
        }
        if failures > 0 {
            fflush(nil)
            throw ExitCode(1)
        }
    }

    /// When the run begins, and what counts: everything from a second after the last join on.
    func makeWindow() -> (start: Int64, window: SteadyWindow) {
        let start = Clock.monotonicNanoseconds() + 100_000_000
        let steady = start + Int64(Double(count) / rate * 1e9) + 1_000_000_000
        return (
            start,
            SteadyWindow(
                startNanoseconds: steady, endNanoseconds: steady + Int64(duration) * 1_000_000_000)
        )
    }

    /// Until the window is over, or the user has enough of it.
    /// - Returns: what counts.
    func wait(for window: SteadyWindow) async -> SteadyWindow {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await Interruption.wait() }
            group.addTask {
                let left = window.endNanoseconds - Clock.monotonicNanoseconds() + 500_000_000
                try? await Task.sleep(for: .nanoseconds(left))
            }
            await group.next()
            group.cancelAll()
            Interruption.release()
        }
        let end = min(
            window.endNanoseconds, max(window.startNanoseconds, Clock.monotonicNanoseconds()))
        return SteadyWindow(startNanoseconds: window.startNanoseconds, endNanoseconds: end)
    }

    /// Prints what came; returns how many viewers failed.
    private func summarise(
        _ load: LoadReport, _ probe: ProbeReport, _ window: SteadyWindow
    ) -> Int {
        let seconds = Double(window.endNanoseconds - window.startNanoseconds) / 1e9
        let bytes =
            load.viewers.reduce(0) { $0 + $1.window.payloadBytes }
            + probe.viewers.reduce(0) { $0 + $1.window.payloadBytes }
        print("viewers     \(count) (\(probes) probes)")
        if seconds > 0 {
            print(
                "received    \(rounded(Double(bytes) * 8 / seconds / 1e6)) Mbit/s audio and video payload, over \(rounded(seconds)) s"
            )
        } else {
            print("received    no figures: ended before all viewers had joined")
        }
        let received =
            load.viewers.reduce(0) { $0 + $1.total.receivedBytes }
            + probe.viewers.reduce(0) { $0 + $1.total.receivedBytes }
        if let cost = ViewerCost.text(
            received,
            isSecure: url.lowercased().hasPrefix("rtmps") || url.lowercased().hasPrefix("https"))
        {
            print("cost        \(cost)")
        }
        for viewer in probe.viewers { print(Redaction.urls(in: Self.line(viewer))) }
        let failures = load.viewers.compactMap(\.failure) + probe.viewers.compactMap(\.failure)
        for (reason, count) in FailureReasons.ranked(failures) {
            print("failed      \(count): \(Redaction.urls(in: reason))")
        }
        return failures.count
    }

    private static func line(_ viewer: ProbeViewerReport) -> String {
        let failure = viewer.failure.map { ", \($0)" } ?? ""
        let head = "probe \(viewer.index): "
        let stalls = ", stalls \(viewer.stallCount)\(failure)"
        guard viewer.streamID != nil else {
            return head
                + (viewer.total.payloadBytes == 0
                    ? "nothing came\(failure)"
                    : "\(viewer.window.videoMessages) video messages, no stamps (delay needs a stream that Millrace publishes)\(stalls)")
        }
        let frames =
            "\(viewer.windowFrames) frames, \(viewer.missingFrames) missing, \(viewer.duplicateFrames) twice"
        guard let median = viewer.delay.milliseconds(atPercentile: 50),
            let high = viewer.delay.milliseconds(atPercentile: 99),
            let most = viewer.delay.maximumMilliseconds
        else { return head + frames + ", no delay measured" + stalls }
        return head + frames
            + ", delay p50 \(rounded(median)) p99 \(rounded(high)) max \(rounded(most)) ms" + stalls
    }
}

/// What the viewers cost this machine, so that nobody takes their limit for the server's.
enum ViewerCost {
    /// - Parameter received: bytes of all viewers, heads included.
    /// - Returns: nil where too little came to tell.
    static func text(_ received: Int, isSecure: Bool) -> String? {
        guard received > 1_000_000 else { return nil }
        let seconds = Double(Clock.processCPUNanoseconds()) / 1e9
        let each = seconds / (Double(received) * 8 / 1e9)
        let way = isSecure ? ", decrypted by each viewer (TLS)" : ""
        return "\(rounded(each)) CPU s of this process per gigabit received\(way)"
    }
}

/// Why nothing came at all, in the words that help.
enum NothingReceived {
    /// - Parameter failures: of each viewer; nil = it did not fail.
    static func reason(_ failures: [String?], url: String) -> String {
        let url = Redaction.urls(in: url)
        guard let (told, _) = FailureReasons.ranked(failures.compactMap(\.self)).first else {
            return "the server took the viewers and sent none; does anybody publish \(url)?"
        }
        let reason = Redaction.urls(in: told)
        let nobodyAnswered = reason.contains("cannot connect") || reason.contains("does not answer")
        return nobodyAnswered ? "\(reason); is \(url) there?" : reason
    }
}

extension LoadReadMode: ExpressibleByArgument {}
