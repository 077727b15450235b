import SimulationKernel
import Publisher
import Results
import Scenario
import Server
import Statistics
import Viewer

/// Everything that a trial observed, as values: all figures of the results are computed from it.
///
/// The record holds no clock, no file and no handle, so that figures can be computed again, on
/// another machine and by a later version. Times are nanoseconds of CLOCK_MONOTONIC unless a name
/// says otherwise.
public struct TrialRecord: Codable, Sendable {
    /// The form of the record that this version writes and reads.
    static let currentVersion = 1

    var version = currentVersion
    var setup: TrialSetup
    var plan: Plan
    /// What is known of the run before any figure is computed.
    var manifest: Manifest
    let window: Window
    /// The shared start time.
    let startNanoseconds: Int64
    /// One report for each published stream.
    var streams: [StreamReport] = []
    /// How late the generators were in the steady window.
    var publisherLateness = DelayHistogram()
    var probeLag = DelayHistogram()
    var viewerLag = DelayHistogram()
    var load: [LoadViewerReport] = []
    var probes: [ProbeViewerReport] = []
    var hls: [HLSViewerReport] = []
    var live = LiveFigures()
    var wire = WireObservation()
    /// The report of the packet shell; nil if no link carries real packets.
    var links: LinkFigures?
    /// What each edge did in the whole run; empty if the stack has no edges.
    var edges: [EdgeObservation] = []
    /// Whether the server was started again during the run.
    var hasRestarted = false
    /// How near encoded renditions are to their source, by stream key; empty if the scenario does
    /// not ask for a comparison.
    var quality: [String: RenditionQuality] = [:]
    var qualityNotes: [String] = []
    /// CPU and memory of every process; nil if the run ended before its start.
    var usage: AccountedUsage?
    /// Times in which processes were held, in the order of their beginnings.
    var stops: [ProcessStop] = []
    /// How many more stops there were than `stops` holds.
    var uncountedStops = 0
    /// Real time less monotonic time over the run.
    var clockOffset = Manifest.ClockOffset()
    /// Why the run ended before its time; nil if it ran to its end.
    var early: EarlyEnd?
    /// Generators and captures whose last reports did not arrive, each with the reason.
    var lost: [String] = []
    /// Whether any last report did not arrive, whether `lost` or `early` says so.
    var hasLostReports = false
    var notes: [String] = []
    /// When the run ended, as ISO 8601 has it.
    var end = ""

    init(
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

/// What the figures need to know of the scenario beside the plan.
public struct TrialSetup: Codable, Sendable {
    /// The scenario with every default filled in.
    var canonicalYAML: String
    var driver: StackSpec.Driver
    /// nil if the stack has no edges.
    var edgeDriver: EdgeSpec.Driver?
    /// Whether the scenario limits the server's uplink.
    var limitsUplink: Bool
    /// Length of an HLS segment; nil if the stack packages no HLS.
    var segmentNanoseconds: Int64?
    /// Groups that differ in nothing but the way to the media.
    var pairedGroups: [PairedGroups]
    var thresholds: [Threshold]
    var validity: ValidityLimits

    init(_ scenario: Scenario) {
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

/// Why a run ended before its time, and what that makes of its verdict.
struct EarlyEnd: Codable, Sendable {
    var outcome: Summary.Outcome
    var reason: String
}

/// What the children's interval reports add up to: all that remains of a child that was killed.
struct LiveFigures: Codable, Sendable {
    var publisherLateness = DelayHistogram()
    var viewerLag = DelayHistogram()
    var probeLag = DelayHistogram()
    /// Viewers that were playing at the last reports.
    var playingViewers = 0
    /// Corrected delay of the probes' frames, by `ViewerSpec.delayKey`.
    var probeDelay: [String: DelayHistogram] = [:]
}

extension Manifest.ClockOffset {
    /// How far the offset moved during the run.
    var stepNanoseconds: Int64 { maximumNanoseconds - minimumNanoseconds }
}

/// What the packet shell counted.
struct LinkFigures: Codable, Sendable {
    /// Packets of one viewer that its link took, both directions together.
    struct Losses: Codable, Sendable {
        /// The viewer's place in the plan.
        var index: Int
        /// Packets that the loss model took.
        var lost: Int
        /// Packets that the queue dropped.
        var dropped: Int
    }

    var viewers: [Losses]
    /// How long after its time each packet was released.
    var releaseLateness: DelayHistogram
}

/// What one edge did in the whole run.
struct EdgeObservation: Codable, Sendable {
    /// The name of the edge's process.
    var name: String
    var status: EdgeStatus
}
