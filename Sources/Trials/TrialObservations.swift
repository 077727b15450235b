import Analysis
import Publisher
import Results
import Server
import Statistics
import Synchronization
import Viewer

/// Reports of the children until now. If a child is killed, only its last interval is lost.
final class TrialObservations: Sendable {
    struct Live: Sendable {
        var publishers: [String: PublisherReport] = [:]
        var publisherLateness = DelayHistogram()
        var load: [String: LoadReport] = [:]
        var probes: [String: ProbeReport] = [:]
        var hls: [String: HLSReport] = [:]
        var viewerLag = DelayHistogram()
        var probeLag = DelayHistogram()
        /// Delays by stream and rendition, from the probes' interval reports.
        var probeDelay: [String: DelayHistogram] = [:]
        var server: ServerStatus?
    }

    private let live = Mutex(Live())

    var snapshot: Live { live.withLock { $0 } }

    func publisher(_ name: String, _ report: PublisherReport) {
        live.withLock {
            $0.publishers[name] = report
            $0.publisherLateness.add(report.lateness)
        }
    }

    func load(_ name: String, _ report: LoadReport) {
        live.withLock {
            $0.load[name] = report
            $0.viewerLag.add(report.lag)
        }
    }

    func hls(_ name: String, _ report: HLSReport, isProbes: Bool) {
        live.withLock {
            $0.hls[name] = report
            if isProbes { $0.probeLag.add(report.lag) } else { $0.viewerLag.add(report.lag) }
        }
    }

    func probes(_ name: String, _ report: ProbeReport) {
        live.withLock { live in
            live.probes[name] = report
            live.probeLag.add(report.lag)
            for (key, delay) in report.delay {
                live.probeDelay[key, default: .init()].add(delay)
            }
        }
    }

    func server(_ status: ServerStatus) { live.withLock { $0.server = status } }
}

extension LiveFigures {
    init(_ live: TrialObservations.Live) {
        self.init()
        publisherLateness = live.publisherLateness
        viewerLag = live.viewerLag
        probeLag = live.probeLag
        playingViewers =
            live.load.values.reduce(0) { $0 + $1.playing }
            + live.probes.values.reduce(0) { $0 + $1.playing }
            + live.hls.values.reduce(0) { $0 + $1.playing }
        probeDelay = live.probeDelay
    }
}
