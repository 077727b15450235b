/// Settings for the segments and the playlist of a live stream.
public struct SegmenterConfiguration: Sendable, Hashable {
    public enum Container: String, Sendable, Hashable, Codable, CaseIterable {
        /// MPEG-2 transport stream.
        case ts
        /// Fragmented MP4.
        case fmp4
    }

    public var container: Container
    /// Seconds after which the next key frame begins a segment.
    public var segmentDuration: Double
    /// PART-TARGET in seconds; nil = no low-latency HLS.
    public var partDuration: Double?
    /// Seconds of whole segments that the playlist lists; never less than three target durations.
    public var window: Double
    /// Largest cost of one segment in bytes, with `OpenSegment.frameOverhead` for each frame;
    /// beyond it the segment is cut at any frame.
    public var segmentByteLimit = 32 << 20
    /// Largest number of segments that a playlist lists, however short they are.
    public var segmentLimit = 1_000
    /// Bytes that all segments of a stream may have; the oldest segments are dropped first.
    public var totalByteLimit = 512 << 20
    /// Seconds that a publisher may take to send its second key frame before the first segment is
    /// cut without one.
    public var firstSegmentLimit: Double = 20

    public init(
        container: Container = .ts, segmentDuration: Double = 2, partDuration: Double? = nil,
        window: Double = 60
    ) {
        self.container = container
        self.segmentDuration = segmentDuration
        self.partDuration = partDuration
        self.window = window
    }
}
