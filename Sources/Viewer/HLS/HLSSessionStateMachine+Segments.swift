import ABR
import HLS
import HTTPWire

/// What is there of a segment that is fetched by its parts.
struct PartialSegment {
    /// Parts that are there, which is the index of the next one.
    var nextPart = 0
    /// Whether the player's next request goes on with the segment.
    var isKept = false
    /// First byte to last of each part, summed (ms).
    var transfer = 0.0
    var bits = 0.0
    /// ms.
    var media = 0.0
    /// Of the first part.
    var firstByte = Double.nan
}

/// Segments and parts: what the player wants, fetched as far as the playlists are there.
extension HLSSessionStateMachine {
    /// Goes on with what the player wants, as far as the playlists are there.
    mutating func advance(at time: Double) {
        guard phase != .ended, let (segment, rung) = wanted, slots[.media].isIdle else { return }
        follow(rung)
        switch presentation.step(segment, rendition: rung, after: partial) {
        case .notListed: reload(at: time)
        case .gone(let oldest): leaveBehind(oldest: oldest, at: time)
        case .gap: passGap(segment, rung, at: time)
        case .initialization(let map):
            fetch(.initialization, map.uri, map.byteRange, rung: rung, at: time)
        case .segment(let whole):
            fetch(.segment, whole.uri, whole.byteRange, rung: rung, at: time)
        case .part(let part):
            if partial == nil { partial = PartialSegment() }
            fetch(
                .part(duration: part.duration * 1000), part.uri, part.byteRange, rung: rung,
                at: time)
        case .partsEnd(let whole): endParts(of: whole, rung: rung, at: time)
        }
    }

    /// No further part is listed of a segment that is whole: all were fetched, or the playlist lists
    /// them no more; then the segment is fetched as it is.
    private mutating func endParts(
        of whole: MediaPlaylist.Segment, rung: Int, at time: Double
    ) {
        guard let partial else { return }
        guard partial.media < whole.duration * 1000 - Self.partTolerance else {
            return complete(
                bits: partial.bits, transfer: partial.transfer, firstByte: partial.firstByte,
                bytes: Int(partial.bits / 8), at: time)
        }
        counts.wastedBytes += Int(partial.bits / 8)
        self.partial = nil
        fetch(.segment, whole.uri, whole.byteRange, rung: rung, at: time)
    }

    /// What a segment's duration may be more than its parts' in all (ms): half a frame at 10 per second.
    private static let partTolerance = 50.0

    /// News are heard from this rung's playlist from now on.
    mutating func follow(_ rung: Int) {
        guard presentation.reloads.followed != rung else { return }
        presentation.reloads.follow(rung)
        // A reload that the server holds back would hold up the switch.
        if case .playlist? = slots[.playlist].waiting?.purpose { slots[.playlist].clear() }
        if case .playlist(_, isBlocking: true)? = slots[.playlist].inFlight?.purpose {
            slots[.playlist].clear()
            actions.append(.cancel(.playlist))
        }
    }

    /// The wanted segment has left the playlist.
    private mutating func leaveBehind(oldest: Int, at time: Double) {
        guard isLive, let player, let live = player.configuration.live else {
            return end("segment \(wanted?.segment ?? 0) has left the playlist", at: time)
        }
        let duration = player.title.segmentDuration
        let behind = (time - player.epoch - live.targetLatency) / duration
        let target = Int(max(-1e9, min(behind, 1e9)))
        let newest = max(presentation.alignment.newest, oldest)
        wanted = nil
        act(self.player?.jump(to: max(oldest, min(target, newest)), at: time), at: time)
    }

    mutating func fetch(
        _ purpose: HLSPlayerRequest.Purpose, _ uri: String, _ range: MediaPlaylist.ByteRange?,
        rung: Int,
        at time: Double
    ) {
        let url: HTTPURL
        do {
            url = try rungs[rung].url.resolving(uri)
        } catch {
            return end("\(rungs[rung].url): \(error)", at: time)
        }
        var request = HLSPlayerRequest(purpose: purpose, url: url)
        if let range, let offset = range.offset, range.length > 0,
            !offset.addingReportingOverflow(range.length).overflow
        {
            request.range = offset..<offset + range.length
        }
        send(request, at: time)
    }

    mutating func receivePart(_ duration: Double, _ response: HLSPlayerResponse, at time: Double) {
        var partial = partial ?? PartialSegment()
        partial.transfer += time - response.firstByte
        partial.bits += Double(response.bytes) * 8
        if partial.firstByte.isNaN { partial.firstByte = response.firstByte }
        partial.media += duration
        partial.nextPart += 1
        self.partial = partial
        guard let (segment, rung) = wanted, rungs[rung].playlist != nil else { return }
        let whole = presentation.whole(segment, rendition: rung)
        // The last part's media is what the player lacks of the segment.
        if whole.map({ partial.media < $0.duration * 1000 - Self.partTolerance }) ?? true {
            player?.receive(duration, at: time)
            noteStartup(time)
        }
        advance(at: time)
    }

    mutating func complete(
        bits: Double, transfer: Double, firstByte: Double, bytes: Int, at time: Double
    ) {
        guard let (_, rung) = wanted else { return }
        let action = player?.completed(
            bits: bits, transferTime: transfer, timeToFirstByte: firstByte - log.requestedAt,
            elapsed: time - log.requestedAt, at: time)
        record(rung, firstByte: firstByte, transfer: transfer, bytes: bytes, size: bytes)
        wanted = nil
        act(action, at: time)
    }

    /// The segment that is under way at the end, of which parts may be there.
    mutating func recordCut(received: Int, total: Int?, firstByte: Double, at time: Double) {
        guard let (_, rung) = wanted else { return }
        let purpose = slots[.media].inFlight?.purpose
        let partial = partial ?? PartialSegment()
        guard purpose?.isMedia ?? false || partial.nextPart > 0 else { return }
        record(
            rung, firstByte: partial.firstByte.isNaN ? firstByte : partial.firstByte,
            transfer: partial.transfer + (firstByte.isNaN ? 0 : time - firstByte),
            bytes: Int(partial.bits / 8) + received, size: purpose == .segment ? total : nil,
            isCut: true)
        wanted = nil
    }

    mutating func record(
        _ rung: Int, firstByte: Double, transfer: Double, bytes: Int, size: Int?,
        abandonedFor: Int? = nil, isCut: Bool = false
    ) {
        guard let (segment, _) = wanted else { return }
        log.add(
            segment, rendition: rung,
            sequence: presentation.alignment.sequence(segment, rendition: rung), player,
            firstByte: firstByte, transfer: transfer, bytes: bytes, size: size,
            abandonedFor: abandonedFor, isCut: isCut)
    }
}
