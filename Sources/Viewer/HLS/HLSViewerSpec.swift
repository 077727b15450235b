public import ABR

/// One simulated HLS viewer: a player with an adaptation algorithm.
public struct HLSViewerSpec: Codable, Sendable, Hashable {
    /// Unique in the run.
    public var index: Int
    /// Of a multivariant or a media playlist: `http://host[:port]/…`.
    public var url: String
    /// The same presentation at other edges, tried in this order where one does not answer.
    public var alternatives: [String] = []
    /// Failures of a request after which the viewer goes to the next edge; 0 = never.
    public var failoverAfter = 0
    /// When it joins, counted from the run's start.
    public var joinNanoseconds: Int64
    /// When it leaves, counted likewise; nil = at the end, or when the title is over.
    public var leaveNanoseconds: Int64?
    /// Its link, one of the pool's; nil = what the machine gives.
    public var link: LinkAssignment?
    /// The IPv4 address that it connects from; nil = the system's choice.
    public var localAddress: String?
    /// A name that `AlgorithmName(parsing:)` takes.
    public var algorithm = "hls-js"
    /// Media that the player holds at most, ms.
    public var maximumBufferMilliseconds = 30_000.0
    /// Media with which playing starts and goes on after a stall, ms; nil = one segment.
    public var startBufferMilliseconds: Double?
    /// Renditions taller than this are left alone, pixels; nil = all are used.
    public var maximumHeight: Int?
    /// Distance from the live edge, ms; nil = what the playlist asks for (HOLD-BACK or
    /// PART-HOLD-BACK, else three target durations).
    public var targetLatencyMilliseconds: Double?
    /// The player jumps when it has fallen further behind than so many target latencies; 0 = never.
    public var maximumLatencyRatio = 3.0
    /// Whether parts are played where the server offers them.
    public var usesParts = true
    /// Of a fixed viewer, what its rendition's playlist is called; nil = by the algorithm's number.
    public var rendition: String?
    /// Whether downloads may be given up for a lower rendition.
    public var abandons = true
    /// For so long from its join on a viewer asks again where its first playlist is not there (404),
    /// ms; 0 = it gives up at once, as hls.js does. A stream that begins with the viewers has no
    /// playlist before its first segment is whole.
    public var patienceMilliseconds = 0.0
    /// Reads the frame stamps of what it fetches.
    public var isProbe = false

    /// What the player is set to.
    /// - Parameters:
    ///   - segmentDuration: ms.
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

    /// - Throws: `ViewerError` for an algorithm that does not exist.
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

/// A player's sums, as `QoEAccount` has them, and what follows from them.
public struct HLSPlaybackReport: Codable, Sendable, Hashable {
    /// Times in seconds.
    public var startup = 0.0
    public var playing = 0.0
    public var stalled = 0.0
    public var idle = 0.0
    public var stalls = 0
    /// Segments of which playback began.
    public var segments = 0
    public var switches = 0
    /// Mean of the nominal bit rates of the segments played, kbit/s; nil where none was.
    public var meanBitrate: Double?
    /// Sum of the changes of nominal bit rate, kbit/s.
    public var switchedBitrate = 0.0
    /// Mean and largest distance from the live edge while playing, seconds; nil for VOD.
    public var liveLatency: Double?
    public var maximumLiveLatency: Double?
    /// Media left out by jumps, seconds.
    public var skipped = 0.0
    /// Media that the stream lacks and that playing passed over (EXT-X-GAP), seconds.
    public var missing = 0.0
    public var qoeLinear: Double?
    public var qoeLog: Double?
    public var scoreLoLPlus: Double?

    /// - Parameter knowsBitrates: without, what counts bit rates stays nil.
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
    /// When the segment began at the encoder, ms from the viewer's join; VOD: its media time.
    public var mediaTime: Double
    public var rendition: Int
    public var requested: Double
    /// nil where the server held the request back.
    public var timeToFirstByte: Double?
    /// First byte to last.
    public var transferTime: Double
    /// Received.
    public var bytes: Int
    /// Of the whole segment; nil where the server did not say before it ended.
    public var size: Int?
    public var bufferBefore: Double
    public var bufferAfter: Double
    /// kbit/s; nil before the first estimate.
    public var estimate: Double?
    /// The rendition it was given up for; nil = it was not.
    public var abandonedFor: Int?
    /// Whether it was under way when the viewer left or the observation ended.
    public var isCut = false

    public var isWhole: Bool { abandonedFor == nil && !isCut }
}

/// How often a viewer asked for what, and what went wrong.
public struct HLSRequestCounts: Codable, Sendable, Hashable {
    public var playlists = 0
    public var initializations = 0
    public var segments = 0
    public var parts = 0
    public var redirects = 0
    /// Answers 400 to 499.
    public var refused = 0
    /// Answers 500 and above.
    public var serverErrors = 0
    public var timeouts = 0
    /// Connections that broke, and answers that cannot be read.
    public var broken = 0
    public var retries = 0
    /// Moves to another edge.
    public var failovers = 0
    public var abandoned = 0
    /// Bytes of downloads given up.
    public var wastedBytes = 0
    /// Playlist reloads that the server held back until there was news.
    public var blocked = 0
    /// Shortest time between the starts of two reloads of a playlist, as a share of the least that
    /// RFC 8216bis, 6.3.4 allows; nil where none was reloaded without blocking.
    public var tightestReload: Double?
    /// Playlists that were older than the one known, and so were kept out.
    public var olderCopies = 0
    /// Lines of playlists that break a rule, and so were passed over.
    public var badLines = 0
    /// Segments that no rendition had (EXT-X-GAP).
    public var missingSegments = 0
    /// Answers with the whole resource where a byte range was asked for.
    public var ignoredRanges = 0
    /// Requests that were sent again at once, on a connection of their own: the one that had carried
    /// others brought no answer, or none that can be read.
    public var repeated = 0

    public init() {}

    /// A reload of a playlist starts.
    /// - Parameter share: the time since the start of the reload before, as `tightestReload` has it;
    ///   nil where nothing limits it.
    mutating func noteReload(_ share: Double?, isBlocking: Bool) {
        if isBlocking { blocked += 1 }
        if let share { tightestReload = min(tightestReload ?? share, share) }
    }
}

/// The live stream as a viewer's player had it.
public struct HLSLiveFacts: Codable, Sendable, Hashable {
    /// Media per segment, ms.
    public var segmentDuration: Double
    /// When the first segment that was listed began at the encoder, CLOCK_MONOTONIC nanoseconds.
    public var epochNanoseconds: Int64
    /// Distance that the player kept from the live edge, ms.
    public var targetLatency: Double
    /// Target duration, ms: how often playlists were loaded.
    public var reloadInterval: Double
    /// Bytes of the latest playlist.
    public var playlistBytes: Int
    /// Bytes of the latest initialization section; nil where there was none.
    public var initializationBytes: Int?
    /// Bytes of the latest segment's response head.
    public var headBytes: Int
    /// When the first media playlist was there and the player began, ms from the join.
    public var playerStart: Double
}

/// One HLS viewer at the end.
public struct HLSViewerReport: Codable, Sendable {
    public var index: Int
    /// Of its first connection; 0 where it never connected.
    public var localPort = 0
    /// When it set out to join, CLOCK_MONOTONIC; nil where it never did.
    public var askedAtNanoseconds: Int64?
    /// From then until playing began.
    public var startupNanoseconds: Int64?
    /// When it left or gave up, CLOCK_MONOTONIC; nil = it was there at the end.
    public var endedAtNanoseconds: Int64?
    public var failure: String?
    /// What went wrong last, of a viewer that tries on and has not begun to play.
    public var trouble: String?
    /// Body bytes of segments and parts: in all, and within the steady window.
    public var mediaBytes = 0
    public var windowMediaBytes = 0
    /// Of `mediaBytes`, those of parts.
    public var partBytes = 0
    /// All bytes read, heads and playlists included.
    public var receivedBytes = 0
    /// Whether the playlist was a live one.
    public var isLive = false
    /// kbit/s of each rendition that the player used, ascending.
    public var bitrates: [Double] = []
    /// Of those renditions' media playlists, what the path calls the rendition.
    public var renditionNames: [String] = []
    /// Of those renditions, body bytes of segments and parts that it asked for within the steady window
    /// and read whole; empty = none.
    public var windowAnswerBytes: [Int] = []
    public var playback = HLSPlaybackReport()
    public var requests = HLSRequestCounts()
    /// What its player was told of a live stream; nil before it began, and for VOD.
    public var live: HLSLiveFacts?
    /// At most `HLSViewerPool.mostRecords`.
    public var segments: [HLSSegmentRecord] = []
    /// Of a probe.
    public var probe: HLSProbeReport?
    /// Stalls by which the link's loss model shows, and their time; nil without a link.
    public var modelledStalls: Int?
    public var modelledStallNanoseconds: Int64?

    init(index: Int) { self.index = index }
}
