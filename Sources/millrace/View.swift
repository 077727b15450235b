public import ArgumentParser
import Glibc
import Scenario
import SimulationKernel
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
        if AudiencePlan.isHLS(url), mode != nil {
            throw ValidationError(
                "--mode is for RTMP and HTTP-FLV: HLS viewers read as their players do; leave it out"
            )
        }
    }

    private func plan() -> AudiencePlan {
        var plan = AudiencePlan(url: url, count: count, probes: probes)
        plan.streams = streams
        plan.joinsPerSecond = rate
        plan.seconds = duration
        do {
            let link: GroupLink? =
                try link.map { try GroupLink.named($0) }
                ?? (rateLimit > 0 ? .rateLimit(Bitrate(kilobitsPerSecond: rateLimit)) : nil)
            plan.link = link.flatMap { link in
                link.socket.map { AudiencePlan.Link($0, cycleNanoseconds: link.cycleNanoseconds) }
            }
        } catch {
            fail("--link: \(error)", code: 2)
        }
        return plan
    }

    func run() async throws {
        let plan = plan()
        var options = AudienceOptions()
        options.congestionControl = congestionControl
        options.trust = tls.trust
        let failures: Int
        if AudiencePlan.isHLS(url) {
            failures = await runAdaptive(plan, options)
        } else {
            failures = try await runStreams(plan, options)
        }
        if failures > 0 {
            fflush(nil)
            throw ExitCode(1)
        }
    }

    /// - Returns: Number of viewers that failed.
    private func runStreams(_ plan: AudiencePlan, _ options: AudienceOptions) async throws -> Int {
        let audience: StreamAudience
        do {
            audience = try StreamAudience(plan, mode: mode ?? .lazy, options: options)
        } catch {
            fail("\(error)", code: 2)
        }
        let summary = try await audience.play { _ = await Interruption.wait() }
        for line in StreamAudienceText(summary, plan).lines { print(line) }
        if summary.totalPayloadBytes == 0 {
            fail(
                "no viewer received any audio or video: "
                    + NothingReceived.reason(summary.failures, url: url))
        }
        return summary.failures.count { $0 != nil }
    }

    /// - Returns: Number of viewers that failed.
    private func runAdaptive(_ plan: AudiencePlan, _ options: AudienceOptions) async -> Int {
        let audience: AdaptiveAudience
        do {
            audience = try AdaptiveAudience(plan, like: hls.player, options: options)
        } catch {
            fail("\(error)", code: 2)
        }
        let summary = await audience.play { _ = await Interruption.wait() }
        for line in AdaptiveAudienceText(summary, plan, algorithm: hls.algorithm).lines {
            print(line)
        }
        if summary.mediaBytes == 0 {
            fail(
                "no viewer received any media: "
                    + NothingReceived.reason(summary.troubles, url: url))
        }
        return summary.failures.count { $0 != nil }
    }
}

extension LoadReadMode: ExpressibleByArgument {}
