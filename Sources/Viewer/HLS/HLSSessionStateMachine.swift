import ABR
import HLS
import HTTPWire

/// One HLS viewer without clock or I/O: playlists, segments and parts in, requests out; the
/// decisions are `Player`'s. Times are ms from the viewer's join.
struct HLSSessionStateMachine {
    enum Phase {
        /// The session has not ended, and the player does not wait for news.
        case playing
        /// The player waits until a playlist lists its next segment.
        case awaitingNews
        case ended
    }

    /// Whether an action of the player is being carried out; one that comes meanwhile is next.
    private enum Turn: Hashable {
        case none
        case acting(next: Player.Action?)
    }

    let spec: HLSViewerSpec
    var edges: HLSEdges
    var algorithm: AlgorithmName
    /// Real time of the join, ms since 1970.
    var joinedAt: Double
    /// What the driver is to do, gathered until a verb returns it.
    var actions: [HLSAction] = []
    var presentation: HLSPresentation
    var log: HLSSegmentLog
    var player: Player?
    /// What the player wants to have.
    var wanted: (segment: Int, rung: Int)?
    /// What is there of the wanted segment, once it is fetched by parts.
    var partial: PartialSegment?
    /// A segment that renditions lack (EXT-X-GAP), and which ones.
    var gap: (segment: Int, rungs: Set<Int>) = (-1, [])
    private var turn = Turn.none
    /// An action that goes on when the player's timer ends.
    private var postponed: Player.Action?

    var slots = HLSSlots()
    var playerTimer = Double.infinity
    var phase = Phase.playing
    var failures = 0
    /// What went wrong last and is tried again.
    var trouble: String?

    var counts = HLSRequestCounts()
    /// Bytes of the latest media playlist.
    var playlistBytes = 0
    /// Bytes of the latest segment's response head.
    var headBytes = 0
    var initializationBytes: Int?
    var playerStart = 0.0
    /// Time from the join until playing began; nil before.
    var startup: Double?

    /// Actions of the player at one moment; more go on a moment later.
    static let mostActions = 1_000
    /// The most failures of segments, one after the other, before a viewer gives up.
    static let mostFailures = 8
    /// How far the live edge may be from where it was thought before that is corrected, ms.
    static let epochTolerance = 20.0
    var nextJudgement = Double.infinity

    init(_ spec: HLSViewerSpec, joinedAt: Double, recordLimit: Int) throws {
        guard let algorithm = AlgorithmName(parsing: spec.algorithm) else {
            throw ViewerError(
                description: "'\(spec.algorithm)' is no adaptation algorithm; there are "
                    + AlgorithmName.allNames.joined(separator: ", "))
        }
        do {
            edges = HLSEdges(try ([spec.url] + spec.alternatives).map { try HTTPURL($0) })
        } catch {
            throw ViewerError(description: "\(error); a playlist's URL is meant")
        }
        self.spec = spec
        self.algorithm = algorithm
        self.joinedAt = joinedAt
        log = HLSSegmentLog(limit: recordLimit)
        presentation = HLSPresentation(fetchesParts: spec.usesParts)
    }

    /// nil before a live stream is played.
    func liveFacts(joinedAt: Int64) -> HLSLiveFacts? {
        guard let player, let live = player.configuration.live else { return nil }
        let interval = rungs.lazy.compactMap { $0.playlist?.targetMilliseconds }.first
        return HLSLiveFacts(
            segmentDuration: player.title.segmentDuration,
            epochNanoseconds: joinedAt + Int64(player.epoch * 1e6),
            targetLatency: live.targetLatency,
            reloadInterval: interval.map { max(HLSPresentation.shortestReloadInterval, $0) } ?? 0,
            playlistBytes: playlistBytes, initializationBytes: initializationBytes,
            headBytes: headBytes, playerStart: playerStart)
    }

    var isPlaying: Bool { player?.isPlaying ?? false }
    var isLive: Bool { presentation.isLive }
    var rungs: [HLSRung] { presentation.renditions }
    var records: [HLSSegmentRecord] { log.records }

    /// When `timer` is to be called; infinity = not yet.
    var nextTimer: Double {
        min(playerTimer, presentation.reloads.next, nextJudgement, slots.nextTime)
    }

    // MARK: Verbs

    /// Each verb returns what the driver is to do, in this order.
    private mutating func gathering(
        _ event: (inout HLSSessionStateMachine) -> Void
    ) -> [HLSAction] {
        event(&self)
        defer { actions = [] }
        return actions
    }

    mutating func start(at time: Double) -> [HLSAction] {
        gathering { $0.send(HLSPlayerRequest(purpose: .entry, url: $0.edges.entries[0]), at: time) }
    }

    /// The time of `nextTimer` has come.
    mutating func timer(at time: Double) -> [HLSAction] { gathering { $0.runTimers(at: time) } }

    /// So much of the answer's body has arrived; to be called once `judgement` has come.
    /// - Parameter total: of the whole body, where it is known.
    mutating func progress(
        _ slot: HLSPlayerRequest.Slot, received: Int, total: Int?, firstByte: Double,
        at time: Double
    ) -> [HLSAction] {
        gathering {
            $0.judge(slot, received: received, total: total, firstByte: firstByte, at: time)
        }
    }

    /// The whole answer has arrived.
    mutating func finished(
        _ slot: HLSPlayerRequest.Slot, _ response: HLSPlayerResponse, at time: Double
    ) -> [HLSAction] {
        gathering { $0.receive(slot, response, at: time) }
    }

    /// No answer came.
    mutating func failed(
        _ slot: HLSPlayerRequest.Slot, _ fault: HLSFetchFault, at time: Double
    ) -> [HLSAction] {
        gathering { $0.fail(slot, fault, at: time) }
    }

    /// The answer's first byte is there.
    mutating func responded(_ slot: HLSPlayerRequest.Slot) { slots[slot].receiveFirstByte() }

    mutating func redirected() { counts.redirects += 1 }

    /// The viewer leaves, or the observation ends.
    /// - Parameters:
    ///   - received: body bytes of what the media connection fetches.
    ///   - total: of the whole body, where it is known.
    ///   - firstByte: NaN before it.
    mutating func stop(
        at time: Double, received: Int = 0, total: Int? = nil, firstByte: Double = .nan
    ) {
        player?.stop(at: time)
        phase = .ended
        recordCut(received: received, total: total, firstByte: firstByte, at: time)
    }

    // MARK: Course

    private mutating func runTimers(at time: Double) {
        for slot in HLSPlayerRequest.Slot.allCases where time >= slots[slot].deadline {
            actions.append(.cancel(slot))
            fail(slot, .timeout, at: time)
        }
        for slot in HLSPlayerRequest.Slot.allCases {
            if let request = slots[slot].takeDue(at: time) {
                send(request, at: time, isRetry: true)
            }
        }
        if time >= playerTimer {
            playerTimer = .infinity
            if let action = postponed {
                postponed = nil
                act(action, at: time)
            } else {
                act(player?.timer(at: time), at: time)
            }
        }
        if presentation.reloads.takeDue(at: time) { reload(at: time) }
    }

    /// Carries out what the player wants, one action after the other: what an action leads to (a
    /// segment that is missing, one that has left the playlist) never calls this from within.
    mutating func act(_ action: Player.Action?, at time: Double) {
        noteStartup(time)
        guard let action, phase != .ended else { return }
        let isWithin = turn != .none
        turn = .acting(next: action)
        guard !isWithin else { return }
        defer { turn = .none }
        var count = 0
        while case .acting(let action?) = turn, phase != .ended {
            turn = .acting(next: nil)
            count += 1
            guard count <= Self.mostActions else {
                postponed = action
                playerTimer = time + 1
                return
            }
            carryOut(action, at: time)
        }
        noteStartup(time)
    }

    private mutating func carryOut(_ action: Player.Action, at time: Double) {
        let keepsParts = partial?.isKept ?? false
        partial?.isKept = false
        switch action {
        case .request(let segment, let rung):
            wanted = (segment, rung)
            if !keepsParts { partial = nil }
            log.decided(player, at: time)
            advance(at: time)
        case .wait(let until): playerTimer = until
        case .awaitSegment:
            phase = .awaitingNews
            tellNewest(at: time)
        case .finished:
            // A title that is over ends when its last segment has been played.
            if isLive { phase = .awaitingNews } else { end(nil, at: time) }
        }
    }

    mutating func end(_ reason: String?, at time: Double) {
        guard phase != .ended else { return }
        // Less than that is a rounding of the sums, and no time to wait.
        if reason == nil, let player, player.bufferLevel > 1e-3, playerTimer == .infinity, !isLive {
            playerTimer = time + player.bufferLevel / player.playbackRate
            return
        }
        var reason = reason
        if reason == nil, counts.missingSegments > 0, player?.account.segments == 0 {
            reason = "all segments are marked as missing (EXT-X-GAP)"
        }
        player?.stop(at: time)
        phase = .ended
        actions.append(.end(reason))
    }

    mutating func noteStartup(_ time: Double) {
        if startup == nil, isPlaying { startup = time }
    }
}
