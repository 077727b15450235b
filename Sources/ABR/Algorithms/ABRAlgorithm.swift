/// State of a player at the time of a decision.
public struct PlayerState: Sendable {
    public let title: Title
    /// Index of the segment to be requested.
    public var segment = 0
    /// Largest amount of media in the player's buffer (ms).
    public var maximumBuffer: Double
    /// Throughput estimate (kbit/s); NaN before the first sample.
    public var throughput = Double.nan
    /// Estimated time to first byte (ms); 0 before the first sample.
    public var latency = 0.0
    /// Rendition of the segment requested last; -1 before the first.
    public var lastRendition = -1
    /// Measured throughput of the last download (kbit/s); NaN before the first.
    public var lastThroughput = Double.nan
    public var isLive = false
    /// Media time by which the encoder is ahead of the playhead (ms); 0 for VOD.
    public var liveLatency = 0.0
    public var targetLatency = 0.0
    /// Media seconds per second.
    public var playbackRate = 1.0
    /// Stall time since the last decision (ms).
    public var recentStall = 0.0
    /// Playable media ahead of the playhead (ms). This property is the last one, because a copy of
    /// the state right after a change of the level is then no slower.
    public var bufferLevel = 0.0

    public init(title: Title, maximumBuffer: Double) {
        self.title = title
        self.maximumBuffer = maximumBuffer
    }

    public var hasEstimate: Bool { !throughput.isNaN }
}

/// The rendition of the next segment, and the pause before its request.
public struct Decision: Hashable, Sendable {
    public var rendition: Int
    /// Pause before the request (ms), 0 or more.
    public var delay: Double

    public init(rendition: Int, delay: Double = 0) {
        self.rendition = rendition
        self.delay = delay
    }
}

/// Progress of a download.
public struct DownloadProgress: Sendable {
    public var segment: Int
    public var rendition: Int
    /// Size of the whole segment in bits.
    public var size: Double
    /// Number of bits that have arrived.
    public var downloaded: Double
    /// Time since the request (ms).
    public var elapsed: Double
    /// Time from the request to the first bit (ms).
    public var timeToFirstByte: Double
    /// The rendition that replaces the one of a download that was given up; nil if it was not given
    /// up.
    public var abandonedFor: Int?

    public init(
        segment: Int, rendition: Int, size: Double, downloaded: Double, elapsed: Double,
        timeToFirstByte: Double, abandonedFor: Int? = nil
    ) {
        self.segment = segment
        self.rendition = rendition
        self.size = size
        self.downloaded = downloaded
        self.elapsed = elapsed
        self.timeToFirstByte = timeToFirstByte
        self.abandonedFor = abandonedFor
    }
}

/// An adaptation algorithm, which decides each segment's rendition. It has no clock and no I/O.
///
/// `state` is the player's state at the time of the call. The default implementations do nothing,
/// start on the lowest rendition and never abandon.
public protocol ABRAlgorithm: Sendable {
    /// Whether `abandon` can ever return a rendition; otherwise downloads are not judged.
    var mayAbandon: Bool { get }
    /// Time in ms from the request before which `abandon` returns nil and changes nothing.
    var abandonGrace: Double { get }
    /// Returns the rendition of the first segment.
    func firstRendition(_ state: PlayerState) -> Int
    /// Returns the rendition of segment `state.segment`, and the pause before it.
    mutating func decide(_ state: PlayerState) -> Decision
    /// Notes that the player waited because its buffer was full (ms).
    mutating func waited(_ milliseconds: Double)
    /// Notes that a download ended, complete or abandoned; `state` is the state afterwards.
    mutating func downloaded(_ progress: DownloadProgress, _ state: PlayerState)
    /// Returns a lower rendition with which to restart the current download; nil lets it continue.
    /// `state.bufferLevel` is the remaining level at the time of the call.
    mutating func abandon(_ progress: DownloadProgress, _ state: PlayerState) -> Int?
    /// Returns a time in ms from the request up to which `abandon` returns nil and changes nothing,
    /// if it has just returned nil for `progress` and nothing happens but that more bits arrive; 0
    /// if no such time is known.
    func earliestAbandonment(after progress: DownloadProgress, _ state: PlayerState) -> Double
    /// Notes that the user moved to segment `state.segment`.
    mutating func seeked(_ state: PlayerState)
}

extension ABRAlgorithm {
    public var mayAbandon: Bool { false }
    public var abandonGrace: Double { 0 }
    public func firstRendition(_ state: PlayerState) -> Int { 0 }
    public mutating func waited(_ milliseconds: Double) {}
    public mutating func downloaded(_ progress: DownloadProgress, _ state: PlayerState) {}
    public mutating func abandon(_ progress: DownloadProgress, _ state: PlayerState) -> Int? { nil }
    public func earliestAbandonment(
        after progress: DownloadProgress, _ state: PlayerState
    ) -> Double { 0 }
    public mutating func seeked(_ state: PlayerState) {}
}

extension PlayerState {
    /// Returns the highest rendition that `throughput` (kbit/s) sustains, request latency included.
    @inline(__always)
    func sustainableRendition(_ throughput: Double) -> Int {
        let duration = title.segmentDuration
        var rendition = 0
        while rendition + 1 < title.renditionCount,
            latency + duration * title.bitrates[rendition + 1] / throughput <= duration
        { rendition += 1 }
        return rendition
    }
}
