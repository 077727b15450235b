import ABR
import HLS
import HTTPWire

/// Playlists: when they are loaded, and what they say.
extension HLSSessionStateMachine {
    /// The shortest time from the start of a load that brought news to the next (ms). A target
    /// duration is a rounded number: one of 0 stands for less than half a second, and is no leave to
    /// ask a server without end.
    static let shortestReloadInterval = 500.0

    static func schedule(renditions: Int) -> ReloadSchedule {
        ReloadSchedule(renditions: renditions, shortestInterval: shortestReloadInterval)
    }

    mutating func reload(at time: Double) {
        guard phase != .ended, slots[.playlist].isIdle else { return }
        let rendition = reloads.followed
        let rung = rungs[rendition]
        if rung.playlist?.hasEndList ?? false { return }
        let blocks = blocking(rendition)
        guard blocks || wholePlaylist == .isNext || reloads.mayStart(at: time, isLoading: false)
        else {
            return
        }
        var query: [(String, String)] = []
        if blocks, let playlist = rung.playlist {
            query.append(("_HLS_msn", MediaPlaylist.sequenceText(playlist.nextSequence)))
            if playlist.partTarget != nil {
                query.append(("_HLS_part", String(playlist.partialSegment?.parts.count ?? 0)))
            }
        }
        if let limit = rung.playlist?.serverControl?.canSkipUntil, wholePlaylist != .isNext,
            time - reloads.started(rendition) < limit * 500
        {
            query.append(("_HLS_skip", "YES"))
        }
        wholePlaylist = wholePlaylist == .isNext ? .loading : .notNeeded
        send(
            HLSRequest(
                purpose: .playlist(rung: rendition, isBlocking: blocks),
                url: rung.url.adding(query)), at: time)
    }

    /// Whether the next reload of a rendition's playlist waits at the server for news.
    func blocking(_ rendition: Int) -> Bool {
        guard spec.usesParts, let playlist = rungs[rendition].playlist, reloads.isNews(rendition)
        else { return false }
        return playlist.serverControl?.canBlockReload ?? false
    }

    /// Sets a viewer of one rendition to it. False where it is not offered: it may be yet.
    private mutating func findsRendition(_ request: HLSRequest, at time: Double) -> Bool {
        guard let name = spec.rendition else { return true }
        if let rung = rungs.firstIndex(where: { $0.name == name }) {
            algorithm = .fixed(rung: rung)
            return true
        }
        failures += 1
        if failures < Self.mostFailures {
            slots[request.slot].wait(request, until: time + 1000)
        } else {
            let names = rungs.map(\.name).joined(separator: ", ")
            end(
                "\(request.url) offers no rendition '\(name)' to this viewer, only \(names)",
                at: time)
        }
        return false
    }

    mutating func receivePlaylist(
        _ request: HLSRequest, _ response: HLSResponse, sentAt: Double, at time: Double
    ) {
        do {
            let text = String(decoding: response.body, as: UTF8.self)
            let read = try HLSPlaylistCache.shared.read(
                text, PlaylistVariables(imported: variables, query: response.url.parameters))
            counts.badLines += read.faults.count
            switch (request.purpose, read.playlist) {
            case (.entry, .multivariant(let playlist)):
                variables = playlist.variables
                rungs = HLSRung.all(
                    of: playlist, base: response.url, maximumHeight: spec.maximumHeight)
                guard !rungs.isEmpty else {
                    let why =
                        playlist.variants.isEmpty
                        ? read.faults.first.map { "\($0)" } ?? "it has no EXT-X-STREAM-INF"
                        : "none of its URIs is one of http or https"
                    return end(
                        "\(request.url) names no rendition that can be played: \(why)", at: time)
                }
                reloads = Self.schedule(renditions: rungs.count)
                guard findsRendition(request, at: time) else { return }
                if case .fixed(let rung) = algorithm {
                    reloads.follow(min(rung, rungs.count - 1))
                }
                reload(at: time)
            case (.entry, .media(let playlist)):
                let seconds = playlist.segments.isEmpty ? 0 : playlist.duration
                let bits = playlist.segments.reduce(0.0) {
                    $0 + $1.duration * Double($1.bitrateKilobits ?? 0)
                }
                rungs = [
                    HLSRung(
                        url: request.url, bitrate: max(1, bits / max(seconds, 1)),
                        isBitrateKnown: bits > 0, height: 0)
                ]
                reloads = Self.schedule(renditions: 1)
                reloads.start(0, at: sentAt)
                try take(playlist, rung: 0, url: response.url, at: time)
            case (.playlist(let rung, _), .media(let playlist)):
                playlistBytes = response.body.count
                try take(playlist, rung: rung, url: response.url, at: time)
            case (_, .multivariant):
                end("\(request.url) is a multivariant playlist, not a media playlist", at: time)
            default: break
            }
        } catch let error as PlaylistError
            where error.code == .cannotMerge && request.url.target.contains("_HLS_skip")
        {
            // A delta update of no use: the whole one is loaded at once, and only that one.
            wholePlaylist = .isNext
            reload(at: time)
        } catch {
            counts.broken += 1
            retry(request, afterTimeout: false, "\(request.url): \(error)", at: time)
        }
    }

    mutating func take(
        _ playlist: MediaPlaylist, rung: Int, url: HTTPURL, at time: Double
    ) throws {
        let old = rungs[rung].playlist
        var known = old ?? playlist
        if old == nil { (known.segments, known.skippedSegments) = ([], nil) }
        let whole = try known.merging(delta: playlist)
        let verdict = rungs[rung].history.judge(whole, atSeconds: time / 1000)
        let isOlder = verdict == .olderCopy || verdict == .doubtful
        if !isOlder { rungs[rung].playlist = whole }
        reloads.receive(
            rung, isNews: verdict == .news || verdict == .newStream,
            interval: rungs[rung].playlist?.targetMilliseconds ?? 0)
        guard !isOlder else { return keepOut(rung, at: time) }
        // Redirects are followed once: the next load goes to where the playlist is.
        let place = url.removing(parametersNamed: "_HLS_")
        if place != rungs[rung].url { rungs[rung].url = place }
        if let player {
            align(whole, rung: rung, old: old, duration: player.title.segmentDuration)
            follow(whole, rung: rung, at: time)
            if phase == .awaitingNews { tellNewest(at: time) }
            advance(at: time)
        } else {
            try begin(whole, rung: rung, at: time)
        }
        guard isLive, !whole.hasEndList else { return }
        if rung == reloads.followed, blocking(rung) {
            reloads.plan(at: time)
            // Not from within: the driver's next call does it, after what is wanted.
            if slots[.playlist].inFlight == nil { reload(at: time) }
        } else {
            reloads.planNext(after: rung, at: time)
        }
    }

    /// A playlist that is older than the one known is no news; it is asked for again soon.
    private mutating func keepOut(_ rung: Int, at time: Double) {
        counts.olderCopies += 1
        reloads.planNext(after: rung, at: time)
    }

    /// The first media playlist is there.
    mutating func begin(_ playlist: MediaPlaylist, rung: Int, at time: Double) throws {
        guard !playlist.segments.isEmpty else {
            // A live stream that has only just begun.
            isLive = !playlist.hasEndList
            guard isLive else { return end("the playlist has no segment", at: time) }
            reloads.receiveNothing(reloads.followed)
            return
        }
        isLive = !playlist.hasEndList
        alignment = HLSAlignment(
            renditions: rungs.count, baseSequence: playlist.mediaSequence)
        let duration = playlist.duration / Double(playlist.segments.count) * 1000
        let title = try Title(
            name: spec.url, segmentDuration: duration, bitrates: rungs.map(\.bitrate),
            segmentCount: isLive ? 1 : playlist.segments.count, heights: rungs.map(\.height))
        let parts = usesParts(playlist)
        let control = playlist.serverControl
        let held = parts ? control?.partHoldBack ?? control?.holdBack : control?.holdBack
        let target =
            spec.targetLatencyMilliseconds
            ?? (held ?? 3 * Double(playlist.targetDuration)) * 1000
        var configuration = spec.playerConfiguration(
            segmentDuration: duration, liveTarget: isLive ? target : nil)
        if isLive, parts, spec.startBufferMilliseconds == nil {
            configuration.startBuffer = min((playlist.partTarget ?? 0) * 1000 * 2, duration)
        }
        var player = try Player(
            title: title, configuration: configuration, algorithm: algorithm)
        align(playlist, rung: rung, old: nil, duration: duration)
        alignment.note(newest: newestSegment(playlist, rung: rung))
        playerStart = time
        let action = player.start(
            at: time,
            epoch: isLive ? epoch(playlist, rung: rung, duration: duration, at: time) : 0,
            latest: max(0, alignment.newest))
        self.player = player
        act(action, at: time)
    }

    private mutating func align(
        _ playlist: MediaPlaylist, rung: Int, old: MediaPlaylist?, duration: Double
    ) {
        if isLive, !playlist.segments.isEmpty {
            alignment.alignLive(playlist, rendition: rung, old: old, duration: duration)
        } else if !isLive, old == nil {
            alignment.alignTitle(playlist, rendition: rung)
        }
    }

    func usesParts(_ playlist: MediaPlaylist) -> Bool {
        spec.usesParts && playlist.partTarget != nil
            && playlist.serverControl?.canBlockReload ?? false
    }

    /// The newest segment that can be requested, if only by its first parts.
    func newestSegment(_ playlist: MediaPlaylist, rung: Int) -> Int {
        let whole = alignment.firstListed(playlist, rendition: rung) &+ playlist.segments.count &- 1
        let hasParts = usesParts(playlist) && !(playlist.partialSegment?.parts.isEmpty ?? true)
        return hasParts ? whole + 1 : whole
    }

    /// When media time 0 was at the encoder: by the playlist's dates, else by what it lists now.
    func epoch(
        _ playlist: MediaPlaylist, rung: Int, duration: Double, at time: Double
    ) -> Double {
        let count = playlist.segments.count
        let first = alignment.firstListed(playlist, rendition: rung)
        let parts = playlist.partialSegment?.parts.reduce(0) { $0 + $1.duration } ?? 0
        let latest = time - duration * Double(first &+ count) - parts * 1000
        guard
            let dated = playlist.segments.lastIndex(where: { $0.programDateTime != nil }),
            let date = playlist.segments[dated].programDateTime
        else { return latest }
        let shown = Double(date.millisecondsSince1970) - joinedAt
        // What is listed has been made, whatever the server's clock says.
        return min(shown - duration * Double(first &+ dated), latest)
    }

    /// News of a live playlist after the first.
    mutating func follow(_ playlist: MediaPlaylist, rung: Int, at time: Double) {
        guard isLive, let player, !playlist.segments.isEmpty else { return }
        alignment.note(newest: newestSegment(playlist, rung: rung))
        let epoch = epoch(
            playlist, rung: rung, duration: player.title.segmentDuration, at: time)
        let hasDates = playlist.segments.contains { $0.programDateTime != nil }
        let difference = epoch - player.epoch
        // Without dates what is listed shows only that the edge is no earlier than that.
        if hasDates ? abs(difference) > Self.epochTolerance : difference < 0 {
            self.player?.correct(epoch: epoch)
        }
    }

    mutating func tellNewest(at time: Double) {
        guard phase == .awaitingNews, let player else { return }
        if alignment.newest >= player.state.segment {
            phase = .playing
            act(self.player?.available(latest: alignment.newest, at: time), at: time)
        } else if rungs[reloads.followed].playlist?.hasEndList ?? false {
            // A live stream that has ended: what is buffered plays, then the viewer leaves.
            isLive = false
            end(nil, at: time)
        }
    }
}
