import ABR
import HLS
import HTTPWire

/// Requests of a session: how they go out, what answers and failures lead to.
extension HLSSessionStateMachine {
    mutating func send(_ request: HLSPlayerRequest, at time: Double, isRetry: Bool = false) {
        var request = request
        request.url = edges.atPresentEdge(request.url)
        slots[request.slot].send(request, at: time, isRetry: isRetry)
        if isRetry { counts.retries += 1 }
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
            nextJudgement = time + Player.judgementInterval
        }
        // A segment's time counts from here: playlists fetched for it before are no part of it.
        if request.purpose.isMedia, !isRetry, partial?.nextPart ?? 0 == 0 {
            log.requested(at: time)
        }
        actions.append(.fetch(request))
    }

    mutating func noteReload(_ rung: Int, _ isBlocking: Bool, isRetry: Bool, at time: Double) {
        let reloads = presentation.reloads
        let interval = reloads.interval(rung)
        if isBlocking {
            counts.blocked += 1
        } else if !isRetry, !presentation.isLoadingWhole, interval > 0,
            reloads.started(rung) > -.infinity
        {
            let share = (time - reloads.started(rung)) / interval
            counts.tightestReload = min(counts.tightestReload ?? share, share)
        }
        presentation.reloads.start(rung, at: time)
    }

    /// Asks the player whether to give up the segment that is under way.
    mutating func judge(
        _ slot: HLSPlayerRequest.Slot, received: Int, total: Int?, firstByte: Double,
        at time: Double
    ) {
        guard slot == .media, time >= nextJudgement else { return }
        nextJudgement = .infinity
        guard let started = slots[slot].sentAt, slots[slot].inFlight?.purpose == .segment,
            let (segment, rung) = wanted, player?.checksAbandonment ?? false
        else { return }
        // Rounded, for the moment itself counts as passed.
        let passed = ((time - started) / Player.judgementInterval + 1e-3).rounded(.down)
        let later = started + (passed + 1) * Player.judgementInterval
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
        slots[slot].clear()
        wanted = nil
        actions.append(.cancel(slot))
        act(player?.abandoned(progress, for: lower, at: time), at: time)
    }

    /// When `progress` is worth calling next; infinity where it is not.
    var judgement: Double { nextJudgement }

    mutating func receive(
        _ slot: HLSPlayerRequest.Slot, _ response: HLSPlayerResponse, at time: Double
    ) {
        guard phase != .ended, let (request, sentAt) = slots[slot].finish() else { return }
        nextJudgement = slot == .media ? .infinity : nextJudgement
        switch response.status {
        case 200..<300 where request.purpose.isMedia && response.bytes == 0:
            // Nothing of it can be played.
            counts.broken += 1
            return refused(
                request, "the server answers \(response.statusText) with an empty body", at: time)
        case 200..<300: slots[slot].answered()
        case 400..<500:
            counts.refused += 1
            if response.status == 404, request.purpose == .entry,
                time + 1000 < spec.patienceMilliseconds
            {
                trouble = "the server answers \(response.statusText) for \(request.url)"
                slots[slot].wait(request, until: time + 1000)
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
        case .entry, .playlist:
            receivePlaylist(request, response, sentAt: sentAt, at: time)
        case .initialization:
            initializationBytes = response.bytes
            if let (segment, rung) = wanted {
                presentation.receiveInitialization(for: segment, rendition: rung)
            }
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

    mutating func fail(_ slot: HLSPlayerRequest.Slot, _ fault: HLSFetchFault, at time: Double) {
        guard phase != .ended, let (request, _) = slots[slot].finish() else { return }
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
        _ request: HLSPlayerRequest, afterTimeout: Bool, _ reason: String, at time: Double
    ) {
        let policy = HLSRetryPolicy.policy(for: request.purpose)
        let most = afterTimeout ? policy.retriesAfterTimeout : policy.retriesAfterError
        slots[request.slot].countFailure()
        if movesOn(request, at: time) { return }
        let failures = slots[request.slot].failures
        guard failures <= most else { return refused(request, reason, at: time) }
        trouble = "\(reason) for \(request.url)"
        let delay = HLSRetryPolicy.delay(failures, afterTimeout: afterTimeout)
        slots[request.slot].wait(request, until: time + delay)
    }

    /// A request that is not tried again as it is.
    mutating func refused(
        _ request: HLSPlayerRequest, _ reason: String, retryAfter: Int? = nil, at time: Double
    ) {
        failures += 1
        if let retryAfter, failures < Self.mostFailures {
            // The server says that it is only too early (a stream that has just begun).
            trouble = "\(reason) for \(request.url)"
            slots[request.slot].wait(
                request, until: time + 1000 * Double(min(max(retryAfter, 1), 10)))
            return
        }
        guard failures < Self.mostFailures, request.purpose != .entry else {
            return end("\(reason) for \(request.url)", at: time)
        }
        switch request.purpose {
        case .entry: break
        case .playlist(let rung, _):
            presentation.reloads.receiveNothing(rung)
            if presentation.returnToSource(rung, edges) {
                let again = HLSPlayerRequest(
                    purpose: .playlist(rung: rung, isBlocking: false), url: rungs[rung].url)
                slots[request.slot].wait(again, until: time)
                return
            }
            // Another rendition may still be there; this one is asked again no sooner than allowed.
            // What is being fetched of it may still arrive.
            if let (_, wantedRung) = wanted, wantedRung == rung, rung > 0, slots[.media].isIdle {
                presentation.reloads.follow(rung - 1)
                askElsewhere(at: time)
            }
            presentation.reloads.plan(
                at: time + max(1000, presentation.reloads.interval(rung)))
        case .initialization, .segment, .part:
            // The playlist may have moved on while the request was under way.
            askElsewhere(at: time)
        }
    }

    /// What is wanted cannot be had here. Parts that are there stay.
    private mutating func askElsewhere(at time: Double) {
        wanted = nil
        partial?.isKept = true
        act(player?.failed(at: time), at: time)
    }
}
