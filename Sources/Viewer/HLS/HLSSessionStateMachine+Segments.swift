import ABR
import HLS
import HTTPWire

/// Fetching of the segments and parts that the player wants, once their playlists are loaded.
extension HLSSessionStateMachine {
    /// Continues with the segment that the player wants, as far as the playlists are loaded.
    mutating func advance(at time: Double) {
        guard phase != .ended, let (segment, rendition) = wanted, requests[.media].isIdle else {
            return
        }
        follow(rendition)
        let step = presentation.step(segment, rendition: rendition, after: playback.partial)
        switch step {
        case .notListed: reload(at: time)
        case .gone(let oldest): leaveBehind(oldest: oldest, at: time)
        case .gap: passGap(at: time)
        case .initialization, .segment: fetch(step, rendition: rendition, at: time)
        case .part:
            playback.beginParts()
            fetch(step, rendition: rendition, at: time)
        case .partsEnd(let whole): endParts(of: whole, rendition: rendition, at: time)
        }
    }

    /// Handles a complete segment of which no further part is listed. Either all parts were
    /// fetched, or the playlist no longer lists the rest; in the latter case the whole segment is
    /// fetched.
    private mutating func endParts(
        of whole: MediaPlaylist.Segment, rendition: Int, at time: Double
    ) {
        guard let partial = playback.partial else { return }
        guard partial.lacksMedia(of: whole) else {
            return complete(
                bits: partial.bits, transfer: partial.transfer, firstByte: partial.firstByte,
                bytes: Int(partial.bits / 8), at: time)
        }
        requests.counts.wastedBytes += playback.dropParts()
        fetch(.segment(whole), rendition: rendition, at: time)
    }

    /// Follows this rendition's playlist from now on.
    private mutating func follow(_ rendition: Int) {
        guard presentation.reloads.followed != rendition else { return }
        presentation.reloads.follow(rendition)
        if requests.dropReload() { order(.cancel(.playlist)) }
    }

    /// Handles a wanted segment that has left the playlist.
    private mutating func leaveBehind(oldest: Int, at time: Double) {
        let newest = presentation.alignment.newest
        guard isLive,
            let action = playback.leaveBehind(oldest: oldest, newest: newest, at: time)
        else { return end("segment \(wanted?.segment ?? 0) has left the playlist", at: time) }
        act(action, at: time)
    }

    /// Handles a gap: the rendition lacks the wanted segment, or its next part (EXT-X-GAP, or
    /// GAP=YES of its parts; rfc8216bis, 4.4.4.7 and 6.3.3). A viewer that must stay on one
    /// rendition does not switch.
    private mutating func passGap(at time: Double) {
        let (isMissing, action) = playback.passGap(
            renditionCount: spec.rendition == nil ? renditions.count : 0, presentation.alignment,
            at: time)
        if isMissing { requests.counts.missingSegments += 1 }
        act(action, at: time)
    }

    private mutating func fetch(_ step: HLSPresentation.Step, rendition: Int, at time: Double) {
        do {
            let request = try presentation.request(for: step, rendition: rendition)
            if let request { send(request, at: time) }
        } catch {
            end("\(renditions[rendition].url): \(error)", at: time)
        }
    }

    mutating func receivePart(_ duration: Double, _ response: HLSPlayerResponse, at time: Double) {
        playback.add(part: duration, response)
        guard let (segment, rendition) = wanted, renditions[rendition].playlist != nil else {
            return
        }
        let whole = presentation.whole(segment, rendition: rendition)
        playback.play(part: duration, of: whole, at: time)
        advance(at: time)
    }

    mutating func complete(
        bits: Double, transfer: Double, firstByte: Double, bytes: Int, at time: Double
    ) {
        guard wanted != nil else { return }
        let action = playback.complete(
            bits: bits, transfer: transfer, firstByte: firstByte, bytes: bytes,
            presentation.alignment, at: time)
        act(action, at: time)
    }
}
