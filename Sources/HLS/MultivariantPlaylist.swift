/// A multivariant ("master") playlist (RFC 8216, 4.3.4).
public struct MultivariantPlaylist: Sendable, Hashable {
    /// EXT-X-VERSION; 1 if the tag is missing.
    public var version: Int
    /// EXT-X-INDEPENDENT-SEGMENTS, which holds for every media playlist.
    public var hasIndependentSegments: Bool
    public var start: MediaPlaylist.StartPoint?
    public var renditions: [Rendition]
    public var variants: [Variant]
    public var iFrameStreams: [IFrameStream]
    /// EXT-X-DEFINE: the variables that its media playlists may import, by name.
    public var variables: [String: String]

    public init(
        version: Int = 3, hasIndependentSegments: Bool = false,
        start: MediaPlaylist.StartPoint? = nil, renditions: [Rendition] = [],
        variants: [Variant] = [], iFrameStreams: [IFrameStream] = [],
        variables: [String: String] = [:]
    ) {
        self.variables = variables
        self.version = version
        self.hasIndependentSegments = hasIndependentSegments
        self.start = start
        self.renditions = renditions
        self.variants = variants
        self.iFrameStreams = iFrameStreams
    }

    /// RESOLUTION.
    public struct Resolution: Sendable, Hashable, CustomStringConvertible {
        public var width: Int
        public var height: Int

        public init(width: Int, height: Int) {
            self.width = width
            self.height = height
        }

        public var description: String { "\(width)x\(height)" }
    }

    /// EXT-X-STREAM-INF with its URI.
    public struct Variant: Sendable, Hashable {
        public var uri: String
        /// BANDWIDTH: the peak, in bit/s.
        public var bandwidth: Int
        /// AVERAGE-BANDWIDTH, in bit/s.
        public var averageBandwidth: Int?
        /// CODECS, as RFC 6381 writes them: `avc1.64001f`, `mp4a.40.2`.
        public var codecs: [String]
        public var resolution: Resolution?
        /// FRAME-RATE, frames per second.
        public var frameRate: Double?
        /// AUDIO: a group of `renditions`.
        public var audioGroup: String?
        public var videoGroup: String?
        public var subtitlesGroup: String?
        /// CLOSED-CAPTIONS: a group, or `NONE`.
        public var closedCaptions: String?

        public init(
            uri: String, bandwidth: Int, averageBandwidth: Int? = nil, codecs: [String] = [],
            resolution: Resolution? = nil, frameRate: Double? = nil, audioGroup: String? = nil,
            videoGroup: String? = nil, subtitlesGroup: String? = nil, closedCaptions: String? = nil
        ) {
            self.uri = uri
            self.bandwidth = bandwidth
            self.averageBandwidth = averageBandwidth
            self.codecs = codecs
            self.resolution = resolution
            self.frameRate = frameRate
            self.audioGroup = audioGroup
            self.videoGroup = videoGroup
            self.subtitlesGroup = subtitlesGroup
            self.closedCaptions = closedCaptions
        }
    }

    /// EXT-X-I-FRAME-STREAM-INF.
    public struct IFrameStream: Sendable, Hashable {
        public var uri: String
        /// Bandwidth in bit/s.
        public var bandwidth: Int
        public var averageBandwidth: Int?
        public var codecs: [String]
        public var resolution: Resolution?

        public init(
            uri: String, bandwidth: Int, averageBandwidth: Int? = nil, codecs: [String] = [],
            resolution: Resolution? = nil
        ) {
            self.uri = uri
            self.bandwidth = bandwidth
            self.averageBandwidth = averageBandwidth
            self.codecs = codecs
            self.resolution = resolution
        }
    }

    /// EXT-X-MEDIA.
    public struct Rendition: Sendable, Hashable {
        public enum Kind: String, Sendable, Hashable {
            case audio = "AUDIO"
            case video = "VIDEO"
            case subtitles = "SUBTITLES"
            case closedCaptions = "CLOSED-CAPTIONS"
        }

        public var kind: Kind
        public var groupID: String
        public var name: String
        /// URI of the media playlist; nil = the rendition is in the variant's own segments.
        public var uri: String?
        public var language: String?
        public var isDefault: Bool
        public var isAutoselect: Bool
        public var isForced: Bool
        /// CHANNELS, as written.
        public var channels: String?
        /// INSTREAM-ID of closed captions.
        public var instreamID: String?

        public init(
            kind: Kind, groupID: String, name: String, uri: String? = nil, language: String? = nil,
            isDefault: Bool = false, isAutoselect: Bool = false, isForced: Bool = false,
            channels: String? = nil, instreamID: String? = nil
        ) {
            self.kind = kind
            self.groupID = groupID
            self.name = name
            self.uri = uri
            self.language = language
            self.isDefault = isDefault
            self.isAutoselect = isAutoselect
            self.isForced = isForced
            self.channels = channels
            self.instreamID = instreamID
        }
    }
}

extension MultivariantPlaylist {
    /// The playlist as UTF-8 lines that end with LF.
    public var text: String {
        var lines = ["#EXTM3U"]
        if version > 1 { lines.append("#EXT-X-VERSION:\(version)") }
        if hasIndependentSegments { lines.append("#EXT-X-INDEPENDENT-SEGMENTS") }
        for (name, value) in variables.sorted(by: { $0.key < $1.key }) {
            var list = AttributeList()
            list.add("NAME", quoted: name)
            list.add("VALUE", quoted: value)
            lines.append("#EXT-X-DEFINE:\(list.text)")
        }
        if let start {
            var list = AttributeList()
            list.add("TIME-OFFSET", decimal: start.timeOffset)
            list.add("PRECISE", yes: start.isPrecise)
            lines.append("#EXT-X-START:\(list.text)")
        }
        for rendition in renditions { lines.append("#EXT-X-MEDIA:\(rendition.attributes.text)") }
        for variant in variants {
            lines.append("#EXT-X-STREAM-INF:\(variant.attributes.text)")
            lines.append(variant.uri)
        }
        for stream in iFrameStreams {
            var list = Self.common(
                stream.bandwidth, stream.averageBandwidth, stream.codecs, stream.resolution)
            list.add("URI", quoted: stream.uri)
            lines.append("#EXT-X-I-FRAME-STREAM-INF:\(list.text)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    fileprivate static func common(
        _ bandwidth: Int, _ average: Int?, _ codecs: [String], _ resolution: Resolution?
    ) -> AttributeList {
        var list = AttributeList()
        list.add("BANDWIDTH", integer: bandwidth)
        list.add("AVERAGE-BANDWIDTH", integer: average)
        if !codecs.isEmpty { list.add("CODECS", quoted: codecs.joined(separator: ",")) }
        if let resolution { list.add("RESOLUTION", "\(resolution)") }
        return list
    }
}

extension MultivariantPlaylist.Variant {
    fileprivate var attributes: AttributeList {
        var list = MultivariantPlaylist.common(bandwidth, averageBandwidth, codecs, resolution)
        list.add("FRAME-RATE", decimal: frameRate)
        list.add("AUDIO", quoted: audioGroup)
        list.add("VIDEO", quoted: videoGroup)
        list.add("SUBTITLES", quoted: subtitlesGroup)
        if closedCaptions == "NONE" {
            list.add("CLOSED-CAPTIONS", "NONE")
        } else {
            list.add("CLOSED-CAPTIONS", quoted: closedCaptions)
        }
        return list
    }
}

extension MultivariantPlaylist.Rendition {
    fileprivate var attributes: AttributeList {
        var list = AttributeList()
        list.add("TYPE", kind.rawValue)
        list.add("GROUP-ID", quoted: groupID)
        list.add("NAME", quoted: name)
        list.add("LANGUAGE", quoted: language)
        list.add("DEFAULT", yes: isDefault)
        list.add("AUTOSELECT", yes: isAutoselect)
        list.add("FORCED", yes: isForced)
        list.add("CHANNELS", quoted: channels)
        list.add("INSTREAM-ID", quoted: instreamID)
        list.add("URI", quoted: uri)
        return list
    }
}
