/// The verdict on one threshold.
public struct ThresholdResult: Codable, Sendable, Equatable {
    /// The selector as written in the scenario.
    public var metric: String
    public var expression: String
    /// In the metric's unit; nil where nothing matched.
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

/// Two vantage points on the same quantity.
public struct Reconciliation: Codable, Sendable, Equatable {
    public var stream: String
    public var rendition: String
    /// Message payload bytes of the same viewers in the same window; HLS: of segments and parts that
    /// were asked for in it and came whole, at the wire with their HTTP headers.
    public var viewerBytes: Int
    public var wireBytes: Int
    /// nil = RTMP and HTTP-FLV together.
    public var playProtocol: String?

    /// Viewer over wire minus 1, in percent; nil where the wire saw nothing.
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
    /// 100 = one core.
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

/// How well the generators kept to their own schedule.
public struct GeneratorHealth: Codable, Sendable, Equatable {
    public var publisherLagP99Milliseconds: Double?
    public var probeLagP99Milliseconds: Double?
    /// Of the load viewers' loops.
    public var viewerLagP99Milliseconds: Double?
    /// How late the packet shell released packets; nil without one.
    public var linkLatenessP99Milliseconds: Double?
    /// Share of CPU time taken by the hypervisor, 0…1.
    public var steal: Double?
    /// Frames sent over frames intended, 0…1.
    public var offered: Double?

    public init() {}
}

/// What the edges of a run spared the origin; whole run, segments only.
public struct EdgeSummary: Codable, Sendable, Equatable {
    public var edges = 0
    /// That viewers of any edge asked for, and their bytes; 0 where they fetched parts.
    public var distinctSegments = 0
    public var distinctBytes = 0
    /// That the edges read from the origin, and how often they asked.
    public var wanBytes = 0
    public var originRequests = 0
    /// Medians of the time to fetch a segment in the steady window; nil where nobody did so.
    public var edgeFetchMilliseconds: Double?
    public var originFetchMilliseconds: Double?
    /// Their difference between groups that are alike but for their way.
    public var fetchSavedMilliseconds: Double?
    /// Why figures are not given.
    public var withheld: [String]?

    public init() {}

    /// WAN bytes over what would be ideal: each distinct segment once for each edge.
    public var wanRatio: Double? {
        distinctBytes == 0 || edges == 0
            ? nil : Double(wanBytes) / (Double(distinctBytes) * Double(edges))
    }

    public var requestsPerSegment: Double? {
        distinctSegments == 0 ? nil : Double(originRequests) / Double(distinctSegments)
    }
}

/// How far a growing load was carried.
public struct CapacityFigure: Codable, Sendable, Equatable {
    /// `edge` or `origin`.
    public var via: String
    /// In the last five seconds in which four of five segments due were fetched, half of them
    /// within their own duration.
    public var sustainedViewers = 0
    /// In the first in which it did not; nil = that never happened.
    public var brokenViewers: Int?
    public var brokenSeconds: Double?
    /// The median then, of those that came at all; nil where none did.
    public var brokenFetchMilliseconds: Double?
    /// Of the segments that were due.
    public var brokenShare: Double?

    public init(via: String) { self.via = via }
}

/// A reason for which viewers failed, and how many.
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
    /// Why the run ended before its time; nil where it did not.
    public var earlyEnd: String?
    public var thresholds: [ThresholdResult] = []
    public var reconciliation: [Reconciliation] = []
    public var roles: [RoleUsage] = []
    public var health = GeneratorHealth()
    public var viewersPlanned = 0
    public var viewersJoined = 0
    /// Why the others did not join, the most frequent reason first; nil where all did.
    public var joinFailures: [ViewerFailure]?
    public var framesMissing = 0
    /// By way; nil unless the server's uplink was limited.
    public var capacity: [CapacityFigure]?
    /// nil where the run had no edges.
    public var edges: EdgeSummary?
    /// Anything a reader should know, such as a capture that was not permitted.
    public var notes: [String] = []

    public init() {}
}
