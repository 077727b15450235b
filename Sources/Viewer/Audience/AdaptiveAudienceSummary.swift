package import SimulationKernel
import Statistics

/// Summary of what the adaptive viewers of an audience received, made from their report.
package struct AdaptiveAudienceSummary: Sendable {
    /// Distribution of a figure over the viewers.
    package struct Spread: Sendable, Hashable {
        package var mean, median, least, most: Double

        /// - Returns: nil if there are no values.
        init?(_ values: [Double]) {
            let sorted = values.sorted()
            guard let first = sorted.first, let last = sorted.last else { return nil }
            mean = values.reduce(0, +) / Double(values.count)
            median = Quantile.sorted(sorted, 0.5)
            (least, most) = (first, last)
        }
    }

    /// Summary over all probes.
    package struct Probes: Sendable {
        package var count: Int
        /// Delay from the publisher's schedule to the probes, ms; nil if no frame was stamped.
        package var p50: Double?
        package var p99: Double?
        /// Number of segments that could not be read.
        package var unreadable: Int
        /// Reason why the first of them could not be read.
        package var problem: String?
    }

    package var viewers: Int
    /// Number of viewers whose playlist was a live one.
    package var live: Int
    /// Largest number of renditions that a viewer could choose from.
    package var renditionCount: Int
    /// Length in seconds of the time that was measured; 0 if the run ended before it began.
    package var seconds: Double
    /// Body bytes of segments and parts within that time, and in all.
    package var windowMediaBytes: Int
    package var mediaBytes: Int
    /// Number of bytes read over the whole run, heads and playlists included.
    package var receivedBytes: Int
    /// Figures of the viewers that played; nil if no viewer has the figure. Rates are in kbit/s,
    /// times in seconds.
    package var bitrate: Spread?
    package var startup: Spread?
    package var stalled: Spread?
    package var switches: Spread?
    package var latency: Spread?
    /// nil if the audience has no probe.
    package var probes: Probes?
    /// Sums over the viewers; the tightest reload is the smallest value of all viewers.
    package var requests: HLSRequestCounts
    /// Media that the stream lacks and that playing passed over, seconds.
    package var missingSeconds: Double
    /// Lateness of the viewers' loops against their own deadlines in the window, ms.
    package var lagP50: Double?
    package var lagP99: Double?
    /// Failure of each viewer; nil = the viewer did not fail.
    package var failures: [String?]
    /// For each viewer, its failure or else the latest problem before the viewer could play.
    package var troubles: [String?]

    package init(_ report: HLSReport, window: Window) {
        let all = report.viewers
        viewers = all.count
        live = all.count { $0.isLive }
        renditionCount = all.map(\.bitrates.count).max() ?? 0
        seconds = window.seconds
        windowMediaBytes = all.reduce(0) { $0 + $1.windowMediaBytes }
        mediaBytes = all.reduce(0) { $0 + $1.mediaBytes }
        receivedBytes = all.reduce(0) { $0 + $1.receivedBytes }
        let played = all.map(\.playback).filter { $0.segments > 0 }
        bitrate = Spread(played.compactMap(\.meanBitrate))
        startup = Spread(played.map(\.startup))
        stalled = Spread(played.map(\.stalled))
        switches = Spread(played.map { Double($0.switches) })
        latency = Spread(played.compactMap(\.liveLatency))
        probes = Probes(all.compactMap(\.probe))
        requests = HLSRequestCounts(sumOf: all.map(\.requests))
        missingSeconds = all.reduce(0) { $0 + $1.playback.missing }
        lagP50 = report.windowLag.milliseconds(atPercentile: 50)
        lagP99 = report.windowLag.milliseconds(atPercentile: 99)
        failures = all.map(\.failure)
        troubles = all.map { $0.failure ?? $0.trouble }
    }

    /// Rate of the media in the time that was measured, Mbit/s; nil if no time was measured.
    package var mediaMegabits: Double? {
        seconds > 0 ? Double(windowMediaBytes) * 8 / seconds / 1e6 : nil
    }
}

extension AdaptiveAudienceSummary.Probes {
    /// - Returns: nil if there are no reports.
    fileprivate init?(_ reports: [HLSProbeReport]) {
        guard !reports.isEmpty else { return nil }
        var delay = DelayHistogram()
        for frames in reports.flatMap(\.renditions) { delay.add(frames.delay) }
        count = reports.count
        p50 = delay.milliseconds(atPercentile: 50)
        p99 = delay.milliseconds(atPercentile: 99)
        unreadable = reports.reduce(0) { $0 + $1.unreadable }
        problem = reports.lazy.compactMap(\.problem).first
    }
}

extension HLSRequestCounts {
    /// Adds up the counts of several viewers. The tightest reload is the smallest of their values.
    init(sumOf counts: [HLSRequestCounts]) {
        self.init()
        for each in counts {
            playlists += each.playlists
            initializations += each.initializations
            segments += each.segments
            parts += each.parts
            redirects += each.redirects
            refused += each.refused
            serverErrors += each.serverErrors
            timeouts += each.timeouts
            broken += each.broken
            retries += each.retries
            failovers += each.failovers
            abandoned += each.abandoned
            wastedBytes += each.wastedBytes
            blocked += each.blocked
            olderCopies += each.olderCopies
            badLines += each.badLines
            missingSegments += each.missingSegments
            ignoredRanges += each.ignoredRanges
            repeated += each.repeated
        }
        tightestReload = counts.compactMap(\.tightestReload).min()
    }
}
