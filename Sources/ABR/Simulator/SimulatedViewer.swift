public import Netem

/// One viewer of a simulation.
public struct SimulatedViewer: Sendable {
    public var title: Title
    public var player: PlayerConfiguration
    public var algorithm: AlgorithmName
    /// The estimator; nil = the algorithm's own.
    public var estimator: EstimatorName?
    /// The viewer's access link. Half of a request's round trip is the schedule's delay.
    public var link: RateSchedule
    /// Time of arrival in ms of virtual time.
    public var arrival = 0.0
    /// Time that the viewer stays (ms); infinite = until the title's end.
    public var watchTime = Double.infinity
    /// Share at a common bottleneck, relative to other viewers.
    public var weight = 1.0

    public init(
        title: Title, player: PlayerConfiguration, algorithm: AlgorithmName, link: RateSchedule
    ) {
        self.title = title
        self.player = player
        self.algorithm = algorithm
        self.link = link
    }

    func makePlayer(_ settings: PlayerSettings) -> Player {
        Player(
            title: title, settings: settings,
            algorithm: algorithm.make(title, maximumBuffer: player.maximumBuffer),
            estimator: (estimator ?? algorithm.estimator).make(title))
    }
}

/// Result of a simulated viewer.
public struct SimulatedSession: Hashable, Sendable {
    public var account: QoEAccount
    /// Number of bits received, abandoned downloads included.
    public var bits = 0.0
    /// Number of bits of abandoned downloads.
    public var wastedBits = 0.0
    public var abandoned = 0
    /// Number of segment requests that were decided.
    public var decisions = 0
}

/// One segment request of a simulated viewer. Times are in ms of virtual time.
public struct SegmentRecord: Hashable, Sendable {
    public var viewer: Int
    public var segment: Int
    public var rendition: Int
    public var requested: Double
    public var timeToFirstByte: Double
    /// Time from the first bit to the last.
    public var transferTime: Double
    public var bits: Double
    public var bufferBefore: Double
    public var bufferAfter: Double
    /// The estimate on which the decision was based (kbit/s).
    public var estimate: Double
    public var abandonedFor: Int?
}

/// Live production of a title.
public struct LiveTimeline: Hashable, Sendable {
    /// Virtual time at which media time 0 is at the encoder (ms).
    public var epoch = 0.0
    /// Time from a segment's (or part's) end at the encoder until it can be requested (ms).
    public var publishDelay = 0.0
    /// Number of parts of a segment that become available one by one; 1 is plain HLS or DASH.
    public var parts = 1
    public var delivery = Delivery.segments

    /// Settings of the playlist reloads by which viewers learn of new segments. nil: viewers learn
    /// of them at once and without cost. The settings are only for viewers with a link of their
    /// own.
    public var playlists: PlaylistReloads?

    public enum Delivery: String, CaseIterable, Hashable, Sendable {
        /// Segments are delivered whole.
        case segments
        /// CMAF chunks are sent in one response as they are made.
        case chunks
        /// LL-HLS: each part has one blocking request.
        case parts
    }

    public init() {}

    /// Returns the time at which part `part` of `segment` can be sent (ms).
    func available(segment: Int, part: Int, of parts: Int, duration: Double) -> Double {
        epoch + duration * (Double(segment) + Double(part + 1) / Double(parts)) + publishDelay
    }

    /// Number of parts of a segment that a player receives.
    var effectiveParts: Int { delivery == .segments ? 1 : max(1, parts) }

    /// Returns the time at which the first part of `segment` can be requested.
    func requestable(_ segment: Int, duration: Double) -> Double {
        available(segment: segment, part: 0, of: effectiveParts, duration: duration)
    }

    /// Returns the newest segment that can be requested at `time`; negative before the first.
    func latest(at time: Double, duration: Double) -> Int {
        let first = requestable(0, duration: duration)
        // The comparison is the same as in `requestable`, whatever the rounding of the division.
        var segment = Int(((time - first) / duration).rounded(.down))
        while requestable(segment + 1, duration: duration) <= time { segment += 1 }
        while segment >= 0, requestable(segment, duration: duration) > time { segment -= 1 }
        return segment
    }
}

/// Playlist reloads, by which HLS viewers learn of new segments (RFC 8216, 6.3.4). The playlist of
/// the played rendition is loaded repeatedly. The playlist of another rendition is loaded if that
/// rendition is chosen and its playlist does not list the segment.
public struct PlaylistReloads: Hashable, Sendable {
    /// Time from one reload to the next (ms), 100 or more: the target duration. It is halved if a
    /// load brought no news.
    public var interval: Double
    /// Size of a playlist in bits.
    public var bits: Double
    /// Size in bits of a response's head, which precedes every body.
    public var headBits: Double
    /// Size in bits of a rendition's initialization section, which is fetched before its first
    /// segment; nil if segments have none (MPEG-TS).
    public var initializationBits: Double?

    public init(
        interval: Double, bits: Double, headBits: Double = 0, initializationBits: Double? = nil
    ) {
        self.interval = interval
        self.bits = bits
        self.headBits = headBits
        self.initializationBits = initializationBits
    }
}

/// Model of TCP's slow start at flow level: the congestion window doubles each round trip from its
/// initial size until it fills the link, and starts again after an idle time. Losses are not
/// modelled.
public struct TCPModel: Hashable, Sendable {
    /// Initial window in bits: ten segments (RFC 6928).
    public var initialWindow = Double(10 * TCPSegment.payloadBytes * 8)
    /// Whether an idle connection starts again (RFC 5681, section 4.1).
    public var slowStartAfterIdle = true
    /// Idle time after which a connection starts again (ms), at least two round trips.
    public var idleTimeout = 200.0

    public init() {}
}
