import ABR
import HLS

/// One HLS viewer without clock or I/O: playlists, segments and parts in, requests out; the
/// decisions are `Player`'s. Times are ms from the viewer's join.
struct HLSSession {
    let spec: HLSViewerSpec
    private let algorithm: AlgorithmName
    /// Real time of the join, ms since 1970.
    var joinedAt: Double
    /// How many segment requests are recorded.
    private let recordLimit: Int

    private var commands: [HLSCommand] = []
    var rungs: [HLSRung] = []
    var player: Player?
    /// Media sequence number of the player's segment 0.
    private var baseSequence = 0
    var isLive = false
    /// Where the playlists' news are heard first.
    private var reloadRung = 0
    /// What the player wants to have.
    private var wanted: (segment: Int, rung: Int)?
    /// The next part of the wanted segment, once it is fetched by parts.
    private var nextPart = 0
    private var isByParts = false
    /// Of the wanted segment's parts that are there, ms and bits.
    private var partial = (transfer: 0.0, bits: 0.0, firstByte: Double.nan)
    private var requestedAt = 0.0
    private var bufferBefore = 0.0
    private var estimateBefore = Double.nan
    private var isAwaiting = false
    private var newest = -1

    private var inFlight: [HLSRequest?] = [nil, nil]
    private var startedAt = [0.0, 0.0]
    private var hasFirstByte = [false, false]
    private var retries = [0, 0]
    /// A request that is tried again later.
    private var waiting: [(request: HLSRequest, time: Double)?] = [nil, nil]
    private var playerTimer = Double.infinity
    private var reloadTimer = Double.infinity
    private var isEnded = false
    private var mustLoadWhole = false
    private var failures = 0

    private(set) var counts = HLSRequestCounts()
    private(set) var records: [HLSSegmentRecord] = []
    /// Bytes of the latest media playlist.
    private(set) var playlistBytes = 0
    private var initializationBytes: Int?
    private var playerStart = 0.0
    /// Time from the join until playing began; nil before.
    private(set) var startup: Double?

    /// The most failures of segments, one after the other, before a viewer gives up.
    private static let mostFailures = 8
    /// How far the live edge may be from where it was thought before that is corrected, ms.
    private static let epochTolerance = 20.0
    private static let abandonInterval = 100.0
    private var nextJudgement = Double.infinity

    init(_ spec: HLSViewerSpec, joinedAt: Double, recordLimit: Int) throws {
        guard let algorithm = AlgorithmName(parsing: spec.algorithm) else {
            throw ViewerError(
                description: "'\(spec.algorithm)' is no adaptation algorithm; there are "
                    + AlgorithmName.allNames.joined(separator: ", "))
        }
        guard HLSAddress.split(spec.url) != nil else {
            throw ViewerError(
                description: "'\(spec.url)' is not http://host[:port]/…/playlist.m3u8")
        }
        self.spec = spec
        self.algorithm = algorithm
        self.joinedAt = joinedAt
        self.recordLimit = recordLimit
    }

    /// nil before a live stream is played.
    func liveFacts(joinedAt: Int64) -> HLSLiveFacts? {
        guard let player, let live = player.configuration.live else { return nil }
        let duration = player.title.segmentDuration
        let epoch = player.epoch - Double(baseSequence) * duration
        let target = rungs.lazy.compactMap { $0.playlist?.targetDuration }.first ?? 0
        return HLSLiveFacts(
            segmentDuration: duration, epochNanoseconds: joinedAt + Int64(epoch * 1e6),
            targetLatency: live.targetLatency, reloadInterval: Double(target) * 1000,
            playlistBytes: playlistBytes, initializationBytes: initializationBytes,
            playerStart: playerStart)
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

    private func deadline(_ slot: HLSRequest.Slot) -> Double {
        guard let request = inFlight[slot.rawValue] else { return .infinity }
        let policy = HLSRetryPolicy.policy(for: request.purpose)
        let limit = hasFirstByte[slot.rawValue] ? policy.loadLimit : policy.firstByteLimit
        return startedAt[slot.rawValue] + min(limit, policy.loadLimit)
    }

    // MARK: Course

    mutating func start(at time: Double) {
        send(HLSRequest(purpose: .entry, url: spec.url), at: time)
    }

    /// The viewer leaves, or the observation ends.
    mutating func stop(at time: Double) {
        player?.stop(at: time)
        isEnded = true
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
            act(player?.timer(at: time), at: time)
        }
        if time >= reloadTimer {
            reloadTimer = .infinity
            reload(at: time)
        }
    }

    private mutating func act(_ action: Player.Action?, at time: Double) {
        noteStartup(time)
        guard let action, !isEnded else { return }
        switch action {
        case .request(let segment, let rung):
            wanted = (segment, rung)
            nextPart = 0
            isByParts = false
            partial = (0, 0, .nan)
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
    private var isEndOfTitle: Bool { !isLive }

    private mutating func end(_ reason: String?, at time: Double) {
        guard !isEnded else { return }
        if reason == nil, let player, player.bufferLevel > 0, playerTimer == .infinity, !isLive {
            playerTimer = time + player.bufferLevel / player.playbackRate
            return
        }
        player?.stop(at: time)
        isEnded = true
        commands.append(.end(reason))
    }

    private mutating func noteStartup(_ time: Double) {
        if startup == nil, isPlaying { startup = time }
    }

    // MARK: Requests

    private mutating func send(_ request: HLSRequest, at time: Double, isRetry: Bool = false) {
        let slot = request.slot.rawValue
        precondition(inFlight[slot] == nil, "a slot carries one request")
        inFlight[slot] = request
        startedAt[slot] = time
        hasFirstByte[slot] = false
        if isRetry { counts.retries += 1 } else { retries[slot] = 0 }
        switch request.purpose {
        case .entry: counts.playlists += 1
        case .playlist(let rung, let isBlocking):
            counts.playlists += 1
            noteReload(rung, isBlocking, at: time)
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

    private mutating func noteReload(_ rung: Int, _ isBlocking: Bool, at time: Double) {
        let interval = rungs[rung].reloadInterval
        if isBlocking {
            counts.blocked += 1
        } else if interval > 0, rungs[rung].loadStarted > -.infinity {
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
        guard let total else {
            nextJudgement = time + Self.abandonInterval
            return
        }
        let started = startedAt[slot.rawValue]
        let progress = DownloadProgress(
            segment: segment, rung: rung, size: Double(total) * 8,
            downloaded: Double(received) * 8, elapsed: time - started,
            timeToFirstByte: firstByte - started)
        guard let lower = player?.progress(progress, at: time) else {
            nextJudgement = time + Self.abandonInterval
            return
        }
        counts.abandoned += 1
        counts.wastedBytes += received
        record(
            rung, firstByte: firstByte, transfer: time - firstByte, bytes: received,
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
        case 200..<300: break
        case 400..<500:
            counts.refused += 1
            return refused(
                request, "the server answers \(response.status)", retryAfter: response.retryAfter,
                at: time)
        default:
            counts.serverErrors += 1
            return retry(
                request, afterTimeout: false, "the server answers \(response.status)", at: time)
        }
        switch request.purpose {
        case .entry, .playlist: receivePlaylist(request, response, at: time)
        case .initialization:
            initializationBytes = response.bytes
            if let (_, rung) = wanted { rungs[rung].initialization = map(of: rung) }
            advance(at: time)
        case .segment:
            failures = 0
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

    private mutating func retry(
        _ request: HLSRequest, afterTimeout: Bool, _ reason: String, at time: Double
    ) {
        let slot = request.slot.rawValue
        let policy = HLSRetryPolicy.policy(for: request.purpose)
        let most = afterTimeout ? policy.retriesAfterTimeout : policy.retriesAfterError
        retries[slot] += 1
        guard retries[slot] <= most else { return refused(request, reason, at: time) }
        let delay = HLSRetryPolicy.delay(retries[slot], afterTimeout: afterTimeout)
        waiting[slot] = (request, time + delay)
    }

    /// A request that is not tried again as it is.
    private mutating func refused(
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
            if let (_, wantedRung) = wanted, wantedRung == rung, rung > 0 {
                reloadRung = rung - 1
                act(player?.failed(at: time), at: time)
            }
            reloadTimer = time + max(1000, rungs[rung].reloadInterval)
        case .initialization, .segment, .part:
            wanted = nil
            // The playlist may have moved on while the request was under way.
            act(player?.failed(at: time), at: time)
        }
    }

    // MARK: Playlists

    private mutating func reload(at time: Double) {
        guard !isEnded, inFlight[HLSRequest.Slot.playlist.rawValue] == nil,
            waiting[HLSRequest.Slot.playlist.rawValue] == nil
        else { return }
        let rung = rungs[reloadRung]
        if rung.playlist?.hasEndList ?? false { return }
        let blocks = blocking(rung)
        let earliest = rung.loadStarted + rung.reloadInterval
        if !blocks, time < earliest {
            reloadTimer = min(reloadTimer, earliest)
            return
        }
        var query: [(String, String)] = []
        if blocks, let playlist = rung.playlist {
            query.append(("_HLS_msn", String(playlist.nextSequence)))
            if playlist.partTarget != nil {
                query.append(("_HLS_part", String(playlist.partialSegment?.parts.count ?? 0)))
            }
        }
        if let limit = rung.playlist?.serverControl?.canSkipUntil, !mustLoadWhole,
            time - rung.loadStarted < limit * 500
        {
            query.append(("_HLS_skip", "YES"))
        }
        mustLoadWhole = false
        send(
            HLSRequest(
                purpose: .playlist(rung: reloadRung, isBlocking: blocks),
                url: HLSAddress.adding(query, to: rung.url)), at: time)
    }

    /// Whether the next reload of a rung's playlist waits at the server for news.
    private func blocking(_ rung: HLSRung) -> Bool {
        guard spec.usesParts, let playlist = rung.playlist, rung.hasChanged else { return false }
        return playlist.serverControl?.canBlockReload ?? false
    }

    private mutating func receivePlaylist(
        _ request: HLSRequest, _ response: HLSResponse, at time: Double
    ) {
        do {
            let text = String(decoding: response.body, as: UTF8.self)
            switch (request.purpose, try HLSPlaylistCache.shared.parse(text)) {
            case (.entry, .multivariant(let playlist)):
                rungs = HLSRung.all(
                    of: playlist, base: response.url, maximumHeight: spec.maximumHeight)
                guard !rungs.isEmpty else {
                    return end("\(request.url) names no rendition that can be played", at: time)
                }
                if case .fixed(let rung) = algorithm { reloadRung = min(rung, rungs.count - 1) }
                reload(at: time)
            case (.entry, .media(let playlist)):
                let seconds = playlist.segments.isEmpty ? 0 : playlist.duration
                let bits = playlist.segments.reduce(0.0) {
                    $0 + $1.duration * Double($1.bitrateKilobits ?? 0)
                }
                rungs = [
                    HLSRung(url: response.url, bitrate: max(1, bits / max(seconds, 1)), height: 0)
                ]
                rungs[0].loadStarted = startedAt[HLSRequest.Slot.playlist.rawValue]
                try take(playlist, rung: 0, url: response.url, at: time)
            case (.playlist(let rung, _), .media(let playlist)):
                playlistBytes = response.body.count
                try take(playlist, rung: rung, url: response.url, at: time)
            case (_, .multivariant):
                end("\(request.url) is a multivariant playlist, not a media playlist", at: time)
            default: break
            }
        } catch let error as PlaylistError where error.code == .cannotMerge {
            mustLoadWhole = true
            rungs[reloadRung].loadStarted = -.infinity
            reload(at: time)
        } catch {
            counts.broken += 1
            retry(request, afterTimeout: false, "\(request.url): \(error)", at: time)
        }
    }

    private mutating func take(
        _ playlist: MediaPlaylist, rung: Int, url: String, at time: Double
    ) throws {
        let old = rungs[rung].playlist
        let whole = try old?.merging(delta: playlist) ?? playlist
        rungs[rung].hasChanged =
            old.map {
                $0.nextSequence != whole.nextSequence || $0.hasEndList != whole.hasEndList
                    || $0.partialSegment?.parts.count != whole.partialSegment?.parts.count
            } ?? true
        rungs[rung].playlist = whole
        // Redirects are followed once: the next load goes to where the playlist is.
        if !url.contains("_HLS_") { rungs[rung].url = url }
        if player == nil {
            try begin(whole, at: time)
        } else {
            follow(whole, at: time)
            if isAwaiting { tellNewest(at: time) }
            advance(at: time)
        }
        guard isLive, !whole.hasEndList else { return }
        if rung == reloadRung {
            let blocks = blocking(rungs[rung])
            reloadTimer = blocks ? time : rungs[rung].loadStarted + rungs[rung].reloadInterval
            // Not from within: the driver's next call does it, after what is wanted.
            if blocks, inFlight[HLSRequest.Slot.playlist.rawValue] == nil { reload(at: time) }
        } else {
            reloadTimer = min(reloadTimer, max(time, earliestReload))
        }
    }

    private var earliestReload: Double {
        rungs[reloadRung].loadStarted + rungs[reloadRung].reloadInterval
    }

    /// The first media playlist is there.
    private mutating func begin(_ playlist: MediaPlaylist, at time: Double) throws {
        guard !playlist.segments.isEmpty else {
            // A live stream that has only just begun.
            isLive = !playlist.hasEndList
            guard isLive else { return end("the playlist has no segment", at: time) }
            rungs[reloadRung].hasChanged = false
            return
        }
        isLive = !playlist.hasEndList
        baseSequence = playlist.mediaSequence
        let duration = playlist.duration / Double(playlist.segments.count) * 1000
        let title = try Title(
            name: spec.url, segmentDuration: duration, bitrates: rungs.map(\.bitrate),
            segmentCount: isLive ? 1 : playlist.segments.count, heights: rungs.map(\.height))
        var configuration = PlayerConfiguration()
        configuration.maximumBuffer = max(spec.maximumBufferMilliseconds, duration)
        configuration.startBuffer = spec.startBufferMilliseconds
        configuration.abandonment = spec.abandons ? .published : .off
        let parts = usesParts(playlist)
        if isLive {
            let control = playlist.serverControl
            let held = parts ? control?.partHoldBack ?? control?.holdBack : control?.holdBack
            let target =
                spec.targetLatencyMilliseconds
                ?? (held ?? 3 * Double(playlist.targetDuration)) * 1000
            var live = PlayerConfiguration.Live(targetLatency: target)
            if spec.maximumLatencyRatio > 0 {
                live.maximumLatency = target * max(1, spec.maximumLatencyRatio)
            }
            configuration.live = live
            if parts, spec.startBufferMilliseconds == nil {
                configuration.startBuffer = min(
                    (playlist.partTarget ?? 0) * 1000 * 2, duration)
            }
        }
        var player = try Player(
            title: title, configuration: configuration, algorithm: algorithm)
        newest = newestSegment(playlist)
        playerStart = time
        let action = player.start(
            at: time, epoch: isLive ? epoch(playlist, duration: duration, at: time) : 0,
            latest: max(0, newest))
        self.player = player
        act(action, at: time)
    }

    private func usesParts(_ playlist: MediaPlaylist) -> Bool {
        spec.usesParts && playlist.partTarget != nil
            && playlist.serverControl?.canBlockReload ?? false
    }

    /// The newest segment that can be requested, if only by its first parts.
    private func newestSegment(_ playlist: MediaPlaylist) -> Int {
        let whole = playlist.nextSequence - 1 - baseSequence
        let hasParts = usesParts(playlist) && !(playlist.partialSegment?.parts.isEmpty ?? true)
        return hasParts ? whole + 1 : whole
    }

    /// When media time 0 was at the encoder: by the playlist's dates, else by what it lists now.
    private func epoch(_ playlist: MediaPlaylist, duration: Double, at time: Double) -> Double {
        let count = playlist.segments.count
        let first = playlist.firstListedSequence - baseSequence
        let latest = time - duration * Double(first + count)
        guard
            let dated = playlist.segments.lastIndex(where: { $0.programDateTime != nil }),
            let date = playlist.segments[dated].programDateTime
        else { return latest }
        let shown = Double(date.millisecondsSince1970) - joinedAt
        // What is listed has been made, whatever the server's clock says.
        return min(shown - duration * Double(first + dated), latest)
    }

    /// News of a live playlist after the first.
    private mutating func follow(_ playlist: MediaPlaylist, at time: Double) {
        guard isLive, let player, !playlist.segments.isEmpty else { return }
        newest = max(newest, newestSegment(playlist))
        let epoch = epoch(playlist, duration: player.title.segmentDuration, at: time)
        let hasDates = playlist.segments.contains { $0.programDateTime != nil }
        if hasDates, abs(epoch - player.epoch) > Self.epochTolerance {
            self.player?.correct(epoch: epoch)
        }
    }

    private mutating func tellNewest(at time: Double) {
        guard isAwaiting, let player else { return }
        if newest >= player.state.segment {
            isAwaiting = false
            act(self.player?.available(latest: newest, at: time), at: time)
        } else if rungs[reloadRung].playlist?.hasEndList ?? false {
            // A live stream that has ended: what is buffered plays, then the viewer leaves.
            isLive = false
            end(nil, at: time)
        }
    }

    // MARK: Segments

    private func map(of rung: Int) -> MediaPlaylist.InitializationSection? {
        guard let playlist = rungs[rung].playlist, let (segment, _) = wanted else { return nil }
        let place = segment + baseSequence - playlist.firstListedSequence
        if playlist.segments.indices.contains(place) { return playlist.segments[place].map }
        return playlist.partialSegment?.map
    }

    /// Goes on with what the player wants, as far as the playlists are there.
    private mutating func advance(at time: Double) {
        guard !isEnded, let (segment, rung) = wanted,
            inFlight[HLSRequest.Slot.media.rawValue] == nil,
            waiting[HLSRequest.Slot.media.rawValue] == nil
        else { return }
        follow(rung)
        let sequence = segment + baseSequence
        guard let playlist = rungs[rung].playlist else { return reload(at: time) }
        guard sequence >= playlist.firstListedSequence else {
            return leaveBehind(playlist, at: time)
        }
        let place = sequence - playlist.firstListedSequence
        let whole = playlist.segments.indices.contains(place) ? playlist.segments[place] : nil
        let isCurrent = place == playlist.segments.count
        let parts = whole?.parts ?? (isCurrent ? playlist.partialSegment?.parts : nil) ?? []
        guard whole != nil || (usesParts(playlist) && !parts.isEmpty) else {
            return reload(at: time)
        }
        let map = map(of: rung)
        if let map, rungs[rung].initialization != map {
            return fetch(
                .initialization, map.uri, map.byteRange, rung: rung, at: time)
        }
        if let whole, !isByParts {
            // A segment that is marked as missing is played from another rendition, if at all.
            guard !whole.isGap else {
                wanted = nil
                return act(player?.failed(at: time), at: time)
            }
            return fetch(.segment, whole.uri, whole.byteRange, rung: rung, at: time)
        }
        isByParts = true
        if nextPart < parts.count {
            let part = parts[nextPart]
            fetch(
                .part(duration: part.duration * 1000), part.uri, part.byteRange, rung: rung,
                at: time)
        } else if whole != nil {
            // Its last part was fetched before the playlist told that there is no other.
            completeParts(at: time)
        } else {
            reload(at: time)
        }
    }

    /// News are heard from this rung's playlist from now on.
    private mutating func follow(_ rung: Int) {
        guard reloadRung != rung else { return }
        reloadRung = rung
        // A reload that the server holds back would hold up the switch.
        let slot = HLSRequest.Slot.playlist
        if case .playlist(_, isBlocking: true)? = inFlight[slot.rawValue]?.purpose {
            inFlight[slot.rawValue] = nil
            commands.append(.cancel(slot))
        }
    }

    /// The wanted segment has left the playlist.
    private mutating func leaveBehind(_ playlist: MediaPlaylist, at time: Double) {
        guard isLive, let player, let live = player.configuration.live else {
            return end("segment \(wanted?.segment ?? 0) has left the playlist", at: time)
        }
        let duration = player.title.segmentDuration
        let edge = Int((time - player.epoch - live.targetLatency) / duration)
        let oldest = playlist.firstListedSequence - baseSequence
        wanted = nil
        act(
            self.player?.jump(to: max(oldest, min(edge, max(newest, oldest))), at: time), at: time)
    }

    private mutating func fetch(
        _ purpose: HLSRequest.Purpose, _ uri: String, _ range: MediaPlaylist.ByteRange?, rung: Int,
        at time: Double
    ) {
        guard let url = HLSAddress.resolve(uri, base: rungs[rung].url) else {
            return end("'\(uri)' in \(rungs[rung].url) is no http URL", at: time)
        }
        var request = HLSRequest(purpose: purpose, url: url)
        if let range, let offset = range.offset, range.length > 0 {
            request.range = offset..<offset + range.length
        }
        send(request, at: time)
    }

    private mutating func receivePart(_ duration: Double, _ response: HLSResponse, at time: Double)
    {
        partial.transfer += time - response.firstByte
        partial.bits += Double(response.bytes) * 8
        if partial.firstByte.isNaN { partial.firstByte = response.firstByte }
        nextPart += 1
        guard let (segment, rung) = wanted, let playlist = rungs[rung].playlist else { return }
        let place = segment + baseSequence - playlist.firstListedSequence
        if playlist.segments.indices.contains(place),
            nextPart >= playlist.segments[place].parts.count
        {
            return completeParts(at: time)
        }
        player?.receive(duration, at: time)
        noteStartup(time)
        advance(at: time)
    }

    private mutating func completeParts(at time: Double) {
        complete(
            bits: partial.bits, transfer: partial.transfer, firstByte: partial.firstByte,
            bytes: Int(partial.bits / 8), at: time)
    }

    private mutating func complete(
        bits: Double, transfer: Double, firstByte: Double, bytes: Int, at time: Double
    ) {
        guard let (_, rung) = wanted else { return }
        let action = player?.completed(
            bits: bits, transferTime: transfer, timeToFirstByte: firstByte - requestedAt,
            elapsed: time - requestedAt, at: time)
        record(rung, firstByte: firstByte, transfer: transfer, bytes: bytes, abandonedFor: nil)
        wanted = nil
        act(action, at: time)
    }

    private mutating func record(
        _ rung: Int, firstByte: Double, transfer: Double, bytes: Int, abandonedFor: Int?
    ) {
        guard records.count < recordLimit, let (segment, _) = wanted else { return }
        records.append(
            HLSSegmentRecord(
                sequence: segment + baseSequence, rung: rung, requested: requestedAt,
                timeToFirstByte: firstByte.isNaN ? nil : firstByte - requestedAt,
                transferTime: transfer, bytes: bytes, bufferBefore: bufferBefore,
                bufferAfter: player?.bufferLevel ?? 0,
                estimate: estimateBefore.isNaN ? nil : estimateBefore, abandonedFor: abandonedFor))
    }
}
