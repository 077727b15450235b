import ABR
import HLS
import HTTPWire

/// One HLS viewer without clock or I/O: playlists, segments and parts in, requests out; the
/// decisions are `Player`'s. Times are ms from the viewer's join.
struct HLSSession {
    let spec: HLSViewerSpec
    /// `spec.url` and its alternatives, in the order in which they are tried.
    let entries: [HTTPURL]
    var algorithm: AlgorithmName
    /// Real time of the join, ms since 1970.
    var joinedAt: Double
    /// How many segment requests are recorded.
    let recordLimit: Int

    var commands: [HLSCommand] = []
    var rungs: [HLSRung] = []
    /// What the multivariant playlist defines for the media playlists (EXT-X-DEFINE).
    var variables: [String: String] = [:]
    var player: Player?
    /// Media sequence number of the player's segment 0 in the first rendition heard.
    var baseSequence = 0
    /// What the renditions' places are told by, and whose playlist gave it.
    var anchor: Anchor?
    var alignedRung: Int?
    var isLive = false
    /// Where the playlists' news are heard first.
    var reloadRung = 0
    /// What the player wants to have.
    var wanted: (segment: Int, rung: Int)?
    /// The next part of the wanted segment, once it is fetched by parts.
    var nextPart = 0
    var isByParts = false
    var partial = PartialSegment()
    /// Whether the next request goes on with the segment whose parts are partly there.
    var keepsParts = false
    var requestedAt = 0.0
    var bufferBefore = 0.0
    var estimateBefore = Double.nan
    var isAwaiting = false
    var newest = -1
    /// A segment that renditions lack (EXT-X-GAP), and which ones.
    var gap: (segment: Int, rungs: Set<Int>) = (-1, [])
    /// The player's action is being carried out; one that comes meanwhile is next.
    private var isActing = false
    private var nextAction: Player.Action?
    /// An action that goes on when the player's timer ends.
    private var postponed: Player.Action?

    var inFlight: [HLSRequest?] = [nil, nil]
    var startedAt = [0.0, 0.0]
    var hasFirstByte = [false, false]
    var retries = [0, 0]
    /// A request that is tried again later.
    var waiting: [(request: HLSRequest, time: Double)?] = [nil, nil]
    var playerTimer = Double.infinity
    var reloadTimer = Double.infinity
    var isEnded = false
    var mustLoadWhole = false
    /// The playlist under way was asked for whole because a delta update was of no use.
    var isLoadingWhole = false
    var failures = 0
    /// Which of its edges the viewer is at, and how often it has moved since one answered.
    var edge = 0
    var movesInVain = [0, 0]

    var counts = HLSRequestCounts()
    var records: [HLSSegmentRecord] = []
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
    static let abandonInterval = 100.0
    var nextJudgement = Double.infinity

    init(_ spec: HLSViewerSpec, joinedAt: Double, recordLimit: Int) throws {
        guard let algorithm = AlgorithmName(parsing: spec.algorithm) else {
            throw ViewerError(
                description: "'\(spec.algorithm)' is no adaptation algorithm; there are "
                    + AlgorithmName.allNames.joined(separator: ", "))
        }
        do {
            entries = try ([spec.url] + spec.alternatives).map { try HTTPURL($0) }
        } catch {
            throw ViewerError(description: "\(error); a playlist's URL is meant")
        }
        self.spec = spec
        self.algorithm = algorithm
        self.joinedAt = joinedAt
        self.recordLimit = recordLimit
    }

    /// nil before a live stream is played.
    func liveFacts(joinedAt: Int64) -> HLSLiveFacts? {
        guard let player, let live = player.configuration.live else { return nil }
        let interval = rungs.lazy.compactMap { $0.playlist?.reloadMilliseconds }.first ?? 0
        return HLSLiveFacts(
            segmentDuration: player.title.segmentDuration,
            epochNanoseconds: joinedAt + Int64(player.epoch * 1e6),
            targetLatency: live.targetLatency, reloadInterval: interval,
            playlistBytes: playlistBytes, initializationBytes: initializationBytes,
            headBytes: headBytes, playerStart: playerStart)
    }

    var isPlaying: Bool { player?.isPlaying ?? false }

    /// What is to be done since the last call.
    mutating func takeCommands() -> [HLSCommand] {
        defer { commands.removeAll(keepingCapacity: true) }
        return commands
    }

    /// When `timer` is to be called; infinity = not yet.
    var nextTimer: Double {
        var time = min(playerTimer, reloadTimer, nextJudgement)
        for slot in HLSRequest.Slot.allCases {
            if let waiting = waiting[slot.rawValue] { time = min(time, waiting.time) }
            time = min(time, deadline(slot))
        }
        return time
    }

    func deadline(_ slot: HLSRequest.Slot) -> Double {
        guard let request = inFlight[slot.rawValue] else { return .infinity }
        let policy = HLSRetryPolicy.policy(for: request.purpose)
        let limit = hasFirstByte[slot.rawValue] ? policy.loadLimit : policy.firstByteLimit
        return startedAt[slot.rawValue] + min(limit, policy.loadLimit)
    }

    // MARK: Course

    mutating func start(at time: Double) {
        send(HLSRequest(purpose: .entry, url: entries[0]), at: time)
    }

    /// The viewer leaves, or the observation ends.
    /// - Parameters:
    ///   - received: body bytes of what the media connection fetches.
    ///   - total: of the whole body, where it is known.
    ///   - firstByte: NaN before it.
    mutating func stop(
        at time: Double, received: Int = 0, total: Int? = nil, firstByte: Double = .nan
    ) {
        player?.stop(at: time)
        isEnded = true
        recordCut(received: received, total: total, firstByte: firstByte, at: time)
    }

    mutating func timer(at time: Double) {
        for slot in HLSRequest.Slot.allCases where time >= deadline(slot) {
            commands.append(.cancel(slot))
            failed(slot, .timeout, at: time)
        }
        for slot in HLSRequest.Slot.allCases {
            if let (request, due) = waiting[slot.rawValue], time >= due {
                waiting[slot.rawValue] = nil
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
        if time >= reloadTimer {
            reloadTimer = .infinity
            reload(at: time)
        }
    }

    /// Carries out what the player wants, one action after the other: what an action leads to (a
    /// segment that is missing, one that has left the playlist) never calls this from within.
    mutating func act(_ action: Player.Action?, at time: Double) {
        noteStartup(time)
        guard let action, !isEnded else { return }
        nextAction = action
        guard !isActing else { return }
        isActing = true
        defer { isActing = false }
        var count = 0
        while let action = nextAction, !isEnded {
            nextAction = nil
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
        let keepsParts = keepsParts
        self.keepsParts = false
        switch action {
        case .request(let segment, let rung):
            wanted = (segment, rung)
            if !keepsParts { dropParts() }
            requestedAt = time
            bufferBefore = player?.bufferLevel ?? 0
            estimateBefore = player?.state.throughput ?? .nan
            advance(at: time)
        case .wait(let until): playerTimer = until
        case .awaitSegment:
            isAwaiting = true
            tellNewest(at: time)
        case .finished:
            if isEndOfTitle { end(nil, at: time) } else { isAwaiting = true }
        }
    }

    /// A title that is over ends when its last segment has been played.
    var isEndOfTitle: Bool { !isLive }

    mutating func end(_ reason: String?, at time: Double) {
        guard !isEnded else { return }
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
        isEnded = true
        commands.append(.end(reason))
    }

    mutating func noteStartup(_ time: Double) {
        if startup == nil, isPlaying { startup = time }
    }

    // MARK: Requests

    mutating func send(_ request: HLSRequest, at time: Double, isRetry: Bool = false) {
        let slot = request.slot.rawValue
        var request = request
        request.url = atPresentEdge(request.url)
        precondition(inFlight[slot] == nil, "a slot carries one request")
        inFlight[slot] = request
        startedAt[slot] = time
        hasFirstByte[slot] = false
        if isRetry { counts.retries += 1 } else { retries[slot] = 0 }
        switch request.purpose {
        case .entry: counts.playlists += 1
        case .playlist(let rung, let isBlocking):
            counts.playlists += 1
            noteReload(rung, isBlocking, isRetry: isRetry, at: time)
        case .initialization: counts.initializations += 1
        case .segment: counts.segments += 1
        case .part: counts.parts += 1
        }
        if request.purpose == .segment, player?.checksAbandonment ?? false {
            nextJudgement = time + Self.abandonInterval
        }
        // A segment's time counts from here: playlists fetched for it before are no part of it.
        if request.purpose.isMedia, !isRetry, nextPart == 0 { requestedAt = time }
        commands.append(.fetch(request))
    }

    mutating func noteReload(_ rung: Int, _ isBlocking: Bool, isRetry: Bool, at time: Double) {
        let interval = rungs[rung].reloadInterval
        if isBlocking {
            counts.blocked += 1
        } else if !isRetry, !isLoadingWhole, interval > 0, rungs[rung].loadStarted > -.infinity {
            let share = (time - rungs[rung].loadStarted) / interval
            counts.tightestReload = min(counts.tightestReload ?? share, share)
        }
        rungs[rung].loadStarted = time
    }

    mutating func redirected() { counts.redirects += 1 }

    /// The answer's first byte is there.
    mutating func responded(_ slot: HLSRequest.Slot, at time: Double) {
        hasFirstByte[slot.rawValue] = true
    }

    /// So much of the answer's body has arrived.
    /// - Parameter total: of the whole body, where it is known.
    mutating func progress(
        _ slot: HLSRequest.Slot, received: Int, total: Int?, firstByte: Double, at time: Double
    ) {
        guard slot == .media, time >= nextJudgement else { return }
        nextJudgement = .infinity
        guard let request = inFlight[slot.rawValue], request.purpose == .segment,
            let (segment, rung) = wanted, player?.checksAbandonment ?? false
        else { return }
        let started = startedAt[slot.rawValue]
        // Rounded, for the moment itself counts as passed.
        let passed = ((time - started) / Self.abandonInterval + 1e-3).rounded(.down)
        let later = started + (passed + 1) * Self.abandonInterval
        guard let total else {
            nextJudgement = later
            return
        }
        let progress = DownloadProgress(
            segment: segment, rung: rung, size: Double(total) * 8,
            downloaded: Double(received) * 8, elapsed: time - started,
            timeToFirstByte: firstByte - started)
        guard let lower = player?.progress(progress, at: time) else {
            nextJudgement = later
            return
        }
        counts.abandoned += 1
        counts.wastedBytes += received
        record(
            rung, firstByte: firstByte, transfer: time - firstByte, bytes: received, size: total,
            abandonedFor: lower)
        inFlight[slot.rawValue] = nil
        wanted = nil
        commands.append(.cancel(slot))
        act(player?.abandoned(progress, for: lower, at: time), at: time)
    }

    /// When `progress` is worth calling next; infinity where it is not.
    var judgement: Double { nextJudgement }

    mutating func finished(_ slot: HLSRequest.Slot, _ response: HLSResponse, at time: Double) {
        guard !isEnded, let request = inFlight[slot.rawValue] else { return }
        inFlight[slot.rawValue] = nil
        nextJudgement = slot == .media ? .infinity : nextJudgement
        switch response.status {
        case 200..<300: movesInVain[slot.rawValue] = 0
        case 400..<500:
            counts.refused += 1
            if response.status == 404, request.purpose == .entry,
                time + 1000 < spec.patienceMilliseconds
            {
                waiting[slot.rawValue] = (request, time + 1000)
                return
            }
            return refused(
                request, "the server answers \(response.statusText)",
                retryAfter: response.retryAfter, at: time)
        default:
            counts.serverErrors += 1
            return retry(
                request, afterTimeout: false, "the server answers \(response.statusText)", at: time)
        }
        switch request.purpose {
        case .entry, .playlist: receivePlaylist(request, response, at: time)
        case .initialization:
            initializationBytes = response.bytes
            if let (_, rung) = wanted { rungs[rung].initialization = map(of: rung) }
            advance(at: time)
        case .segment:
            failures = 0
            headBytes = response.headBytes
            complete(
                bits: Double(response.bytes) * 8, transfer: time - response.firstByte,
                firstByte: response.firstByte, bytes: response.bytes, at: time)
        case .part(let duration):
            failures = 0
            receivePart(duration, response, at: time)
        }
    }

    mutating func failed(_ slot: HLSRequest.Slot, _ fault: HLSFetchFault, at time: Double) {
        guard !isEnded, let request = inFlight[slot.rawValue] else { return }
        inFlight[slot.rawValue] = nil
        if slot == .media { nextJudgement = .infinity }
        switch fault {
        case .timeout:
            counts.timeouts += 1
            retry(request, afterTimeout: true, "the server does not answer", at: time)
        case .broken(let reason):
            counts.broken += 1
            retry(request, afterTimeout: false, reason, at: time)
        }
    }

    mutating func retry(
        _ request: HLSRequest, afterTimeout: Bool, _ reason: String, at time: Double
    ) {
        let slot = request.slot.rawValue
        let policy = HLSRetryPolicy.policy(for: request.purpose)
        let most = afterTimeout ? policy.retriesAfterTimeout : policy.retriesAfterError
        retries[slot] += 1
        if movesOn(request, at: time) { return }
        guard retries[slot] <= most else { return refused(request, reason, at: time) }
        let delay = HLSRetryPolicy.delay(retries[slot], afterTimeout: afterTimeout)
        waiting[slot] = (request, time + delay)
    }

    /// A request that is not tried again as it is.
    mutating func refused(
        _ request: HLSRequest, _ reason: String, retryAfter: Int? = nil, at time: Double
    ) {
        failures += 1
        if let retryAfter, failures < Self.mostFailures {
            // The server says that it is only too early (a stream that has just begun).
            waiting[request.slot.rawValue] = (
                request, time + 1000 * Double(min(max(retryAfter, 1), 10))
            )
            return
        }
        guard failures < Self.mostFailures, request.purpose != .entry else {
            return end("\(reason) for \(request.url)", at: time)
        }
        switch request.purpose {
        case .entry: break
        case .playlist(let rung, _):
            // Another rendition may still be there; this one is asked again no sooner than allowed.
            rungs[rung].hasChanged = false
            let media = HLSRequest.Slot.media.rawValue
            // What is being fetched of it may still arrive.
            if let (_, wantedRung) = wanted, wantedRung == rung, rung > 0, inFlight[media] == nil,
                waiting[media] == nil
            {
                reloadRung = rung - 1
                askElsewhere(at: time)
            }
            reloadTimer = time + max(1000, rungs[rung].reloadInterval)
        case .initialization, .segment, .part:
            // The playlist may have moved on while the request was under way.
            askElsewhere(at: time)
        }
    }

    /// What is wanted cannot be had here. Parts that are there stay.
    private mutating func askElsewhere(at time: Double) {
        wanted = nil
        keepsParts = isByParts
        act(player?.failed(at: time), at: time)
    }
}
