import HLS
import Media

extension ServerStatus {
    /// A stream's HLS side.
    public struct HLS: Sendable, Codable, Hashable {
        public var container: String
        public var targetDurationSeconds: Int?
        public var partTargetSeconds: Double?
        public var mediaSequence: Int?
        public var discontinuitySequence: Int?
        /// Segments and seconds that the playlist lists.
        public var listedSegments: Int
        public var listedSeconds: Double
        /// Made since the stream began.
        public var segments: Int
        public var parts: Int
        public var discontinuities: Int
        /// Segments that do not begin with a key frame.
        public var forcedCuts: Int
        /// Frames before the first key frame, and broken ones.
        public var droppedFrames: Int
        /// Frames whose timestamp had nothing to do with the stream: they got the one that they should
        /// have had.
        public var restampedFrames: Int = 0
        /// Frames of a track that stayed away from the other one, and of jumps that nothing followed.
        public var strayFrames: Int = 0
        /// Frames of a track that the container cannot say; `problem` tells why.
        public var leftOutFrames: Int = 0
        /// Segments that were too short to be listed, or had too many bytes for their duration.
        public var droppedSegments: Int = 0
        /// Parts longer than PART-TARGET, because a frame came late.
        public var longParts: Int
        /// Of all that can be fetched.
        public var storedBytes: Int
        /// BANDWIDTH as measured, bit/s; 0 before the first segment.
        public var peakBitsPerSecond: Int
        public var codecs: [String]
        public var requests: Int
        public var sentBytes: Int
        /// Requests that wait for something that is not there yet.
        public var blockedRequests: Int
        /// EXT-X-ENDLIST is there.
        public var hasEnded: Bool
        /// Why nothing, or not everything, can be packaged.
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
