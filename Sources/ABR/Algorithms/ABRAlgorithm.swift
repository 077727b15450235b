/// What a player knows when it decides.
public struct PlayerState: Sendable {
    public let title: Title
    /// Index of the segment to be requested.
    public var segment = 0
    /// The player never holds more than this (ms).
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
    /// Media time the encoder is ahead of the playhead (ms); 0 for VOD.
    public var liveLatency = 0.0
    public var targetLatency = 0.0
    /// Media seconds per second.
    public var playbackRate = 1.0
    /// Stall time since the last decision (ms).
    public var recentStall = 0.0
    /// Playable media ahead of the playhead (ms). Last: a copy of the state right after this changed
    /// is then no slower.
    public var bufferLevel = 0.0

    public init(title: Title, maximumBuffer: Double) {
        self.title = title
        self.maximumBuffer = maximumBuffer
    }

    public var hasEstimate: Bool { !throughput.isNaN }
}

/// The rendition of the next segment, and how long to wait before it is requested.
public struct Decision: Hashable, Sendable {
    public var rendition: Int
    /// ms, >= 0.
    public var delay: Double

    public init(rendition: Int, delay: Double = 0) {
        self.rendition = rendition
        self.delay = delay
    }
}

/// How far a download has come.
public struct DownloadProgress: Sendable {
    public var segment: Int
    public var rendition: Int
    /// Bits of the whole segment.
    public var size: Double
    /// Bits that have arrived.
    public var downloaded: Double
    /// Since the request (ms).
    public var elapsed: Double
    /// From the request to the first bit (ms).
    public var timeToFirstByte: Double
    /// Set on the report of a download that was given up: the rendition chosen instead.
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

/// An adaptation algorithm: decides each segment's rendition. Pure: no clock, no I/O.
///
/// `state` holds what the player knows at the moment of the call. The default implementations do
/// nothing, start on the lowest rendition and never abandon.
public protocol ABRAlgorithm: Sendable {
    /// Whether `abandon` can ever answer with a rendition; downloads are not judged otherwise.
    var mayAbandon: Bool { get }
    /// The rendition of the first segment.
    func firstRendition(_ state: PlayerState) -> Int
    /// The rendition of segment `state.segment`, and a pause before it.
    mutating func decide(_ state: PlayerState) -> Decision
    /// The player waited because its buffer was full (ms).
    mutating func waited(_ milliseconds: Double)
    /// A download ended, whole or abandoned; `state` is after it.
    mutating func downloaded(_ progress: DownloadProgress, _ state: PlayerState)
    /// A lower rendition to restart the current download with, or nil to go on.
    /// `state.bufferLevel` is what is left at this moment.
    mutating func abandon(_ progress: DownloadProgress, _ state: PlayerState) -> Int?
    /// The user moved to segment `state.segment`.
    mutating func seeked(_ state: PlayerState)
}

extension ABRAlgorithm {
    public var mayAbandon: Bool { false }
    public func firstRendition(_ state: PlayerState) -> Int { 0 }
    public mutating func waited(_ milliseconds: Double) {}
    public mutating func downloaded(_ progress: DownloadProgress, _ state: PlayerState) {}
    public mutating func abandon(_ progress: DownloadProgress, _ state: PlayerState) -> Int? { nil }
    public mutating func seeked(_ state: PlayerState) {}
}

extension PlayerState {
    /// The highest rendition that `throughput` (kbit/s) sustains, request latency included.
    @inline(__always)
    func sustainableRendition(_ throughput: Double) -> Int {
        let duration = title.segmentDuration
        var rendition = 0
        while rendition + 1 < title.renditions,
            latency + duration * title.bitrates[rendition + 1] / throughput <= duration
        { rendition += 1 }
        return rendition
    }
}
