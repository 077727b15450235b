// How the player works. `Player` is a state machine: each verb takes the time and returns the next
// action (request, wait, await a live segment). Start-up, playing, stalled and idle time together
// are the session's time. The simulators drive it, and so do HLS viewers.

/// The one adaptive player: buffer, decisions, stalls, live edge and QoE accounting, as a state
/// machine without clock or I/O. The simulator and the viewers on sockets both drive it.
///
/// Each verb takes the time (ms since the session began, never decreasing) and returns what the
/// driver has to do next. Invariant: start-up + playing + stalled + idle = session time.
public struct Player: Sendable {
    /// What the driver does next.
    public enum Action: Hashable, Sendable {
        /// Request a segment; report it with `progress`, `receive` and `completed`.
        case request(segment: Int, rendition: Int)
        /// Call `timer` at this time (ms).
        case wait(until: Double)
        /// Call `available` once the live segment exists (or can be requested).
        case awaitSegment(Int)
        /// Everything is downloaded; the rest of the buffer plays by itself.
        case finished
    }

    enum Phase: Hashable, Sendable { case idle, startup, playing, stalled, seeking, ended }

    /// Stalls shorter than this are rounding (ms).
    static let tolerance = 1e-6

    /// How often a driver asks `progress` whether to give up a download (ms).
    public static let judgementInterval = 100.0

    /// Shared by players that are set alike.
    let settings: PlayerSettings
    public internal(set) var account = QoEAccount()
    public internal(set) var state: PlayerState
    /// Segment requests decided.
    public private(set) var decisions = 0
    var phase = Phase.idle
    private var algorithm: any ABRAlgorithm
    private var estimator: any ThroughputEstimator
    var clock: Double
    /// Of the first buffered segment (ms).
    var playedOfFirst = 0.0
    var buffered = BufferedSegments()
    /// Media of the requested segment that is playable (ms); NaN while nothing is requested.
    var received = Double.nan
    /// Rendition that waits for its request; negative is none.
    private var pending: Int32 = -1
    private var waitingSince = 0.0
    private var waitsForRoom = false
    var isFinished = false
    /// Media time of the playhead (ms).
    public internal(set) var playhead = 0.0
    /// Session time at which media time 0 was at the encoder (ms); live only.
    public private(set) var epoch = 0.0
    private var latestAvailable = 0

    public init(
        title: Title, configuration: PlayerConfiguration, algorithm: any ABRAlgorithm,
        estimator: any ThroughputEstimator
    ) throws(PlayerConfigurationError) {
        self.init(
            title: title, settings: try PlayerSettings(configuration, title), algorithm: algorithm,
            estimator: estimator)
    }

    /// A player with one of the published algorithms and the estimator that goes with it.
    public init(
        title: Title, configuration: PlayerConfiguration, algorithm: AlgorithmName
    ) throws(PlayerConfigurationError) {
        try self.init(
            title: title, configuration: configuration,
            algorithm: algorithm.make(title, maximumBuffer: configuration.maximumBuffer),
            estimator: algorithm.estimator.make(title))
    }

    init(
        title: Title, settings: PlayerSettings, algorithm: any ABRAlgorithm,
        estimator: any ThroughputEstimator
    ) {
        self.settings = settings
        self.algorithm = algorithm
        self.estimator = estimator
        let configuration = settings.configuration
        clock = 0
        state = PlayerState(title: title, maximumBuffer: configuration.maximumBuffer)
        state.isLive = configuration.live != nil
        state.targetLatency = configuration.live?.targetLatency ?? 0
    }

    public var configuration: PlayerConfiguration { settings.configuration }
    public var title: Title { state.title }
    /// Playable media ahead of the playhead (ms).
    public var bufferLevel: Double { state.bufferLevel }
    public var isPlaying: Bool { phase == .playing }
    public var playbackRate: Double { state.playbackRate }
    /// Whether a download may be given up at this moment.
    public var checksAbandonment: Bool {
        settings.configuration.abandonment != .off && received == 0 && state.lastRendition > 0
            && algorithm.mayAbandon
    }

    // MARK: Verbs

    /// The session begins.
    /// - Parameters:
    ///   - epoch: live: session time at which media time 0 was at the encoder (ms, <= time).
    ///   - latest: live: the newest segment that can be requested.
    public mutating func start(at time: Double, epoch: Double = 0, latest: Int? = nil) -> Action {
        precondition(phase == .idle, "a session starts once")
        clock = time
        self.epoch = epoch
        phase = .startup
        if state.isLive {
            latestAvailable = latest ?? 0
            state.segment = liveTarget()
        }
        playhead = Double(state.segment) * title.segmentDuration
        return request(algorithm.firstRendition(state))
    }

    /// The time of `wait` has come.
    public mutating func timer(at time: Double) -> Action {
        advance(to: time)
        if waitsForRoom {
            waitsForRoom = false
            algorithm.waited(time - waitingSince)
        }
        if pending >= 0 {
            let rendition = Int(pending)
            pending = -1
            return request(rendition)
        }
        return next()
    }

    /// The live segment that `awaitSegment` named exists; `latest` is the newest.
    public mutating func available(latest: Int, at time: Double) -> Action {
        advance(to: time)
        latestAvailable = max(latestAvailable, latest)
        skipToLive()
        return next()
    }

    /// Part of the segment has arrived.
    /// - Returns: the rendition to start again with; the driver then cancels the download and calls
    ///   `abandoned`. Nil: go on.
    public mutating func progress(_ progress: DownloadProgress, at time: Double) -> Int? {
        checksAbandonment ? judge(progress, at: time) : nil
    }

    /// `progress` for a driver that has asked `checksAbandonment` since the request. Time passes
    /// only where the download is given up: most answers are no, and need the buffer level alone.
    mutating func judge(_ progress: DownloadProgress, at time: Double) -> Int? {
        let level = state.bufferLevel
        if phase == .playing {
            state.bufferLevel = max(0, level - (time - clock) * state.playbackRate)
        }
        let lower = algorithm.abandon(progress, state)
        state.bufferLevel = level
        if lower != nil { advance(to: time) }
        return lower
    }

    /// Media of the current segment became playable before the whole is there (CMAF chunks,
    /// LL-HLS parts; ms).
    public mutating func receive(_ media: Double, at time: Double) {
        advance(to: time)
        append(media)
    }

    /// The segment is complete.
    /// - Parameters:
    ///   - bits: of the segment.
    ///   - transferTime: first bit to last, without time spent waiting for media to exist (ms).
    ///   - timeToFirstByte: ms; NaN where the request was held back by the server.
    ///   - elapsed: since the request (ms).
    public mutating func completed(
        bits: Double, transferTime: Double, timeToFirstByte: Double, elapsed: Double,
        at time: Double
    ) -> Action {
        precondition(!received.isNaN, "no segment was requested")
        advance(to: time)
        append(title.segmentDuration - received)
        received = .nan
        estimator.add(bits: bits, transferTime: transferTime, timeToFirstByte: timeToFirstByte)
        state.throughput = estimator.throughput
        state.latency = estimator.latency
        state.lastThroughput = transferTime > 0 ? bits / transferTime : state.lastThroughput
        algorithm.downloaded(
            DownloadProgress(
                segment: state.segment, rendition: state.lastRendition, size: bits,
                downloaded: bits,
                elapsed: elapsed, timeToFirstByte: timeToFirstByte.isNaN ? 0 : timeToFirstByte),
            state)
        state.segment += 1
        return next()
    }

    /// The driver gave the download up for `rendition`.
    public mutating func abandoned(
        _ progress: DownloadProgress, for rendition: Int, at time: Double
    )
        -> Action
    {
        advance(to: time)
        var progress = progress
        progress.abandonedFor = rendition
        received = .nan
        algorithm.downloaded(progress, state)
        return configuration.abandonment == .published ? request(rendition) : next()
    }

    /// The request failed for good; the player asks again, one rendition lower where there is one, or at
    /// `rendition`. What was received of the segment stays: the driver goes on after it.
    public mutating func failed(askingAt rendition: Int? = nil, at time: Double) -> Action {
        advance(to: time)
        let kept = received.isNaN ? 0 : received
        let action = request(rendition ?? max(0, state.lastRendition - 1))
        received = kept
        return action
    }

    /// No rendition has the rest of the requested segment (EXT-X-GAP; rfc8216bis, 6.3.3): playing
    /// goes on behind it, and its time counts as missing.
    public mutating func missing(at time: Double) -> Action {
        precondition(!received.isNaN, "no segment was requested")
        advance(to: time)
        if received == 0 { buffered.append(max(0, state.lastRendition)) }
        buffered.markLast(lacking: title.segmentDuration - received)
        received = .nan
        state.segment += 1
        // What is missing at the playhead is passed at once: nothing is buffered before it.
        if state.bufferLevel == 0 { passGaps() }
        return next()
    }

    /// The wanted segment has left the playlist: playback goes on at `segment`, and what is
    /// buffered before it is dropped.
    public mutating func jump(to segment: Int, at time: Double) -> Action {
        advance(to: time)
        account.skipped += max(0, Double(segment) * title.segmentDuration - playhead)
        flush(to: segment)
        return next()
    }

    /// Media time 0 was at the encoder at another moment than was thought: the encoder paused, or
    /// its clock and segment durations drift (session time, ms; live only).
    public mutating func correct(epoch: Double) { self.epoch = epoch }

    /// The user moves to another segment; what was buffered is dropped.
    public mutating func seek(to segment: Int, at time: Double) -> Action {
        advance(to: time)
        flush(to: segment)
        phase = .seeking
        algorithm.seeked(state)
        return next()
    }

    /// The viewer leaves, or the observation ends.
    public mutating func stop(at time: Double) {
        // A session that never began takes no time.
        if phase != .idle { advance(to: time) }
        phase = .ended
        received = .nan
    }

    // MARK: Decisions

    private mutating func next() -> Action {
        if !state.isLive, state.segment >= title.segmentCount {
            isFinished = true
            if isWaitingForMedia { phase = .playing }
            return .finished
        }
        let excess = state.bufferLevel + title.segmentDuration - configuration.maximumBuffer
        if excess > Self.tolerance {
            // A buffer without room plays, whatever the start threshold says.
            if isWaitingForMedia { phase = .playing }
            waitsForRoom = true
            waitingSince = clock
            return .wait(until: clock + excess / state.playbackRate)
        }
        if state.isLive, state.segment > latestAvailable { return .awaitSegment(state.segment) }
        return decide()
    }

    private mutating func decide() -> Action {
        let decision = algorithm.decide(state)
        state.recentStall = 0
        let rendition = min(max(decision.rendition, 0), title.renditions - 1)
        guard decision.delay > 0, phase == .playing else { return request(rendition) }
        pending = Int32(rendition)
        return .wait(until: clock + decision.delay)
    }

    private mutating func request(_ rendition: Int) -> Action {
        decisions += 1
        state.lastRendition = rendition
        received = 0
        return .request(segment: state.segment, rendition: rendition)
    }

    // MARK: Live edge

    /// The segment from which playback would keep the target latency.
    private func liveTarget() -> Int {
        guard let live = settings.configuration.live else { return 0 }
        let wanted = (clock - epoch - live.targetLatency) / title.segmentDuration
        return max(0, min(latestAvailable, Int(wanted.rounded(.down))))
    }

    private mutating func skipToLive() {
        guard let live = settings.configuration.live, state.liveLatency > live.maximumLatency else {
            return
        }
        let target = liveTarget()
        guard target > state.segment else { return }
        account.skipped += Double(target) * title.segmentDuration - playhead
        flush(to: target)
    }

    private mutating func flush(to segment: Int) {
        received = .nan
        pending = -1
        waitsForRoom = false
        isFinished = false
        buffered.removeAll()
        playedOfFirst = 0
        state.bufferLevel = 0
        state.segment = segment
        state.lastRendition = -1
        playhead = Double(segment) * title.segmentDuration
        if phase != .startup { phase = .stalled }
    }
}
