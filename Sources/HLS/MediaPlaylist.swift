/// A media playlist (RFC 8216, 4.3.3; low-latency tags of draft-pantos-hls-rfc8216bis).
///
/// Durations are in seconds, exact to the microsecond.
public struct MediaPlaylist: Sendable, Hashable {
    public enum PlaylistType: String, Sendable, Hashable {
        case event = "EVENT"
        case vod = "VOD"
    }

    /// EXT-X-VERSION; 1 if the tag is missing.
    public var version: Int
    /// EXT-X-TARGETDURATION in seconds: no segment's duration, rounded, is longer.
    public var targetDuration: Int
    /// Media sequence number of the first segment, even if that segment is skipped.
    ///
    /// A decimal-integer goes up to 2^64 − 1 (RFC 8216, 4.2). This property is its bit pattern, so
    /// that numbers are compared by their difference (`&-`) and written with `sequenceText`.
    public var mediaSequence: Int
    /// EXT-X-DISCONTINUITY-SEQUENCE: the number of discontinuities that have left the playlist, as
    /// a bit pattern like the media sequence number.
    public var discontinuitySequence: Int
    public var type: PlaylistType?
    /// EXT-X-ENDLIST: whether the playlist is final.
    public var hasEndList: Bool
    /// EXT-X-INDEPENDENT-SEGMENTS.
    public var hasIndependentSegments: Bool
    /// EXT-X-I-FRAMES-ONLY.
    public var isIFramesOnly: Bool
    public var start: StartPoint?
    public var serverControl: ServerControl?
    /// PART-TARGET of EXT-X-PART-INF in seconds.
    public var partTarget: Double?
    /// SKIPPED-SEGMENTS of EXT-X-SKIP: this is a delta update, and `segments` lacks its first ones.
    public var skippedSegments: Int?
    public var segments: [Segment]
    /// Unfinished segment, as far as its parts exist.
    public var partialSegment: PartialSegment?
    public var preloadHints: [PreloadHint]
    public var renditionReports: [RenditionReport]

    public init(
        version: Int = 3, targetDuration: Int, mediaSequence: Int = 0,
        discontinuitySequence: Int = 0, type: PlaylistType? = nil, hasEndList: Bool = false,
        hasIndependentSegments: Bool = false, isIFramesOnly: Bool = false,
        start: StartPoint? = nil, serverControl: ServerControl? = nil, partTarget: Double? = nil,
        skippedSegments: Int? = nil, segments: [Segment] = [],
        partialSegment: PartialSegment? = nil, preloadHints: [PreloadHint] = [],
        renditionReports: [RenditionReport] = []
    ) {
        self.version = version
        self.targetDuration = targetDuration
        self.mediaSequence = mediaSequence
        self.discontinuitySequence = discontinuitySequence
        self.type = type
        self.hasEndList = hasEndList
        self.hasIndependentSegments = hasIndependentSegments
        self.isIFramesOnly = isIFramesOnly
        self.start = start
        self.serverControl = serverControl
        self.partTarget = partTarget
        self.skippedSegments = skippedSegments
        self.segments = segments
        self.partialSegment = partialSegment
        self.preloadHints = preloadHints
        self.renditionReports = renditionReports
    }

    /// Media sequence number of `segments[0]`.
    public var firstListedSequence: Int { mediaSequence &+ (skippedSegments ?? 0) }

    /// Media sequence number of the segment after the last whole one.
    public var nextSequence: Int { firstListedSequence &+ segments.count }

    /// Text of a media sequence number in a playlist.
    public static func sequenceText(_ sequence: Int) -> String {
        String(UInt(bitPattern: sequence))
    }

    /// Duration of the whole segments listed, in seconds; skipped ones are not counted.
    public var duration: Double { segments.reduce(0) { $0 + $1.duration } }

    /// Least distance in seconds from the end of a live playlist at which a player starts
    /// (HOLD-BACK, or else three target durations; RFC 8216, 6.3.3).
    public var holdBack: Double {
        serverControl?.holdBack ?? 3 * Double(targetDuration)
    }
}

extension MediaPlaylist {
    /// EXTINF with the tags that apply to its segment.
    public struct Segment: Sendable, Hashable {
        /// URI, relative or absolute.
        public var uri: String
        /// Duration in seconds.
        public var duration: Double
        /// Text after EXTINF's comma.
        public var title: String
        public var byteRange: ByteRange?
        /// Whether EXT-X-DISCONTINUITY comes before the segment.
        public var isDiscontinuity: Bool
        /// EXT-X-GAP: whether the segment must not be loaded.
        public var isGap: Bool
        /// Date of the first sample; only if the tag is present, never extrapolated.
        public var programDateTime: ProgramDateTime?
        /// The EXT-X-MAP in force.
        public var map: InitializationSection?
        /// The EXT-X-KEY in force.
        public var key: EncryptionKey?
        /// EXT-X-BITRATE in force, in kbit/s.
        public var bitrateKilobits: Int?
        public var parts: [Part]

        public init(
            uri: String, duration: Double, title: String = "", byteRange: ByteRange? = nil,
            isDiscontinuity: Bool = false, isGap: Bool = false,
            programDateTime: ProgramDateTime? = nil, map: InitializationSection? = nil,
            key: EncryptionKey? = nil, bitrateKilobits: Int? = nil, parts: [Part] = []
        ) {
            self.uri = uri
            self.duration = duration
            self.title = title
            self.byteRange = byteRange
            self.isDiscontinuity = isDiscontinuity
            self.isGap = isGap
            self.programDateTime = programDateTime
            self.map = map
            self.key = key
            self.bitrateKilobits = bitrateKilobits
            self.parts = parts
        }
    }

    /// Parts of the unfinished segment at the playlist's end.
    public struct PartialSegment: Sendable, Hashable {
        public var parts: [Part]
        public var isDiscontinuity: Bool
        /// Whether EXT-X-GAP comes before the parts, so that none of the segment is to be loaded.
        public var isGap: Bool
        public var programDateTime: ProgramDateTime?
        public var map: InitializationSection?
        public var key: EncryptionKey?

        public init(
            parts: [Part], isDiscontinuity: Bool = false, isGap: Bool = false,
            programDateTime: ProgramDateTime? = nil, map: InitializationSection? = nil,
            key: EncryptionKey? = nil
        ) {
            self.parts = parts
            self.isDiscontinuity = isDiscontinuity
            self.isGap = isGap
            self.programDateTime = programDateTime
            self.map = map
            self.key = key
        }
    }

    /// A piece of a resource (EXT-X-BYTERANGE).
    public struct ByteRange: Sendable, Hashable {
        /// Length in bytes.
        public var length: Int
        /// Offset of the first byte. The reader resolves ranges that continue at the end of the
        /// range before them; the offset is nil only if a delta update skipped that range.
        public var offset: Int?

        public init(length: Int, offset: Int?) {
            self.length = length
            self.offset = offset
        }

        /// Bytes of the resource; nil if the offset is not known, if the range is empty, or if it
        /// ends beyond every file.
        public var bytes: Range<Int>? {
            guard let offset, let end, length > 0 else { return nil }
            return offset..<end
        }

        /// Offset of the first byte after the range; nil if the range's own offset is not known, or
        /// if no file is that long.
        var end: Int? {
            guard let offset else { return nil }
            let (end, overflow) = offset.addingReportingOverflow(length)
            return overflow ? nil : end
        }
    }

    /// EXT-X-MAP.
    public struct InitializationSection: Sendable, Hashable {
        public var uri: String
        public var byteRange: ByteRange?
        /// EXT-X-KEY in force at the tag's position: it applies to the section (RFC 8216, 4.3.2.4).
        public var key: EncryptionKey?

        public init(uri: String, byteRange: ByteRange? = nil, key: EncryptionKey? = nil) {
            self.uri = uri
            self.byteRange = byteRange
            self.key = key
        }
    }

    /// EXT-X-KEY, kept as written.
    public struct EncryptionKey: Sendable, Hashable {
        /// `NONE`, `AES-128` or `SAMPLE-AES`.
        public var method: String
        public var uri: String?
        public var initializationVector: String?
        public var keyFormat: String?

        /// Whether the key encrypts anything.
        public var isInForce: Bool { method != "NONE" }

        public init(
            method: String, uri: String? = nil, initializationVector: String? = nil,
            keyFormat: String? = nil
        ) {
            self.method = method
            self.uri = uri
            self.initializationVector = initializationVector
            self.keyFormat = keyFormat
        }
    }

    /// EXT-X-PART.
    public struct Part: Sendable, Hashable {
        public var uri: String
        /// Duration in seconds.
        public var duration: Double
        /// Whether the part begins with a key frame.
        public var isIndependent: Bool
        public var isGap: Bool
        public var byteRange: ByteRange?

        public init(
            uri: String, duration: Double, isIndependent: Bool = false, isGap: Bool = false,
            byteRange: ByteRange? = nil
        ) {
            self.uri = uri
            self.duration = duration
            self.isIndependent = isIndependent
            self.isGap = isGap
            self.byteRange = byteRange
        }
    }

    /// EXT-X-START.
    public struct StartPoint: Sendable, Hashable {
        /// Offset in seconds from the start, or from the end if negative.
        public var timeOffset: Double
        public var isPrecise: Bool

        public init(timeOffset: Double, isPrecise: Bool = false) {
            self.timeOffset = timeOffset
            self.isPrecise = isPrecise
        }
    }

    /// EXT-X-SERVER-CONTROL; times are seconds.
    public struct ServerControl: Sendable, Hashable {
        public var canBlockReload: Bool
        /// Distance from the end, in seconds, beyond which delta updates may skip segments.
        public var canSkipUntil: Double?
        public var canSkipDateRanges: Bool
        public var holdBack: Double?
        public var partHoldBack: Double?

        public init(
            canBlockReload: Bool = false, canSkipUntil: Double? = nil,
            canSkipDateRanges: Bool = false, holdBack: Double? = nil, partHoldBack: Double? = nil
        ) {
            self.canBlockReload = canBlockReload
            self.canSkipUntil = canSkipUntil
            self.canSkipDateRanges = canSkipDateRanges
            self.holdBack = holdBack
            self.partHoldBack = partHoldBack
        }
    }

    /// EXT-X-PRELOAD-HINT.
    public struct PreloadHint: Sendable, Hashable {
        public enum Kind: String, Sendable, Hashable {
            case part = "PART"
            case map = "MAP"
        }

        public var kind: Kind
        public var uri: String
        /// BYTERANGE-START.
        public var byteRangeStart: Int
        /// BYTERANGE-LENGTH; nil = up to the resource's end.
        public var byteRangeLength: Int?

        public init(
            kind: Kind = .part, uri: String, byteRangeStart: Int = 0, byteRangeLength: Int? = nil
        ) {
            self.kind = kind
            self.uri = uri
            self.byteRangeStart = byteRangeStart
            self.byteRangeLength = byteRangeLength
        }
    }

    /// EXT-X-RENDITION-REPORT.
    public struct RenditionReport: Sendable, Hashable {
        /// URI relative to the playlist.
        public var uri: String
        public var lastSequence: Int?
        /// Index of the last part within that segment.
        public var lastPart: Int?

        public init(uri: String, lastSequence: Int?, lastPart: Int? = nil) {
            self.uri = uri
            self.lastSequence = lastSequence
            self.lastPart = lastPart
        }
    }
}
