public import Media
public import Sockets

/// Where a stream's frames come from.
public enum SourceSpec: Codable, Sendable, Hashable {
    case synthetic(SyntheticSpec)
    /// A media file, played in a loop. Anything but FLV is remuxed once through ffmpeg.
    case file(path: String)

    /// - Throws: `MediaError` where the spec is impossible or the file holds nothing usable,
    ///   `PublisherError` where it cannot be remuxed.
    public func makeSource() throws -> any MediaSource {
        switch self {
        case .synthetic(let spec): try SyntheticSource(spec: spec)
        case .file(let path): try Remux.source(of: path)
        }
    }
}

/// One stream to publish.
public struct PublishSpec: Codable, Sendable, Hashable {
    /// `rtmp://host[:port]/app/stream[?query]`
    public var url: String
    /// Written into every frame stamp; unique in the run.
    public var streamID: UInt32
    public var source: SourceSpec
    /// Shifts the whole schedule, so that streams do not send at the same moments.
    public var phaseNanoseconds: Int64

    public init(url: String, streamID: UInt32, source: SourceSpec, phaseNanoseconds: Int64 = 0) {
        self.url = url
        self.streamID = streamID
        self.source = source
        self.phaseNanoseconds = phaseNanoseconds
    }

    /// The `phaseNanoseconds` of the stream at `index` of a run: 0 ..< 33 ms, which is a frame at
    /// 30 frames per second. Streams that start together would send each frame together as well;
    /// 7,919 is prime to 33,000, so the phases of 33,000 streams in a row all differ.
    public static func phase(ofStream index: Int) -> Int64 {
        let frameMicroseconds = 33_000
        return Int64(index % frameMicroseconds * 7_919 % frameMicroseconds) * 1000
    }
}

public struct PublisherOptions: Codable, Sendable, Hashable {
    public var threads = 1
    public var congestionControl: String?
    /// Chunk size of what is sent; 4096 as OBS has it.
    public var chunkSize = 4096
    /// Attempts after a lost connection before the stream counts as failed; 0 = never again.
    public var reconnectLimit = 10
    /// Frames are dropped, and counted, while more than this waits for one connection, and from
    /// there to the next key frame.
    public var queueByteLimit = 8 << 20
    public var connectTimeoutMilliseconds = 10_000
    /// Whom rtmps trusts.
    public var trust = TLSTrust()

    public init() {}
}
