import ABR
import HLS
import HTTPWire

/// Sending of requests, and the consequences of their responses and failures.
extension HLSSessionStateMachine {
    mutating func send(_ request: HLSPlayerRequest, at time: Double, isRetry: Bool = false) {
        let request = requests.send(request, at: time, isRetry: isRetry)
        if case .playlist(let rendition, let isBlocking) = request.purpose {
            requests.counts.noteReload(
                presentation.startReload(rendition, isFree: !isBlocking && !isRetry, at: time),
                isBlocking: isBlocking)
        }
        playback.requested(request.purpose, isRetry: isRetry, at: time)
        order(.fetch(request))
    }

    /// Asks the player whether to give up the segment that is under way.
    mutating func judge(
        _ slot: HLSPlayerRequest.Slot, received: Int, total: Int?, firstByte: Double,
        at time: Double
    ) {
        guard slot == .media, time >= playback.nextJudgement else { return }
        let isSegment = requests[slot].inFlight?.purpose == .segment
        let action = playback.judge(
            sentAt: isSegment ? requests[slot].sentAt : nil, received: received, total: total,
            firstByte: firstByte, presentation.alignment, at: time)
        guard let action else { return }
        requests.abandon(slot, received: received)
        order(.cancel(slot))
        act(action, at: time)
    }

    mutating func receive(
        _ slot: HLSPlayerRequest.Slot, _ response: HLSPlayerResponse, at time: Double
    ) {
        guard phase != .ended, let (request, sentAt) = requests.finish(slot) else { return }
        if slot == .media { playback.endJudgement() }
        let verdict = requests.judge(response, to: request, at: time)
        guard case .isAnswered = verdict else { return goOn(request, verdict, at: time) }
        switch request.purpose {
        case .entry, .playlist:
            receivePlaylist(request, response, sentAt: sentAt, at: time)
        case .initialization:
            sizes.note(response, to: request.purpose)
            if let (segment, rendition) = wanted {
                presentation.receiveInitialization(for: segment, rendition: rendition)
            }
            advance(at: time)
        case .segment:
            requests.receiveMedia()
            sizes.note(response, to: request.purpose)
            complete(
                bits: Double(response.bytes) * 8,
                transfer: response.lastByte - response.firstByte, firstByte: response.firstByte,
                bytes: response.bytes, at: time)
        case .part(let duration):
            requests.receiveMedia()
            receivePart(duration, response, at: time)
        }
    }

    mutating func fail(_ slot: HLSPlayerRequest.Slot, _ fault: HLSFetchFault, at time: Double) {
        guard phase != .ended, let (request, _) = requests.finish(slot) else { return }
        if slot == .media { playback.endJudgement() }
        goOn(request, requests.fail(request, fault, at: time), at: time)
    }

    /// Continues after a request that brought nothing that can be used.
    mutating func goOn(
        _ request: HLSPlayerRequest, _ verdict: HLSRequests.Verdict, at time: Double
    ) {
        switch verdict {
        case .isAnswered, .isTriedAgain: break
        case .isRefused: findOtherWay(request, at: time)
        case .isHopeless(let reason): end(reason, at: time)
        }
    }

    private mutating func findOtherWay(_ request: HLSPlayerRequest, at time: Double) {
        switch request.purpose {
        case .entry: break
        case .playlist(let rendition, _):
            presentation.reloads.receiveNothing(rendition)
            if presentation.returnToSource(rendition, requests.edges) {
                let again = HLSPlayerRequest(
                    purpose: .playlist(rendition: rendition, isBlocking: false),
                    url: renditions[rendition].url)
                return requests.wait(again, until: time)
            }
            // Another rendition may still be available; this one is not requested again sooner than
            // allowed. A resource of this rendition that is being fetched may still arrive.
            if let (_, wantedRendition) = wanted, wantedRendition == rendition, rendition > 0,
                requests[.media].isIdle
            {
                presentation.reloads.follow(rendition - 1)
                act(playback.fail(at: time), at: time)
            }
            presentation.reloads.plan(
                at: time + max(1000, presentation.reloads.interval(rendition)))
        case .initialization, .segment, .part:
            // The playlist may have changed while the request was under way.
            act(playback.fail(at: time), at: time)
        }
    }
}
