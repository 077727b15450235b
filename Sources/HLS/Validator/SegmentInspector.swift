/// A shallow look into a segment: its container, its first presentation time, and whether it begins
/// with a key frame.
public struct SegmentInspection: Sendable, Hashable {
    public enum Container: String, Sendable, Hashable, Codable {
        case transportStream = "ts"
        case fragmentedMP4 = "fmp4"
        /// AAC, MP3 or AC-3 with ID3 tags (RFC 8216, 3.4).
        case packedAudio = "audio"
        case webVTT = "vtt"
        case unknown
    }

    public var container: Container
    public var hasVideo = false
    /// Whether the first video frame is a key frame; nil if that cannot be determined.
    public var beginsWithKeyFrame: Bool?
    /// Presentation time in seconds of the first video frame, or of the first frame if there is no
    /// video.
    public var startSeconds: Double?
    /// Whether a transport stream has its PAT and PMT.
    public var hasTables = true

    public init(container: Container) { self.container = container }

    /// - Parameters:
    ///   - bytes: A whole segment or part.
    ///   - tracks: Tracks of its initialization section; fMP4 needs them.
    public static func inspect(
        _ bytes: UnsafeRawBufferPointer, tracks: InitializationTracks? = nil
    ) -> SegmentInspection {
        if bytes.count >= 188, bytes[0] == 0x47, bytes.count < 376 || bytes[188] == 0x47 {
            return TransportStreamInspector.inspect(bytes)
        }
        // A byte order mark may come first (WebVTT, 4.1).
        if bytes.starts(with: "WEBVTT".utf8) || bytes.starts(with: "\u{FEFF}WEBVTT".utf8) {
            return SegmentInspection(container: .webVTT)
        }
        if bytes.starts(with: "ID3".utf8) || isADTS(bytes) {
            return SegmentInspection(container: .packedAudio)
        }
        if let inspection = FragmentInspector.inspect(bytes, tracks: tracks) { return inspection }
        return SegmentInspection(container: .unknown)
    }

    private static func isADTS(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= 2 && bytes[0] == 0xFF && bytes[1] & 0xF6 == 0xF0
    }

    /// Returns the rules that the segment breaks.
    ///
    /// - Parameters:
    ///   - promisesIndependence: EXT-X-INDEPENDENT-SEGMENTS, or INDEPENDENT=YES of a part.
    ///   - hasMap: Whether an EXT-X-MAP is in force.
    public func violations(
        promisesIndependence: Bool, hasMap: Bool, at location: String
    ) -> [Violation] {
        var violations: [Violation] = []
        if container == .unknown {
            violations.append(
                Violation(
                    .containerUnknown, at: location,
                    "it is neither a transport stream, fragmented MP4, packed audio nor WebVTT"))
        }
        if !hasTables, !hasMap {
            violations.append(
                Violation(
                    .tablesMissing, at: location,
                    "a transport stream segment must hold a PAT and a PMT before its media, or have an EXT-X-MAP"
                ))
        }
        if container == .fragmentedMP4, !hasMap {
            violations.append(
                Violation(.mapMissing, at: location, "fragmented MP4 without an EXT-X-MAP"))
        }
        if hasVideo, beginsWithKeyFrame == false {
            violations.append(
                promisesIndependence
                    ? Violation(
                        .notIndependent, at: location,
                        "its first video frame is no key frame, and the playlist says that it is independent"
                    )
                    : Violation(
                        .keyFrameMissing, at: location,
                        "its first video frame is no key frame: a player that starts or switches here waits"
                    ))
        }
        return violations
    }
}
