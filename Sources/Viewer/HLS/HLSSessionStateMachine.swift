// How an HLS viewer works. `HLSSessionStateMachine` is a state machine without clock or I/O: it
// takes playlists and responses and returns requests, and `Player` decides. Tests play it against a
// virtual origin. The player's actions are performed one after the other, never from within each
// other, so that any number of gaps takes no stack. A segment with EXT-X-GAP comes from another
// rendition; otherwise `Player.missing` passes over its time. `PlaylistHistory` keeps older copies
// of a playlist out. Renditions number their segments independently: a playlist is aligned with the
// others by its dates (`HLSAlignment`), so that a switch after a restart of an encoder or a server
// continues in time. A request that failed `edges.failover` times takes its viewer to the next edge
// (`HLSEdges`), once around all edges before the usual policy continues.

import ABR
import HLS
import HTTPWire

/// State machine of one HLS viewer without clock or I/O. It takes playlists, segments and parts and
/// returns requests; `Player` takes the decisions. Times are ms from the viewer's join.
struct HLSSessionStateMachine {
    enum Phase {
        /// The session has not ended, and the player does not wait for news.
        case playing
        /// The player waits until a playlist lists its next segment.
        case awaitingNews
        case ended
    }

    let spec: HLSViewerSpec
    private(set) var algorithm: AlgorithmName
    /// Real time of the join, ms since 1970.
    var joinedAt: Double
    /// Actions for the driver, gathered until a call returns them.
    private var actions: [HLSAction] = []
    var presentation: HLSPresentation
    var requests: HLSRequests
    var playback: HLSPlayback
    private var turn = HLSPlayerTurn()
    private(set) var phase = Phase.playing
    var sizes = HLSAnswerSizes()
    /// The next calls as of the last event. They are stored, so that a driver that asks for every
    /// read of a thousand sessions does not copy a session.
    private(set) var nextCalls = HLSNextCalls()

    init(_ spec: HLSViewerSpec, joinedAt: Double, recordLimit: Int) throws {
        self.spec = spec
        self.joinedAt = joinedAt
        algorithm = try spec.parsedAlgorithm()
        requests = HLSRequests(spec, try HLSEdges(of: spec))
        playback = HLSPlayback(recordLimit: recordLimit)
        presentation = HLSPresentation(fetchesParts: spec.usesParts)
    }

    /// Facts about a live stream that the player has received; nil before a live stream is played.
    func liveFacts(joinedAt: Int64) -> HLSLiveFacts? {
        sizes.liveFacts(playback, presentation, joinedAt: joinedAt)
    }

    var counts: HLSRequestCounts {
        get { requests.counts }
        _modify { yield &requests.counts }
    }
    var player: Player? { playback.player }
    /// The segment that the player wants, and its rendition.
    var wanted: (segment: Int, rendition: Int)? { playback.wanted }
    var isPlaying: Bool { playback.isPlaying }
    /// Time from the join until playing began; nil before playing has begun.
    var startup: Double? { playback.startup }
    var records: [HLSSegmentRecord] { playback.records }
    var isLive: Bool { presentation.isLive }
    var renditions: [HLSRendition] { presentation.renditions }
    /// The latest problem that is being retried.
    var trouble: String? { requests.trouble }

    // MARK: Verbs

    /// Processes an event.
    /// - Returns: the actions for the driver, in this order.
    mutating func handle(_ event: HLSEvent, at time: Double) -> [HLSAction] {
        switch event {
        case .start:
            send(HLSPlayerRequest(purpose: .entry, url: requests.edges.entries[0]), at: time)
        case .timer: runTimers(at: time)
        case .progress(let slot, let received, let total, let firstByte):
            judge(slot, received: received, total: total, firstByte: firstByte, at: time)
        case .finished(let slot, let response): receive(slot, response, at: time)
        case .failed(let slot, let fault): fail(slot, fault, at: time)
        }
        noteNextCalls()
        defer { actions = [] }
        return actions
    }

    private mutating func noteNextCalls() {
        nextCalls = HLSNextCalls(
            timer: min(turn.timer, presentation.reloads.next, requests.nextTime),
            judgement: playback.nextJudgement)
    }

    /// Notes that the response's first byte has arrived.
    mutating func responded(_ slot: HLSPlayerRequest.Slot) {
        requests.receiveFirstByte(slot)
        noteNextCalls()
    }

    /// Notes that the viewer leaves, or that the observation ends.
    /// - Parameters:
    ///   - received: body bytes that the media connection has received.
    ///   - total: length of the whole body, if it is known.
    ///   - firstByte: NaN before the first byte.
    mutating func stop(
        at time: Double, received: Int = 0, total: Int? = nil, firstByte: Double = .nan
    ) {
        playback.stop(at: time)
        phase = .ended
        playback.recordCut(
            requests[.media].inFlight?.purpose, received: received, total: total,
            firstByte: firstByte, presentation.alignment, at: time)
    }

    /// Adds an action for the driver.
    mutating func order(_ action: HLSAction) { actions.append(action) }

    /// Plays only one rendition from now on.
    mutating func stay(on rendition: Int) { algorithm = .fixed(rendition: rendition) }

    // MARK: Playing

    private mutating func runTimers(at time: Double) {
        for slot in HLSPlayerRequest.Slot.allCases where time >= requests[slot].deadline {
            order(.cancel(slot))
            fail(slot, .timeout, at: time)
        }
        for slot in HLSPlayerRequest.Slot.allCases {
            if let request = requests.takeDue(slot, at: time) {
                send(request, at: time, isRetry: true)
            }
        }
        if time >= turn.timer {
            act(turn.endTimer() ?? playback.timer(at: time), at: time)
        }
        if presentation.reloads.takeDue(at: time) { reload(at: time) }
    }

    /// Performs the player's actions one after the other. An action that follows from another one
    /// (because a segment is missing or has left the playlist) is performed after it.
    mutating func act(_ action: Player.Action?, at time: Double) {
        playback.noteStartup(time)
        guard let action, phase != .ended else { return }
        guard turn.begin(action) else { return }
        defer { turn.end() }
        while phase != .ended, let next = turn.next(at: time) { perform(next, at: time) }
        playback.noteStartup(time)
    }

    private mutating func perform(_ action: Player.Action, at time: Double) {
        let keepsParts = playback.takeKeepsParts()
        switch action {
        case .request(let segment, let rendition):
            playback.want(segment, rendition, keepsParts: keepsParts, at: time)
            advance(at: time)
        case .wait(let until): turn.wait(until: until)
        case .awaitSegment:
            phase = .awaitingNews
            tellNewest(at: time)
        case .finished:
            // A complete title ends when its last segment has been played.
            if isLive { phase = .awaitingNews } else { end(nil, at: time) }
        }
    }

    mutating func tellNewest(at time: Double) {
        guard phase == .awaitingNews, let segment = playback.player?.state.segment else { return }
        let newest = presentation.alignment.newest
        if newest >= segment {
            phase = .playing
            act(playback.available(latest: newest, at: time), at: time)
        } else if presentation.hasEnded {
            // The live stream has ended: the buffered media is played, then the viewer leaves.
            presentation.isLive = false
            end(nil, at: time)
        }
    }

    mutating func end(_ reason: String?, at time: Double) {
        guard phase != .ended else { return }
        if reason == nil, turn.timer == .infinity, !isLive, let rest = playback.rest {
            return turn.wait(until: time + rest)
        }
        var reason = reason
        if reason == nil, requests.counts.missingSegments > 0,
            playback.player?.account.segments == 0
        {
            reason = "all segments are marked as missing (EXT-X-GAP)"
        }
        playback.stop(at: time)
        phase = .ended
        order(.end(reason))
    }
}
