public import Media
public import Sockets

/// Specification of a stream's source of frames.
public enum SourceSpec: Codable, Sendable, Hashable {
    /// Frames that are generated, and are not read from a file.
    case synthetic(SyntheticSpec)
    /// A media file, which is played in a loop. A file that is not FLV is remuxed once with ffmpeg.
    case file(path: String)

    /// Opens the source.
    /// - Throws: `MediaError` if the specification is impossible or the file has no usable
    ///   contents, `PublisherError` if the file cannot be remuxed.
    public func makeSource() throws -> any MediaSource {
        switch self {
        case .synthetic(let spec): try SyntheticSource(spec: spec)
        case .file(let path): try Remux.source(of: path)
        }
    }
}

/// Time in which a stream's connection is broken on purpose.
public struct PublishGap: Codable, Sendable, Hashable {
    /// Time from the start of the run at which the connection breaks, without a word to the server.
    public var atNanoseconds: Int64
    /// Time after which the publisher connects again.
    public var lengthNanoseconds: Int64

    public init(atNanoseconds: Int64, lengthNanoseconds: Int64) {
        self.atNanoseconds = atNanoseconds
        self.lengthNanoseconds = lengthNanoseconds
    }
}

/// Specification of one stream to publish.
public struct PublishSpec: Codable, Sendable, Hashable {
    /// Address `rtmp://host[:port]/app/stream[?query]`, or the same with `rtmps`.
    public var url: String
    /// Number that is written into every frame stamp. No other stream of the run has it.
    public var streamID: UInt32
    public var source: SourceSpec
    /// Time by which all frames are sent later, 0 or more, so that streams do not send at the same
    /// times; see `phase(ofStream:)`.
    public var phaseNanoseconds: Int64
    /// Frames of a synthetic source's first group of pictures; nil = as many as in the others.
    public var firstGroupFrames: Int?
    /// Time in which the publisher is gone; nil = the publisher stays.
    public var gap: PublishGap?

    public init(
        url: String, streamID: UInt32, source: SourceSpec, phaseNanoseconds: Int64 = 0,
        firstGroupFrames: Int? = nil, gap: PublishGap? = nil
    ) {
        self.firstGroupFrames = firstGroupFrames
        self.gap = gap
        self.url = url
        self.streamID = streamID
        self.source = source
        self.phaseNanoseconds = phaseNanoseconds
    }

    /// Returns the `phaseNanoseconds` of the stream at `index` (0 or more) of a run.
    ///
    /// Phases are at least 0 and less than 33 ms, the duration of a frame at 30 frames per second.
    /// Without phases, streams that start together would also send each frame together. 7,919 has
    /// no common factor with 33,000, so the phases of 33,000 streams in a row all differ.
    public static func phase(ofStream index: Int) -> Int64 {
        let frameMicroseconds = 33_000
        return Int64(index % frameMicroseconds * 7_919 % frameMicroseconds) * 1000
    }
}

/// Options for all streams of a process that publishes.
public struct PublisherOptions: Codable, Sendable, Hashable {
    /// Number of event loops, 1 or more.
    public var threads = 1
    /// TCP congestion control, such as `cubic`; nil = the system's choice.
    public var congestionControl: String?
    /// RTMP chunk size of the messages that are sent, in bytes; OBS sends chunks of 4096, too.
    public var chunkSize = 4096
    /// Number of attempts to connect again after a lost connection. If all of them fail, the stream
    /// counts as failed; 0 = no attempt.
    public var reconnectLimit = 10
    /// Number of bytes that may wait for one connection. If more are waiting, frames are dropped up
    /// to the next key frame, and counted.
    public var queueByteLimit = 8 << 20
    public var connectTimeoutMilliseconds = 10_000
    /// Authorities whose certificates are trusted with rtmps.
    public var trust = TLSTrust()

    public init() {}
}
