import HTTPWire

/// One rule that a playlist, its segments or the server's responses may break.
public struct ValidationRule: Sendable, Hashable {
    public enum Severity: String, Sendable, Hashable, Codable {
        /// The specification forbids it; players fail or differ.
        case error
        /// The specification advises against it, or many players and caches need it otherwise.
        case warning
        /// This validator does not inspect it; it is not a fault of the server.
        case notChecked = "not-checked"
    }

    /// Name of the rule; stable across releases.
    public let id: String
    /// Section of RFC 8216, or of draft-pantos-hls-rfc8216bis if it begins with `bis`.
    public let section: String
    public let severity: Severity

    private init(_ id: String, _ section: String, _ severity: Severity = .error) {
        self.id = id
        self.section = section
        self.severity = severity
    }

    // Any playlist
    public static let unreadable = Self("playlist-unreadable", "4.1")
    public static let lineInvalid = Self("line-invalid", "4.1")
    public static let variableUndefined = Self("variable-undefined", "bis 4.3")
    public static let uriNotEncoded = Self("uri-not-encoded", "4.1")
    public static let duplicateTag = Self("tag-twice", "4.3")
    public static let tagOrder = Self("tag-order", "4.3.3.2")
    public static let versionTooLow = Self("version-too-low", "7")
    public static let versionTooHigh = Self("version-too-high", "7", .warning)

    // Media playlist
    public static let extinfExceedsTarget = Self("extinf-over-target", "4.3.3.1")
    public static let targetNotWhole = Self("target-not-whole", "4.3.3.1")
    public static let playlistTooShort = Self("live-playlist-too-short", "6.2.2")
    public static let noSegments = Self("no-segments", "6.2.1", .warning)
    public static let vodWithoutEnd = Self("vod-without-endlist", "4.3.3.5", .warning)
    public static let mapMissing = Self("map-missing", "3.3")
    public static let dateMissing = Self("date-missing", "4.3.2.6", .warning)
    public static let dateNotMonotone = Self("date-not-monotone", "4.3.2.6")
    public static let dateDrift = Self("date-drift", "4.3.2.6")
    public static let segmentTwice = Self("segment-twice", "4.3.3.2", .warning)

    // Low latency
    public static let partInfMissing = Self("part-inf-missing", "bis 4.4.3.7")
    public static let partExceedsTarget = Self("part-over-target", "bis 4.4.4.9")
    public static let partTooShort = Self("part-under-85-percent", "bis 4.4.4.9")
    public static let partsDifferFromSegment = Self("parts-differ-from-extinf", "bis 4.4.4.9")
    public static let partsTooOld = Self("parts-too-old", "bis 4.4.4.9", .warning)
    public static let partHoldBackMissing = Self("part-hold-back-missing", "bis 4.4.3.8")
    public static let partHoldBackShort = Self("part-hold-back-under-2x", "bis 4.4.3.8")
    public static let partHoldBackLow = Self("part-hold-back-under-3x", "bis 4.4.3.8", .warning)
    public static let holdBackShort = Self("hold-back-under-3x", "bis 4.4.3.8")
    public static let canSkipUntilShort = Self("can-skip-until-under-6x", "bis 4.4.3.8")
    public static let noBlockingReload = Self("blocking-reload-missing", "bis 4.4.3.8", .warning)
    public static let hintAfterEnd = Self("preload-hint-after-endlist", "bis 4.4.5.3")
    public static let hintMissing = Self("preload-hint-missing", "bis 4.4.5.3", .warning)
    public static let reportMissing = Self("rendition-report-missing", "bis 4.4.5.4", .warning)
    public static let reportNotRelative = Self("rendition-report-not-relative", "bis 4.4.5.4")
    public static let reportStale = Self("rendition-report-stale", "bis 4.4.5.4", .warning)

    // Multivariant playlist
    public static let noVariants = Self("no-variants", "4.3.4.2")
    public static let bandwidthZero = Self("bandwidth-zero", "4.3.4.2")
    public static let averageExceedsPeak = Self("average-over-bandwidth", "4.3.4.2")
    public static let codecsMissing = Self("codecs-missing", "4.3.4.2", .warning)
    public static let resolutionMissing = Self("resolution-missing", "4.3.4.2", .warning)
    public static let frameRateMissing = Self("frame-rate-missing", "4.3.4.2", .warning)
    public static let groupUndefined = Self("group-undefined", "4.3.4.2.1")
    public static let renditionNameTwice = Self("rendition-name-twice", "4.3.4.1.1")
    public static let renditionDefaultTwice = Self("rendition-default-twice", "4.3.4.1.1")
    public static let renditionURI = Self("rendition-uri", "4.3.4.1")

    // Reloads
    public static let targetChanged = Self("target-changed", "6.2.1")
    public static let sequenceDecreased = Self("media-sequence-decreased", "6.2.2")
    public static let segmentChanged = Self("segment-changed", "6.2.2")
    public static let discontinuitySequence = Self("discontinuity-sequence", "6.2.2")
    public static let endListRemoved = Self("endlist-removed", "4.3.3.4")
    public static let typeViolated = Self("playlist-type-violated", "4.3.3.5")
    public static let playlistStale = Self("playlist-stale", "6.2.2")
    public static let partChanged = Self("part-changed", "bis 6.2.2")
    public static let dateChanged = Self("date-changed", "6.2.1")

    // Across variants: at the same time, whatever the media sequence numbers
    public static let variantTarget = Self("variant-target-differs", "6.2.4")
    public static let variantDiscontinuity = Self("variant-discontinuity-differs", "6.2.4")
    public static let variantTimestamps = Self("variant-timestamps-differ", "6.2.4")
    public static let variantDates = Self("variant-dates-differ", "6.2.4")
    public static let variantDateMissing = Self("variant-date-missing", "6.2.4")
    public static let variantDurations = Self("variant-durations-differ", "6.2.4", .warning)
    public static let variantNotCompared = Self("variant-not-compared", "6.3.2", .warning)

    // Segments
    public static let segmentUnfetchable = Self("segment-unfetchable", "6.2.1")
    public static let removedSegmentGone = Self("removed-segment-gone", "6.2.2")
    public static let initUnfetchable = Self("init-unfetchable", "4.3.2.5")
    public static let initInvalid = Self("init-invalid", "3.3")
    public static let containerUnknown = Self("container-unknown", "3", .warning)
    public static let encrypted = Self("encrypted", "4.3.2.4", .notChecked)
    public static let playlistsLeftOut = Self("playlists-left-out", "4.3.4", .notChecked)
    public static let notLookedInto = Self("not-looked-into", "6.2.1", .notChecked)
    public static let tablesMissing = Self("pat-pmt-missing", "3.2")
    public static let notIndependent = Self("segment-not-independent", "4.3.5.1")
    public static let keyFrameMissing = Self("segment-without-key-frame", "6.2.1", .warning)
    public static let durationDiffers = Self("extinf-differs-from-media", "4.3.2.1", .warning)
    public static let bandwidthExceeded = Self("bandwidth-exceeded", "4.3.4.2")
    public static let bandwidthClose = Self("bandwidth-exceeded-slightly", "4.3.4.2", .warning)
    public static let averageExceeded = Self("average-bandwidth-exceeded", "4.3.4.2", .warning)

    // HTTP
    public static let playlistUnfetchable = Self("playlist-unfetchable", "6.2.1")
    public static let playlistContentType = Self("playlist-content-type", "4")
    public static let segmentContentType = Self("segment-content-type", "4", .warning)
    public static let noCORS = Self("cors-missing", "6.2", .warning)
    public static let playlistCache = Self("cache-playlist", "bis B.1", .warning)
    public static let segmentCache = Self("cache-segment", "bis B.1", .warning)
    public static let blockingAnsweredEarly = Self("blocking-reload-early", "bis 6.2.5.2")
    public static let blockingFailed = Self("blocking-reload-failed", "bis 6.2.5.2")
    public static let tooFarAhead = Self("blocking-reload-too-far", "bis 6.2.5.2")
    public static let skipMissing = Self("skip-not-honoured", "bis 6.2.5.1", .warning)
    public static let skipCount = Self("skip-count", "bis 4.4.5.2")
}

/// One breach of a rule.
public struct Violation: Sendable, Hashable, Encodable, CustomStringConvertible {
    public var rule: ValidationRule
    /// URL or path of the playlist, with the segment if one is at fault.
    public var location: String
    /// Text that says what was found and what the rule asks for.
    public var message: String

    /// The location without the segment.
    public var playlist: Substring {
        location.firstRange(of: " segment ").map { location[..<$0.lowerBound] } ?? location[...]
    }

    public init(_ rule: ValidationRule, at location: String, _ message: String) {
        self.rule = rule
        self.location = location
        self.message = message
    }

    public var description: String {
        let document = rule.section.hasPrefix("bis") ? "rfc8216" : "RFC 8216 "
        // URIs and names come from the server: their characters must not act on a terminal.
        return
            "\(rule.severity.rawValue) \(rule.id) [\(document)\(rule.section)] \(location.printable(limit: 4096)): \(message.printable(limit: 4096))"
    }

    private enum CodingKeys: String, CodingKey {
        case rule, section, severity, location, message
    }

    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(rule.id, forKey: .rule)
        try fields.encode(rule.section, forKey: .section)
        try fields.encode(rule.severity, forKey: .severity)
        try fields.encode(location, forKey: .location)
        try fields.encode(message, forKey: .message)
    }
}

/// Violations in the order found; a repeated one is counted once.
public struct ViolationList: Sendable {
    /// Largest number of violations; a broken server would break the same rules for hours.
    public static let limit = 2_000
    /// Largest number of violations of one rule in one playlist: the first ones show the problem.
    public static let limitPerRule = 10

    public private(set) var violations: [Violation] = []
    /// Number of different violations beyond the limits.
    public private(set) var omitted = 0
    private var known: Set<Violation> = []
    private var counts: [String: Int] = [:]

    public init() {}

    public mutating func add(_ new: [Violation]) {
        for violation in new where !known.contains(violation) {
            let key = "\(violation.rule.id) \(violation.playlist)"
            guard violations.count < Self.limit, counts[key, default: 0] < Self.limitPerRule else {
                omitted += 1
                continue
            }
            counts[key, default: 0] += 1
            known.insert(violation)
            violations.append(violation)
        }
    }

    public var errors: Int { violations.count { $0.rule.severity == .error } }
    public var warnings: Int { violations.count { $0.rule.severity == .warning } }
    public var notChecked: Int { violations.count { $0.rule.severity == .notChecked } }
}
