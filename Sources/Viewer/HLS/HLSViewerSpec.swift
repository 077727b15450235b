public import ABR

/// One simulated HLS viewer: a player with an adaptation algorithm.
public struct HLSViewerSpec: Codable, Sendable, Hashable {
    /// Number of the viewer, unique in the run.
    public var index: Int
    /// URL of a multivariant or a media playlist: `http://host[:port]/…`.
    public var url: String
    /// URLs of the same presentation at other edges, tried in this order if an edge does not
    /// respond.
    public var alternatives: [String] = []
    /// Number of failures of a request after which the viewer goes to the next edge; 0 = never.
    public var failoverAfter = 0
    /// Time at which the viewer joins, counted from the start of the run.
    public var joinNanoseconds: Int64
    /// Time at which the viewer leaves, counted in the same way; nil = at the end, or when the
    /// title is over.
    public var leaveNanoseconds: Int64?
    /// The viewer's link, one of the pool's; nil = the machine's own network.
    public var link: LinkAssignment?
    /// The IPv4 address from which the viewer connects; nil = the system's choice.
    public var localAddress: String?
    /// A name that `AlgorithmName(parsing:)` takes.
    public var algorithm = "hls-js"
    /// Largest amount of media in the player's buffer, ms.
    public var maximumBufferMilliseconds = 30_000.0
    /// Amount of media with which playing starts, and continues after a stall, ms; nil = one
    /// segment.
    public var startBufferMilliseconds: Double?
    /// Height in pixels above which renditions are not used; nil = all renditions are used.
    public var maximumHeight: Int?
    /// Distance from the live edge, ms; nil = the distance that the playlist asks for (HOLD-BACK or
    /// PART-HOLD-BACK, otherwise three target durations).
    public var targetLatencyMilliseconds: Double?
    /// Number of target latencies by which the player may fall behind before it jumps; 0 = it never
    /// jumps.
    public var maximumLatencyRatio = 3.0
    /// Whether parts are played if the server offers them.
    public var usesParts = true
    /// Name of a fixed viewer's rendition in the path of its playlist; nil = the rendition with the
    /// algorithm's number.
    public var rendition: String?
    /// Whether downloads may be given up for a lower rendition.
    public var abandons = true
    /// Time from the join, in ms, during which a viewer requests its first playlist again if it
    /// does not exist (404); 0 = the viewer gives up at once, as hls.js does. A stream that begins
    /// together with the viewers has no playlist before its first segment is complete.
    public var patienceMilliseconds = 0.0
    /// Whether the viewer reads the frame stamps of what it fetches.
    public var isProbe = false

    /// Returns the configuration of the player.
    /// - Parameters:
    ///   - segmentDuration: duration of a segment, ms.
    ///   - liveTarget: distance to keep from the live edge, ms; nil for VOD.
    public func playerConfiguration(
        segmentDuration: Double, liveTarget: Double?
    ) -> PlayerConfiguration {
        var configuration = PlayerConfiguration()
        configuration.maximumBuffer = max(maximumBufferMilliseconds, segmentDuration)
        configuration.startBuffer = startBufferMilliseconds
        configuration.abandonment = abandons ? .published : .off
        configuration.live = liveTarget.map { target in
            var live = PlayerConfiguration.Live(targetLatency: target)
            if maximumLatencyRatio > 0 {
                live.maximumLatency = target * max(1, maximumLatencyRatio)
            }
            return live
        }
        return configuration
    }

    /// - Throws: `ViewerError` if the algorithm does not exist.
    func parsedAlgorithm() throws -> AlgorithmName {
        guard let parsed = AlgorithmName(parsing: algorithm) else {
            throw ViewerError(
                description: "'\(algorithm)' is no adaptation algorithm; there are "
                    + AlgorithmName.allNames.joined(separator: ", "))
        }
        return parsed
    }

    public init(index: Int, url: String, joinNanoseconds: Int64 = 0) {
        self.index = index
        self.url = url
        self.joinNanoseconds = joinNanoseconds
    }
}

/// A player's sums from `QoEAccount`, and figures that follow from them.
public struct HLSPlaybackReport: Codable, Sendable, Hashable {
    /// Time until playing began; times are in seconds.
    public var startup = 0.0
    public var playing = 0.0
    public var stalled = 0.0
    public var idle = 0.0
    public var stalls = 0
    /// Number of segments that playback has begun.
    public var segments = 0
    public var switches = 0
    /// Mean of the nominal bit rates of the segments played, kbit/s; nil if none was played.
    public var meanBitrate: Double?
    /// Sum of the changes of nominal bit rate, kbit/s.
    public var switchedBitrate = 0.0
    /// Mean and largest distance from the live edge while playing, seconds; nil for VOD.
    public var liveLatency: Double?
    public var maximumLiveLatency: Double?
    /// Duration of the media that was left out by jumps, seconds.
    public var skipped = 0.0
    /// Duration of the media that the stream lacks and that playing passed over (EXT-X-GAP),
    /// seconds.
    public var missing = 0.0
    public var qoeLinear: Double?
    public var qoeLog: Double?
    public var scoreLoLPlus: Double?

    /// - Parameter knowsBitrates: if false, the figures that count bit rates stay nil.
    init(_ account: QoEAccount, _ title: Title, isLive: Bool, knowsBitrates: Bool) {
        startup = account.startup / 1000
        playing = account.playing / 1000
        stalled = account.stalled / 1000
        idle = account.idle / 1000
        stalls = account.stalls
        segments = account.segments
        switches = account.switches
        switchedBitrate = account.bitrateChange
        skipped = account.skipped / 1000
        missing = account.missing / 1000
        guard account.segments > 0 else { return }
        if knowsBitrates {
            meanBitrate = account.meanBitrate
            let metrics = QoEMetrics(account, title: title)
            qoeLinear = metrics.linear / Double(account.segments)
            qoeLog = metrics.log / Double(account.segments)
            scoreLoLPlus = metrics.lolPlus
        }
        guard isLive, account.playing > 0 else { return }
        liveLatency = account.meanLatency / 1000
        maximumLiveLatency = account.maximumLatency / 1000
    }

    init() {}
}

/// One segment request of an HLS viewer. Times are ms from the viewer's join.
public struct HLSSegmentRecord: Codable, Sendable, Hashable {
    /// Media sequence number in the rendition's playlist.
    public var sequence: Int
    /// Time at which the segment began at the encoder, ms from the viewer's join; for VOD its media
    /// time.
    public var mediaTime: Double
    public var rendition: Int
    public var requested: Double
    /// Time to the first byte; nil if the server held the request back.
    public var timeToFirstByte: Double?
    /// Time from the first byte to the last.
    public var transferTime: Double
    /// Number of bytes received.
    public var bytes: Int
    /// Size of the whole segment; nil if the server did not state it before the segment ended.
    public var size: Int?
    public var bufferBefore: Double
    public var bufferAfter: Double
    /// Estimate of the throughput in kbit/s; nil before the first estimate.
    public var estimate: Double?
    /// Rendition for which the segment was given up; nil = it was not given up.
    public var abandonedFor: Int?
    /// Whether the request was under way when the viewer left or the observation ended.
    public var isCut = false

    public var isWhole: Bool { abandonedFor == nil && !isCut }
}

/// Numbers of a viewer's requests by kind, and of its failures.
public struct HLSRequestCounts: Codable, Sendable, Hashable {
    public var playlists = 0
    public var initializations = 0
    public var segments = 0
    public var parts = 0
    public var redirects = 0
    /// Number of responses with status 400 to 499.
    public var refused = 0
    /// Number of responses with status 500 and above.
    public var serverErrors = 0
    public var timeouts = 0
    /// Number of connections that broke and of responses that cannot be read.
    public var broken = 0
    public var retries = 0
    /// Number of moves to another edge.
    public var failovers = 0
    public var abandoned = 0
    /// Number of bytes of downloads that were given up.
    public var wastedBytes = 0
    /// Number of playlist reloads that the server held back until there was news.
    public var blocked = 0
    /// Shortest time between the starts of two reloads of a playlist, as a share of the smallest
    /// time that RFC 8216bis, 6.3.4 allows; nil if none was reloaded without blocking.
    public var tightestReload: Double?
    /// Number of playlists that were older than the known one, and so were kept out.
    public var olderCopies = 0
    /// Number of playlist lines that break a rule, and so were passed over.
    public var badLines = 0
    /// Number of segments that no rendition had (EXT-X-GAP).
    public var missingSegments = 0
    /// Number of responses with the whole resource although a byte range was requested.
    public var ignoredRanges = 0
    /// Number of requests that were sent again at once on a new connection, because a connection
    /// that had carried other requests brought no response that can be read.
    public var repeated = 0

    public init() {}

    /// Notes that a reload of a playlist starts.
    /// - Parameter share: time since the start of the previous reload, in the unit of
    ///   `tightestReload`; nil if nothing limits it.
    mutating func noteReload(_ share: Double?, isBlocking: Bool) {
        if isBlocking { blocked += 1 }
        if let share { tightestReload = min(tightestReload ?? share, share) }
    }
}

/// Facts about a live stream that a viewer's player has received.
public struct HLSLiveFacts: Codable, Sendable, Hashable {
    /// Duration of a segment, ms.
    public var segmentDuration: Double
    /// Time at which the first segment that was listed began at the encoder, CLOCK_MONOTONIC
    /// nanoseconds.
    public var epochNanoseconds: Int64
    /// Distance that the player kept from the live edge, ms.
    public var targetLatency: Double
    /// Target duration, which is the time between two loads of the playlist, ms.
    public var reloadInterval: Double
    /// Size of the latest playlist in bytes.
    public var playlistBytes: Int
    /// Size of the latest initialization section in bytes; nil if there was none.
    public var initializationBytes: Int?
    /// Size of the latest segment's response head in bytes.
    public var headBytes: Int
    /// Time at which the first media playlist arrived and the player began, ms from the join.
    public var playerStart: Double
}

/// Final report of one HLS viewer.
public struct HLSViewerReport: Codable, Sendable {
    public var index: Int
    /// Local port of the first connection; 0 if the viewer never connected.
    public var localPort = 0
    /// Time on CLOCK_MONOTONIC at which the viewer began to join; nil if it never did.
    public var askedAtNanoseconds: Int64?
    /// Time from the beginning of the join until playing began.
    public var startupNanoseconds: Int64?
    /// Time on CLOCK_MONOTONIC at which the viewer left or gave up; nil = it stayed to the end.
    public var endedAtNanoseconds: Int64?
    public var failure: String?
    /// The latest problem of a viewer that still retries and has not begun to play.
    public var trouble: String?
    /// Number of body bytes of segments and parts: in all, and within the steady window.
    public var mediaBytes = 0
    public var windowMediaBytes = 0
    /// Number of the bytes of `mediaBytes` that came in parts.
    public var partBytes = 0
    /// Number of all bytes read, heads and playlists included.
    public var receivedBytes = 0
    /// Whether the playlist was a live one.
    public var isLive = false
    /// Bit rate in kbit/s of each rendition that the player used, ascending.
    public var bitrates: [Double] = []
    /// Names of those renditions in the paths of their media playlists.
    public var renditionNames: [String] = []
    /// For those renditions, the body bytes of segments and parts that the viewer requested within
    /// the steady window and read completely; empty = none.
    public var windowAnswerBytes: [Int] = []
    public var playback = HLSPlaybackReport()
    public var requests = HLSRequestCounts()
    /// Facts about a live stream that the player has received; nil before playing began, and for
    /// VOD.
    public var live: HLSLiveFacts?
    /// Records of segment requests; `HLSViewerPool.mostRecords` limits their number.
    public var segments: [HLSSegmentRecord] = []
    /// Report of a probe.
    public var probe: HLSProbeReport?
    /// Number of stalls that the link's loss model caused, and their time; nil without a link.
    public var modelledStalls: Int?
    public var modelledStallNanoseconds: Int64?

    init(index: Int) { self.index = index }
}
