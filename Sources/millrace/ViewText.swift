import ABR
import Results
import Sockets
import Statistics
import Viewer

/// Describes what viewers of RTMP and HTTP-FLV received, in lines for people.
struct StreamAudienceText {
    private let summary: StreamAudienceSummary
    private let plan: AudiencePlan

    init(_ summary: StreamAudienceSummary, _ plan: AudiencePlan) {
        self.summary = summary
        self.plan = plan
    }

    var lines: [String] {
        let isSecure = ["rtmps", "https"].contains { plan.url.lowercased().hasPrefix($0) }
        var lines = [
            AudienceText.line(
                "viewers", "\(plan.count) (\(Figure.count(plan.probes, "probe")))"),
            AudienceText.line("received", received),
        ]
        lines += AudienceText.cost(summary.receivedBytes, isSecure: isSecure)
        lines += summary.probes.map { Redaction.urls(in: line(of: $0)) }
        lines += AudienceText.failures(summary.failures)
        return lines
    }

    private var received: String {
        guard let rate = summary.payloadMegabits else { return AudienceText.noFigures }
        return
            "\(Figure.plain(rate)) Mbit/s audio and video payload, over \(Figure.plain(summary.seconds)) s"
    }

    private func line(of probe: StreamAudienceSummary.Probe) -> String {
        let failure = probe.failure.map { ", \($0)" } ?? ""
        let head = "probe \(probe.index): "
        let stalls = ", stalls \(probe.stalls)\(failure)"
        switch probe.frames {
        case .nothingCame: return head + "nothing came\(failure)"
        case .unstamped(let messages):
            return head
                + "\(messages) video messages, no stamps (delay needs a stream that Millrace publishes)\(stalls)"
        case .stamped(let received, let missing, let twice, let delay):
            let frames = "\(received) frames, \(missing) missing, \(twice) twice"
            guard let delay else { return head + frames + ", no delay measured" + stalls }
            return head + frames
                + ", delay p50 \(Figure.plain(delay.p50)) p99 \(Figure.plain(delay.p99)) max \(Figure.plain(delay.maximum)) ms"
                + stalls
        }
    }
}

/// Describes what adaptive viewers received, in lines for people.
struct AdaptiveAudienceText {
    private let summary: AdaptiveAudienceSummary
    private let plan: AudiencePlan
    private let algorithm: String

    init(_ summary: AdaptiveAudienceSummary, _ plan: AudiencePlan, algorithm: String) {
        self.summary = summary
        self.plan = plan
        self.algorithm = algorithm
    }

    var lines: [String] {
        let isSecure = plan.url.lowercased().hasPrefix("https")
        var lines = [AudienceText.line("viewers", "\(summary.viewers), \(summary.live) live")]
        lines += unknownRendition
        lines += [
            AudienceText.line("received", received),
            AudienceText.line("bit rate", spread(summary.bitrate, "kbit/s, mean of a viewer")),
            AudienceText.line("start-up", spread(summary.startup, "s")),
            AudienceText.line("stalled", spread(summary.stalled, "s")),
            AudienceText.line("switches", spread(summary.switches, "a viewer")),
            AudienceText.line("latency", spread(summary.latency, "s behind the live edge")),
        ]
        lines += delay
        lines.append(AudienceText.line("requests", requests))
        lines += AudienceText.cost(summary.receivedBytes, isSecure: isSecure)
        lines += oddities
        lines += reloads
        lines.append(AudienceText.line("lag", lag))
        lines += AudienceText.failures(summary.failures)
        return lines
    }

    private var lag: String {
        "p50 \(Figure.plain(summary.lagP50)), p99 \(Figure.plain(summary.lagP99)) ms behind the viewers' own deadlines"
    }

    /// One line if the algorithm names a rendition that does not exist; otherwise none.
    private var unknownRendition: [String] {
        let count = summary.renditionCount
        guard case .fixed(let wanted) = AlgorithmName(parsing: algorithm), count > 0,
            wanted >= count
        else { return [] }
        return [
            AudienceText.line(
                "renditions",
                "0 to \(count - 1): rendition \(wanted) is none, the highest was played")
        ]
    }

    private var received: String {
        guard let rate = summary.mediaMegabits else { return AudienceText.noFigures }
        if summary.windowMediaBytes == 0, summary.mediaBytes > 0 {
            let megabytes = Figure.plain(Double(summary.mediaBytes) / 1e6)
            return "\(megabytes) MB of media, all of it before the time that is measured"
        }
        return "\(Figure.plain(rate)) Mbit/s of media, over \(Figure.plain(summary.seconds)) s"
    }

    private var delay: [String] {
        guard summary.seconds > 0, let probes = summary.probes else { return [] }
        let who = Figure.count(probes.count, "probe")
        var text = "none at \(who): it needs a stream that Millrace publishes, stamps and all"
        if let median = probes.p50, let high = probes.p99 {
            text =
                "p50 \(Figure.plain(median)), p99 \(Figure.plain(high)) ms from the publisher's schedule to \(who)"
        }
        let unreadable = probes.problem.map {
            AudienceText.line("unreadable", "\(probes.unreadable) segments at probes: \($0)")
        }
        return [AudienceText.line("delay", text)] + (unreadable.map { [$0] } ?? [])
    }

    private var requests: String {
        let sum = summary.requests
        return
            "\(sum.playlists) playlists (\(sum.blocked) held back), \(sum.segments) segments, \(sum.parts) parts; \(sum.refused) refused, \(sum.serverErrors) server errors, \(sum.timeouts) time-outs, \(sum.broken) broken, \(sum.abandoned) given up"
    }

    /// Lines about what the viewers skipped or repaired, because no other line shows it.
    private var oddities: [String] {
        let sum = summary.requests
        let notes = [
            (sum.olderCopies, "playlists older than the one before, kept out"),
            (sum.badLines, "lines of playlists that break RFC 8216, passed over"),
            (sum.ignoredRanges, "answers with a whole resource instead of the bytes asked for"),
            (
                sum.repeated,
                "requests sent again at once: kept connections brought no answer, or none that can be read"
            ),
        ].filter { $0.0 > 0 }.map { AudienceText.line("note", "\($0.0) \($0.1)") }
        guard sum.missingSegments > 0 else { return notes }
        return [
            AudienceText.line(
                "missing",
                "\(sum.missingSegments) segments that no rendition has (EXT-X-GAP), \(Figure.plain(summary.missingSeconds)) s passed over"
            )
        ] + notes
    }

    private var reloads: [String] {
        guard let tightest = summary.requests.tightestReload else { return [] }
        return [
            AudienceText.line(
                "reloads",
                "tightest \(Figure.plain(tightest)) of the interval that RFC 8216bis allows")
        ]
    }

    private func spread(_ spread: AdaptiveAudienceSummary.Spread?, _ unit: String) -> String {
        guard let spread else { return "–" }
        return
            "\(Figure.plain(spread.mean)) \(unit) (median \(Figure.plain(spread.median)), \(Figure.plain(spread.least)) to \(Figure.plain(spread.most)))"
    }
}

/// Makes the lines that both kinds of viewers have.
private enum AudienceText {
    static let noFigures = "no figures: ended before all viewers had joined"

    static func line(_ name: String, _ text: String) -> String {
        Figure.flushLeft(name, 12) + Redaction.urls(in: text)
    }

    /// One line about the CPU time of this process; none if too little was received.
    static func cost(_ receivedBytes: Int, isSecure: Bool) -> [String] {
        let cost = ViewerCost.secondsPerGigabit(
            receivedBytes: receivedBytes, cpuNanoseconds: Clock.processCPUNanoseconds())
        guard let cost else { return [] }
        let way = isSecure ? ", decrypted by each viewer (TLS)" : ""
        return [
            line(
                "cost", "\(Figure.plain(cost)) CPU s of this process per gigabit received\(way)")
        ]
    }

    /// - Parameter failures: Failure of each viewer; nil = the viewer did not fail.
    static func failures(_ failures: [String?]) -> [String] {
        FailureReasons.ranked(failures.compactMap(\.self)).map { reason, count in
            line("failed", "\(count): \(reason)")
        }
    }
}

/// Explains to the user why no viewer received anything.
enum NothingReceived {
    /// - Parameter failures: Failure of each viewer; nil = the viewer did not fail.
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
