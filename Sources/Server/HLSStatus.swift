import HLS
import Media

extension ServerStatus {
    /// HLS status of a stream.
    public struct HLS: Sendable, Codable, Hashable {
        public var container: String
        public var targetDurationSeconds: Int?
        public var partTargetSeconds: Double?
        public var mediaSequence: Int?
        public var discontinuitySequence: Int?
        /// Number of segments that the playlist lists, and their seconds.
        public var listedSegments: Int
        public var listedSeconds: Double
        /// Number of segments made since the stream began.
        public var segments: Int
        public var parts: Int
        public var discontinuities: Int
        /// Segments that do not begin with a key frame.
        public var forcedCuts: Int
        /// Frames before the first key frame, and broken ones.
        public var droppedFrames: Int
        /// Frames with a timestamp that did not fit the stream; they got the one that they should
        /// have had.
        public var restampedFrames: Int = 0
        /// Frames of a track that stayed away from the other one, and frames of jumps that no frame
        /// followed.
        public var strayFrames: Int = 0
        /// Frames of a track that the container cannot express; `problem` says why.
        public var leftOutFrames: Int = 0
        /// Segments that were too short to be listed, or had too many bytes for their duration.
        public var droppedSegments: Int = 0
        /// Parts longer than PART-TARGET, because a frame came late.
        public var longParts: Int
        /// Bytes of everything that can be fetched.
        public var storedBytes: Int
        /// Measured BANDWIDTH in bit/s; 0 before the first segment.
        public var peakBitsPerSecond: Int
        public var codecs: [String]
        public var requests: Int
        public var sentBytes: Int
        /// Number of requests that wait for a segment or part.
        public var blockedRequests: Int
        /// Whether the playlist has EXT-X-ENDLIST.
        public var hasEnded: Bool
        /// Reason why nothing, or not everything, can be packaged.
        public var problem: String?

        init(_ facts: PackagedStream.Facts, container: SegmenterConfiguration.Container) {
            self.container = container.rawValue
            targetDurationSeconds = facts.playlist?.targetDuration
            partTargetSeconds = facts.playlist?.partTarget
            mediaSequence = facts.playlist?.mediaSequence
            discontinuitySequence = facts.playlist?.discontinuitySequence
            listedSegments = facts.playlist?.segments.count ?? 0
            listedSeconds = facts.playlist?.duration ?? 0
            segments = facts.counts.segments
            parts = facts.counts.parts
            discontinuities = facts.counts.discontinuities
            forcedCuts = facts.counts.forcedCuts
            droppedFrames = facts.counts.droppedFrames
            longParts = facts.counts.longParts
            restampedFrames = facts.timeline.restamped
            strayFrames = facts.timeline.dropped
            leftOutFrames = facts.leftOutFrames
            droppedSegments = facts.counts.droppedSegments
            storedBytes = facts.byteCount
            peakBitsPerSecond = facts.peak
            codecs = facts.tracks.codecs
            requests = facts.requests
            sentBytes = facts.sentBytes
            blockedRequests = facts.waiting
            hasEnded = facts.isFinished
            problem = facts.problem
        }
    }
}
