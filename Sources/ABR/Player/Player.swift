// How the player works. `Player` is a state machine: each call states the time and returns the next
// action (request, wait, await a live segment). Start-up, playing, stalled and idle time together
// are the session's time. The simulators and the HLS viewers drive it.

/// The only adaptive player of the project: buffer, decisions, stalls, live edge and QoE
/// accounting, as a state machine without clock or I/O. Both the simulator and the viewers on
/// sockets drive it.
///
/// Each call states the time (ms since the session began, never decreasing) and returns the
/// driver's next action. Invariant: start-up + playing + stalled + idle = session time.
public struct Player: Sendable {
    /// The driver's next action.
    public enum Action: Hashable, Sendable {
        /// Request a segment; report it with `progress`, `receive` and `completed`.
        case request(segment: Int, rendition: Int)
        /// Call `timer` at this time (ms).
        case wait(until: Double)
        /// Call `available` once the live segment exists (or can be requested).
        case awaitSegment(Int)
        /// Everything is downloaded; the rest of the buffer plays without further calls.
        case finished
    }

    enum Phase: Hashable, Sendable { case idle, startup, playing, stalled, seeking, ended }

    /// Stalls shorter than this are rounding errors (ms).
    static let tolerance = 1e-6

    /// Interval at which a driver asks `progress` whether to give up a download (ms).
    public static let judgementInterval = 100.0
    /// Time by which a driver on sockets may be late for the end of an interval (ms). Loops of many
    /// viewers wait for a millisecond, and take some time for their turns.
    private static let judgementLateness = 2.0

    /// Settings, which players with the same configuration share.
    let settings: PlayerSettings
    public internal(set) var account = QoEAccount()
    public internal(set) var state: PlayerState
    /// Number of segment requests that were decided.
    public private(set) var decisions = 0
    var phase = Phase.idle
    private var algorithm: any ABRAlgorithm
    private var estimator: any ThroughputEstimator
    var clock: Double
    /// Time of the first buffered segment that has been played (ms).
    var playedOfFirst = 0.0
    var buffered = BufferedSegments()
    /// Media of the requested segment that is playable (ms); NaN if nothing is requested.
    var received = Double.nan
    /// Rendition that waits for its request; negative = none.
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

    /// Makes a player with one of the published algorithms and the estimator that belongs to it.
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
    /// Whether a download may be given up at this time.
    public var checksAbandonment: Bool {
        settings.configuration.abandonment != .off && received == 0 && state.lastRendition > 0
            && algorithm.mayAbandon
    }
    /// Time in ms from a request to the first judgement that may give up the download: a whole
    /// number of intervals.
    public var firstJudgement: Double {
        let intervals = (algorithm.abandonGrace / Self.judgementInterval).rounded(.up)
        return max(1, intervals) * Self.judgementInterval
    }

    /// Time in ms from a request to the next judgement that may give up the download, after
    /// `progress` did not: a whole number of intervals, which may have passed already. A driver may
    /// leave out the judgements before it.
    public func nextJudgement(after progress: DownloadProgress) -> Double {
        let earliest = algorithm.earliestAbandonment(after: progress, state)
        let intervals = ((earliest - Self.judgementLateness) / Self.judgementInterval).rounded(.up)
        return intervals * Self.judgementInterval
    }

    // MARK: Verbs

    /// Begins the session.
    /// - Parameters:
    ///   - epoch: for live streams, the session time at which media time 0 was at the encoder (ms,
    ///     at most `time`).
    ///   - latest: for live streams, the newest segment that can be requested.
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

    /// Called at the time that `wait` stated.
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

    /// Called once the live segment of `awaitSegment` exists; `latest` is the newest segment.
    public mutating func available(latest: Int, at time: Double) -> Action {
        advance(to: time)
        latestAvailable = max(latestAvailable, latest)
        skipToLive()
        return next()
    }

    /// Notes that a part of the segment has arrived.
    /// - Returns: the rendition with which to start again; the driver then cancels the download and
    ///   calls `abandoned`. Nil lets the download continue.
    public mutating func progress(_ progress: DownloadProgress, at time: Double) -> Int? {
        checksAbandonment ? judge(progress, at: time) : nil
    }

    /// Same as `progress`, for a driver that has asked `checksAbandonment` since the request. The
    /// player's time advances only if the download is given up: most calls return nil, and need
    /// only the buffer level.
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

    /// Notes that media of the current segment became playable before the whole segment has arrived
    /// (CMAF chunks, LL-HLS parts; ms).
    public mutating func receive(_ media: Double, at time: Double) {
        advance(to: time)
        append(media)
    }

    /// Notes that the segment is complete.
    /// - Parameters:
    ///   - bits: size of the segment.
    ///   - transferTime: time from the first bit to the last, without time spent waiting for media
    ///     to exist (ms).
    ///   - timeToFirstByte: ms; NaN if the server held the request back.
    ///   - elapsed: time since the request (ms).
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

    /// Notes that the driver gave the download up for `rendition`.
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

    /// Notes that the request finally failed. The player requests the segment again, one rendition
    /// lower if there is one, or at `rendition`. Media that was received of the segment is kept:
    /// the driver continues after it.
    public mutating func failed(askingAt rendition: Int? = nil, at time: Double) -> Action {
        advance(to: time)
        let kept = received.isNaN ? 0 : received
        let action = request(rendition ?? max(0, state.lastRendition - 1))
        received = kept
        return action
    }

    /// Notes that no rendition has the rest of the requested segment (EXT-X-GAP; rfc8216bis,
    /// 6.3.3): playing continues behind it, and its time counts as missing.
    public mutating func missing(at time: Double) -> Action {
        precondition(!received.isNaN, "no segment was requested")
        advance(to: time)
        if received == 0 { buffered.append(max(0, state.lastRendition)) }
        buffered.markLast(lacking: title.segmentDuration - received)
        received = .nan
        state.segment += 1
        // Missing media at the playhead is passed at once, because nothing is buffered before it.
        if state.bufferLevel == 0 { passGaps() }
        return next()
    }

    /// Notes that the wanted segment has left the playlist: playback continues at `segment`, and
    /// the media buffered before it is dropped.
    public mutating func jump(to segment: Int, at time: Double) -> Action {
        advance(to: time)
        account.skipped += max(0, Double(segment) * title.segmentDuration - playhead)
        flush(to: segment)
        return next()
    }

    /// Corrects the session time at which media time 0 was at the encoder (ms; live only). The
    /// encoder paused, or its clock and segment durations drift.
    public mutating func correct(epoch: Double) { self.epoch = epoch }

    /// Moves to another segment on the user's request; the buffered media is dropped.
    public mutating func seek(to segment: Int, at time: Double) -> Action {
        advance(to: time)
        flush(to: segment)
        phase = .seeking
        algorithm.seeked(state)
        return next()
    }

    /// Ends the session, because the viewer leaves or the observation ends.
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
            // A full buffer plays even below the start threshold.
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
        let rendition = min(max(decision.rendition, 0), title.renditionCount - 1)
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
