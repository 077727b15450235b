public import Statistics

/// The verdict on one threshold.
public struct ThresholdResult: Codable, Sendable, Equatable {
    /// The selector as written in the scenario.
    public var metric: String
    public var expression: String
    /// Observed figure in the metric's unit; nil if nothing matched.
    public var observed: Double?
    public var limit: Double
    public var passed: Bool

    public init(
        metric: String, expression: String, observed: Double?, limit: Double, passed: Bool
    ) {
        self.metric = metric
        self.expression = expression
        self.observed = observed
        self.limit = limit
        self.passed = passed
    }
}

/// One quantity as two vantage points measured it.
public struct Reconciliation: Codable, Sendable, Equatable {
    public var stream: String
    public var rendition: String
    /// Message payload bytes of the same viewers in the same window. For HLS: bytes of segments and
    /// parts that were requested in the window and came whole; the wire's bytes include their HTTP
    /// headers.
    public var viewerBytes: Int
    public var wireBytes: Int
    /// Protocol; nil = RTMP and HTTP-FLV together.
    public var playProtocol: String?

    /// Viewers' bytes over the wire's minus 1, in percent; nil if the wire saw nothing.
    public var differencePercent: Double? {
        wireBytes == 0 ? nil : (Double(viewerBytes) / Double(wireBytes) - 1) * 100
    }

    public init(
        stream: String, rendition: String, viewerBytes: Int, wireBytes: Int,
        playProtocol: String? = nil
    ) {
        self.playProtocol = playProtocol
        self.stream = stream
        self.rendition = rendition
        self.viewerBytes = viewerBytes
        self.wireBytes = wireBytes
    }
}

/// Means of one role over the steady window.
public struct RoleUsage: Codable, Sendable, Equatable {
    public var role: String
    public var processes: Int
    /// CPU in percent; 100 = one core.
    public var cpuPercent: Double
    public var peakRSSBytes: Int
    public var runDelayMilliseconds: Double

    public init(
        role: String, processes: Int, cpuPercent: Double, peakRSSBytes: Int,
        runDelayMilliseconds: Double
    ) {
        self.role = role
        self.processes = processes
        self.cpuPercent = cpuPercent
        self.peakRSSBytes = peakRSSBytes
        self.runDelayMilliseconds = runDelayMilliseconds
    }
}

/// Punctuality of the generators against their own schedule.
public struct GeneratorHealth: Codable, Sendable, Equatable {
    public var publisherLagP99Milliseconds: Double?
    public var probeLagP99Milliseconds: Double?
    /// Lag of the load viewers' loops.
    public var viewerLagP99Milliseconds: Double?
    /// Lateness of the packets that the packet shell released; nil without one.
    public var linkLatenessP99Milliseconds: Double?
    /// Share of CPU time taken by the hypervisor, 0…1.
    public var steal: Double?
    /// Frames sent over frames intended, 0…1.
    public var offered: Double?

    public init() {}
}

/// Load that the edges of a run kept from the origin; whole run, segments only.
public struct EdgeSummary: Codable, Sendable, Equatable {
    public var edges = 0
    /// Number of segments that viewers of any edge requested, and their bytes; 0 if they fetched
    /// parts.
    public var distinctSegments = 0
    public var distinctBytes = 0
    /// Bytes that the edges read from the origin, and the number of their requests.
    public var wanBytes = 0
    public var originRequests = 0
    /// Medians of the time to fetch a segment in the steady window; nil if nobody did so.
    public var edgeFetchMilliseconds: Double?
    public var originFetchMilliseconds: Double?
    /// Difference of these medians between groups that differ only in their way.
    public var fetchSavedMilliseconds: Double?
    /// Reasons why figures are withheld.
    public var withheld: [String]?

    public init() {}

    /// WAN bytes over the ideal number: each distinct segment once for each edge.
    public var wanRatio: Double? {
        distinctBytes == 0 || edges == 0
            ? nil : Double(wanBytes) / (Double(distinctBytes) * Double(edges))
    }

    public var requestsPerSegment: Double? {
        distinctSegments == 0 ? nil : Double(originRequests) / Double(distinctSegments)
    }
}

/// Number of viewers up to which a growing load was carried.
public struct CapacityFigure: Codable, Sendable, Equatable {
    /// Way of the viewers: `edge` or `origin`.
    public var via: String
    /// Viewers in the last five seconds in which four of five segments due were fetched, half of
    /// them within their own duration.
    public var sustainedViewers = 0
    /// Viewers in the first five seconds in which that was not so; nil = this never happened.
    public var brokenViewers: Int?
    public var brokenSeconds: Double?
    /// Median fetch time then, over the segments that came at all; nil if none did.
    public var brokenFetchMilliseconds: Double?
    /// Share of the segments due that came then.
    public var brokenShare: Double?

    public init(via: String) { self.via = via }
}

/// Reason why viewers failed, and their number.
public struct ViewerFailure: Codable, Sendable, Equatable {
    public var reason: String
    public var count: Int

    public init(reason: String, count: Int) {
        self.reason = reason
        self.count = count
    }
}

/// `summary.json`: the run's verdict and key figures.
public struct Summary: Codable, Sendable, Equatable {
    public enum Outcome: String, Codable, Sendable {
        case passed, failed, void, interrupted
    }

    public var outcome: Outcome = .passed
    /// Reason why the run ended early; nil if it did not.
    public var earlyEnd: String?
    public var thresholds: [ThresholdResult] = []
    public var reconciliation: [Reconciliation] = []
    public var roles: [RoleUsage] = []
    /// What the server's CPU time carried; nil if it is not known.
    public var efficiency: ServerEfficiency?
    /// The busiest thread of each role, the busiest first; nil if threads were not accounted.
    public var busiestThreads: [BusyThread]?
    public var health = GeneratorHealth()
    public var viewersPlanned = 0
    public var viewersJoined = 0
    /// Reasons why viewers did not join, the most frequent first; nil if all did.
    public var joinFailures: [ViewerFailure]?
    public var framesMissing = 0
    /// Capacity by way; nil unless the server's uplink was limited.
    public var capacity: [CapacityFigure]?
    /// Time of the server's deliveries in the steady window, in parts; nil if the server does not
    /// measure it.
    public var serverDelays: DelaySplitFigures?
    /// Most bytes in the server's caches for joining players in the steady window; nil if the server
    /// does not tell.
    public var serverCacheBytes: Int?
    /// Summary of the edges; nil if the run had none.
    public var edges: EdgeSummary?
    /// What arrived at the targets of a relay; nil if the run had none.
    public var relay: RelaySummary?
    /// Facts that a reader should know, such as a capture that was not permitted.
    public var notes: [String] = []

    public init() {}
}
