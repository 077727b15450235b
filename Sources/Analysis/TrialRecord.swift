package import Publisher
package import Results
package import Scenario
package import Server
package import SimulationKernel
package import Statistics
package import Viewer

/// Everything that a trial observed, as values. All figures of the results are computed from it.
///
/// The record holds no clock, no file and no handle, so the figures can be computed again, on
/// another machine and by a later version. Times are nanoseconds of CLOCK_MONOTONIC unless a name
/// says otherwise.
package struct TrialRecord: Codable, Sendable {
    /// Version of the format that this program writes and reads.
    package static let currentVersion = 1

    package var version = currentVersion
    package var setup: TrialSetup
    package var plan: Plan
    /// What is known about the run before any figure is computed.
    package var manifest: Manifest
    package let window: Window
    /// The shared start time.
    package let startNanoseconds: Int64
    /// One report for each published stream.
    package var streams: [PublishedStreamReport] = []
    /// Lateness of the generators in the steady window.
    package var publisherLateness = DelayHistogram()
    package var probeLag = DelayHistogram()
    package var viewerLag = DelayHistogram()
    package var load: [LoadViewerReport] = []
    package var probes: [ProbeViewerReport] = []
    package var hls: [HLSViewerReport] = []
    package var live = LiveFigures()
    package var wire = WireObservation()
    /// The report of the packet shell; nil if no link carries real packets.
    package var links: LinkFigures?
    /// What each edge did in the whole run; empty if the stack has no edges.
    package var edges: [EdgeObservation] = []
    /// Time of the server's deliveries in the steady window; nil if the server does not measure it.
    package var serverDelays: DelaySplit?
    /// Most bytes in the server's caches for joining players in the steady window; nil if the server
    /// does not tell.
    package var serverCacheBytes: Int?
    /// Number of connections, streams and media messages that the sinks of a relay refused, by
    /// reason; nil without a refusal.
    package var sinkRefusals: [String: Int]?
    /// What became of the requests that flooded the server's API; nil without a flood.
    package var apiFlood: APIFloodReport?
    /// Whether the server was started again during the run.
    package var hasRestarted = false
    /// Quality of encoded renditions compared with their source, by stream key; empty if the
    /// scenario does not ask for a comparison.
    package var quality: [String: RenditionQuality] = [:]
    package var qualityNotes: [String] = []
    /// Ends of the connections that recorded pictures, which belong to no viewer of the scenario.
    package var recorderPeers: [ViewerPeer]?
    /// CPU and memory of every process; nil if the run ended before its start.
    package var usage: AccountedUsage?
    /// Times in which processes were held, in the order of their beginnings.
    package var stops: [ProcessStop] = []
    /// Number of stops beyond those in `stops`.
    package var uncountedStops = 0
    /// Real time less monotonic time over the run.
    package var clockOffset = Manifest.ClockOffset()
    /// Why the run ended before its time; nil if it ran to its end.
    package var early: EarlyEnd?
    /// Generators and captures whose last reports did not arrive, each with the reason.
    package var lost: [String] = []
    /// Whether any last report did not arrive, whether `lost` or `early` says so.
    package var hasLostReports = false
    package var notes: [String] = []
    /// Time at which the run ended, in the format of ISO 8601.
    package var end = ""

    package init(
        setup: TrialSetup, plan: Plan, manifest: Manifest, window: Window,
        startNanoseconds: Int64
    ) {
        self.setup = setup
        self.plan = plan
        self.manifest = manifest
        self.window = window
        self.startNanoseconds = startNanoseconds
    }
}

/// What the figures need from the scenario besides the plan.
package struct TrialSetup: Codable, Sendable {
    /// The scenario with every default filled in.
    package var canonicalYAML: String
    package var driver: StackSettings.Driver
    /// Driver of the edges; nil if the stack has no edges.
    package var edgeDriver: EdgeSettings.Driver?
    /// Whether the scenario limits the server's uplink.
    package var limitsUplink: Bool
    /// Length of an HLS segment; nil if the stack packages no HLS.
    package var segmentNanoseconds: Int64?
    /// Groups that differ only in their path to the media.
    package var pairedGroups: [PairedGroups]
    package var thresholds: [Threshold]
    package var validity: ValidityLimits

    package init(_ scenario: TrialScenario) {
        canonicalYAML = scenario.canonicalYAML
        driver = scenario.stack.driver
        edgeDriver = scenario.stack.edges?.driver
        limitsUplink = scenario.stack.uplink != nil
        segmentNanoseconds = scenario.stack.hls?.segment.nanoseconds
        pairedGroups = scenario.pairedGroups
        thresholds = scenario.thresholds
        validity = scenario.validity
    }
}

/// Why a run ended before its time, and what the early end means for the verdict.
package struct EarlyEnd: Codable, Sendable {
    package var outcome: Summary.Outcome
    package var reason: String

    package init(outcome: Summary.Outcome, reason: String) {
        self.outcome = outcome
        self.reason = reason
    }
}

/// Sum of the children's interval reports. It is all that remains of a child that was killed.
package struct LiveFigures: Codable, Sendable {
    package var publisherLateness = DelayHistogram()
    package var viewerLag = DelayHistogram()
    package var probeLag = DelayHistogram()
    /// Viewers that were playing at the last reports.
    package var playingViewers = 0
    /// Corrected delay of the probes' frames, by `ViewerSpec.delayKey`.
    package var probeDelay: [String: DelayHistogram] = [:]

    package init() {}
}

extension Manifest.ClockOffset {
    /// How far the offset moved during the run.
    package var stepNanoseconds: Int64 { maximumNanoseconds - minimumNanoseconds }
}

/// What the packet shell counted.
package struct LinkFigures: Codable, Sendable {
    /// Packets of one viewer that were lost on its link, in both directions together.
    package struct Losses: Codable, Sendable {
        /// The viewer's index in the plan.
        var index: Int
        /// Number of packets that the loss model removed.
        var lost: Int
        /// Number of packets that the queue dropped.
        var dropped: Int

        package init(index: Int, lost: Int, dropped: Int) {
            self.index = index
            self.lost = lost
            self.dropped = dropped
        }
    }

    package var viewers: [Losses]
    /// Lateness of the release of each packet.
    package var releaseLateness: DelayHistogram

    package init(viewers: [Losses], releaseLateness: DelayHistogram) {
        self.viewers = viewers
        self.releaseLateness = releaseLateness
    }
}

/// What one edge did in the whole run.
package struct EdgeObservation: Codable, Sendable {
    /// The name of the edge's process.
    package var name: String
    package var status: EdgeStatus

    package init(name: String, status: EdgeStatus) {
        self.name = name
        self.status = status
    }
}
