public import Media
public import Sockets

/// Specification of a stream's source of frames.
public enum SourceSpec: Codable, Sendable, Hashable {
    case synthetic(SyntheticSpec)
    /// A media file, which is played in a loop. A file that is not FLV is remuxed once with ffmpeg.
    case file(path: String)

    /// - Throws: `MediaError` if the specification is impossible or the file has no usable
    ///   contents, `PublisherError` if the file cannot be remuxed.
    public func makeSource() throws -> any MediaSource {
        switch self {
        case .synthetic(let spec): try SyntheticSource(spec: spec)
        case .file(let path): try Remux.source(of: path)
        }
    }
}

/// Specification of one stream to publish.
public struct PublishSpec: Codable, Sendable, Hashable {
    /// Address `rtmp://host[:port]/app/stream[?query]`.
    public var url: String
    /// Number that is written into every frame stamp; unique in the run.
    public var streamID: UInt32
    public var source: SourceSpec
    /// Shift of the whole schedule, so that streams do not send at the same times.
    public var phaseNanoseconds: Int64

    public init(url: String, streamID: UInt32, source: SourceSpec, phaseNanoseconds: Int64 = 0) {
        self.url = url
        self.streamID = streamID
        self.source = source
        self.phaseNanoseconds = phaseNanoseconds
    }

    /// Returns the `phaseNanoseconds` of the stream at `index` of a run: 0 ..< 33 ms, which is a
    /// frame at 30 frames per second. Without it, streams that start together would also send each
    /// frame together. 7,919 is prime to 33,000, so the phases of 33,000 streams in a row all
    /// differ.
    public static func phase(ofStream index: Int) -> Int64 {
        let frameMicroseconds = 33_000
        return Int64(index % frameMicroseconds * 7_919 % frameMicroseconds) * 1000
    }
}

public struct PublisherOptions: Codable, Sendable, Hashable {
    public var threads = 1
    public var congestionControl: String?
    /// Chunk size of the messages that are sent; 4096 as in OBS.
    public var chunkSize = 4096
    /// Number of attempts after a lost connection before the stream counts as failed; 0 = no
    /// attempt.
    public var reconnectLimit = 10
    /// Number of bytes waiting for one connection above which frames are dropped and counted;
    /// frames are then dropped up to the next key frame.
    public var queueByteLimit = 8 << 20
    public var connectTimeoutMilliseconds = 10_000
    /// Authorities that rtmps trusts.
    public var trust = TLSTrust()

    public init() {}
}
