public import Netem

/// One viewer of a simulation.
public struct SimulatedViewer: Sendable {
    public var title: Title
    public var player: PlayerConfiguration
    public var algorithm: AlgorithmName
    /// nil: the algorithm's own.
    public var estimator: EstimatorName?
    /// Its access link. Half of a request's round trip is the schedule's delay.
    public var link: RateSchedule
    /// ms of virtual time.
    public var arrival = 0.0
    /// How long the viewer stays (ms); infinite until the title's end.
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

/// What a simulated viewer saw.
public struct SimulatedSession: Hashable, Sendable {
    public var account: QoEAccount
    /// Bits received, abandoned downloads included.
    public var bits = 0.0
    /// Of abandoned downloads.
    public var wastedBits = 0.0
    public var abandoned = 0
    /// Segment requests decided.
    public var decisions = 0
}

/// One segment request of a simulated viewer. Times in ms of virtual time.
public struct SegmentRecord: Hashable, Sendable {
    public var viewer: Int
    public var segment: Int
    public var rendition: Int
    public var requested: Double
    public var timeToFirstByte: Double
    /// First bit to last.
    public var transferTime: Double
    public var bits: Double
    public var bufferBefore: Double
    public var bufferAfter: Double
    /// The estimate that the decision was made with (kbit/s).
    public var estimate: Double
    public var abandonedFor: Int?
}

/// Live production of a title.
public struct LiveTimeline: Hashable, Sendable {
    /// Virtual time at which media time 0 is at the encoder (ms).
    public var epoch = 0.0
    /// From a segment's (or part's) end at the encoder until it can be requested (ms).
    public var publishDelay = 0.0
    /// Parts per segment that become available one by one; 1 is plain HLS or DASH.
    public var parts = 1
    public var delivery = Delivery.segments

    /// How viewers hear of new segments; nil: at once, and for nothing. Only for viewers with a link
    /// of their own.
    public var playlists: PlaylistReloads?

    public enum Delivery: String, CaseIterable, Hashable, Sendable {
        /// Whole segments.
        case segments
        /// CMAF chunks in one response, as they are made.
        case chunks
        /// LL-HLS: one blocking request per part.
        case parts
    }

    public init() {}

    /// When part `part` of `segment` can be sent (ms).
    func available(segment: Int, part: Int, of parts: Int, duration: Double) -> Double {
        epoch + duration * (Double(segment) + Double(part + 1) / Double(parts)) + publishDelay
    }

    /// Parts that a player sees of a segment.
    var effectiveParts: Int { delivery == .segments ? 1 : max(1, parts) }

    /// When a request for `segment` makes sense: for its first part.
    func requestable(_ segment: Int, duration: Double) -> Double {
        available(segment: segment, part: 0, of: effectiveParts, duration: duration)
    }

    /// The newest segment that can be requested at `time`; negative before the first.
    func latest(at time: Double, duration: Double) -> Int {
        let first = requestable(0, duration: duration)
        // The same comparison as `requestable`, whatever the rounding of the division.
        var segment = Int(((time - first) / duration).rounded(.down))
        while requestable(segment + 1, duration: duration) <= time { segment += 1 }
        while segment >= 0, requestable(segment, duration: duration) > time { segment -= 1 }
        return segment
    }
}

/// HLS's way of hearing of new segments (RFC 8216, 6.3.4): the playlist of the rendition that is played
/// is loaded again and again, and another rendition's when that is chosen and its playlist does not list
/// the segment.
public struct PlaylistReloads: Hashable, Sendable {
    /// From one reload to the next (ms), 100 or more: the target duration. Half of it where a load
    /// brought no news.
    public var interval: Double
    /// Bits of a playlist.
    public var bits: Double
    /// Bits of a response's head, which goes before every body.
    public var headBits: Double
    /// Bits of a rendition's initialization section, which is fetched before its first segment; nil where
    /// segments have none (MPEG-TS).
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

/// TCP's start, at flow level: the congestion window doubles each round trip from its initial size
/// until it fills the link, and starts again after an idle time. Losses are not modelled.
public struct TCPModel: Hashable, Sendable {
    /// Bits; RFC 6928: ten segments.
    public var initialWindow = Double(10 * TCPSegment.payloadBytes * 8)
    /// RFC 5681, section 4.1: an idle connection starts again.
    public var slowStartAfterIdle = true
    /// Idle time after which it does (ms), at least two round trips.
    public var idleTimeout = 200.0

    public init() {}
}
