public import HLS

/// Error for settings with which HLS cannot be served.
public struct HLSConfigurationError: Error, Sendable, CustomStringConvertible {
    public var description: String
}

/// Settings with which the embedded stack packages and serves HLS.
public struct HLSConfiguration: Sendable, Codable, Hashable {
    /// Relay streams that one multivariant playlist offers together.
    public struct Channel: Sendable, Codable, Hashable {
        /// Name, `<app>/<channel>`; a name without an application belongs to `live`.
        public var name: String
        public var renditions: [Rendition]

        public init(name: String, renditions: [Rendition]) {
            self.name = name
            self.renditions = renditions
        }

        /// Name with its application.
        var fullName: String { name.contains("/") ? name : "live/\(name)" }
    }

    public struct Rendition: Sendable, Codable, Hashable {
        public var name: String
        /// The relay stream's key, in the channel's application.
        public var stream: String

        public init(name: String, stream: String) {
            self.name = name
            self.stream = stream
        }
    }

    public var container = SegmenterConfiguration.Container.ts
    /// Seconds after which the next key frame begins a segment, 0.5…60.
    public var segmentSeconds = 2.0
    /// PART-TARGET in seconds, 0.1…segmentSeconds; nil = no low-latency HLS.
    public var partSeconds: Double?
    /// Seconds that a playlist lists, 1…21,600; never less than three target durations.
    public var windowSeconds = 60.0
    /// Channels. If empty, a stream `cam_720p` is rendition `720p` of channel `cam`, and a stream
    /// without `_` is a channel of its own.
    public var channels: [Channel] = []
    /// Seconds for which a request for a playlist waits until its first segment is whole; after
    /// that the response is 404 with Retry-After.
    public var firstSegmentWaitSeconds = 10.0
    /// Seconds for which the playlist and the segments of a stream that has ended stay.
    public var lingerSeconds = 60.0
    /// Seconds without a request after which an HTTP connection is closed.
    public var keepAliveSeconds = 75.0
    /// Bytes that all segments of one stream may have.
    public var byteLimit = 512 << 20

    public init() {}

    private enum CodingKeys: String, CodingKey {
        case container, segmentSeconds, partSeconds, windowSeconds, channels
        case firstSegmentWaitSeconds, lingerSeconds, keepAliveSeconds, byteLimit
    }

    /// Reads a configuration; absent keys take their defaults.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        func value<Value: Decodable>(_ key: CodingKeys, _ standard: Value) throws -> Value {
            try fields.decodeIfPresent(Value.self, forKey: key) ?? standard
        }
        container = try value(.container, container)
        segmentSeconds = try value(.segmentSeconds, segmentSeconds)
        partSeconds = try fields.decodeIfPresent(Double.self, forKey: .partSeconds)
        windowSeconds = try value(.windowSeconds, windowSeconds)
        channels = try value(.channels, channels)
        firstSegmentWaitSeconds = try value(.firstSegmentWaitSeconds, firstSegmentWaitSeconds)
        lingerSeconds = try value(.lingerSeconds, lingerSeconds)
        keepAliveSeconds = try value(.keepAliveSeconds, keepAliveSeconds)
        byteLimit = try value(.byteLimit, byteLimit)
    }

    /// Setting that a fault is about.
    public enum Setting: Sendable {
        case segment, part, window, other
    }

    /// Fault of the settings; nil if there is none.
    public var problem: String? { fault?.words }

    /// Fault, and the setting that has it; nil if there is none.
    public var fault: (setting: Setting, words: String)? {
        if !(0.5...60).contains(segmentSeconds) {
            return (
                .segment, "the segment duration is \(segmentSeconds) s; it must be 0.5 to 60 s"
            )
        }
        if let partSeconds, !(0.1...segmentSeconds).contains(partSeconds) {
            return (
                .part,
                "the part duration is \(partSeconds) s; it must be 0.1 s to the segment duration, \(segmentSeconds) s"
            )
        }
        if !(1...21_600).contains(windowSeconds) {
            return (.window, "the window is \(windowSeconds) s; it must be 1 s to 6 h")
        }
        return otherProblem.map { (.other, $0) }
    }

    private var otherProblem: String? {
        for (name, seconds) in [
            ("firstSegmentWaitSeconds", firstSegmentWaitSeconds), ("lingerSeconds", lingerSeconds),
            ("keepAliveSeconds", keepAliveSeconds),
        ] where !(0...86_400).contains(seconds) {
            return "\(name) is \(seconds); it must be 0 to 86,400 s"
        }
        if byteLimit < 1 << 20 { return "byteLimit is \(byteLimit); it must be 1 MiB at least" }
        for channel in channels where channel.renditions.isEmpty {
            return "the channel '\(channel.name)' has no rendition"
        }
        return nil
    }

    var segmenter: SegmenterConfiguration {
        var configuration = SegmenterConfiguration(
            container: container, segmentDuration: segmentSeconds, partDuration: partSeconds,
            window: windowSeconds)
        configuration.totalByteLimit = byteLimit
        return configuration
    }
}
