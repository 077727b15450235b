import ABR
import HLS
import HTTPWire

/// Playlists: when they are loaded, and what they say.
extension HLSSessionStateMachine {
    mutating func reload(at time: Double) {
        guard phase != .ended, slots[.playlist].isIdle,
            let request = presentation.reloadRequest(at: time)
        else { return }
        send(request, at: time)
    }

    /// Sets a viewer of one rendition to it. False where it is not offered: it may be yet.
    private mutating func findsRendition(_ request: HLSPlayerRequest, at time: Double) -> Bool {
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
        _ request: HLSPlayerRequest, _ response: HLSPlayerResponse, sentAt: Double, at time: Double
    ) {
        do {
            let text = String(decoding: response.body, as: UTF8.self)
            let read = try HLSPlaylistCache.shared.read(
                text,
                PlaylistVariables(imported: presentation.variables, query: response.url.parameters))
            counts.badLines += read.faults.count
            switch (request.purpose, read.playlist) {
            case (.entry, .multivariant(let playlist)):
                presentation.receive(
                    playlist, from: response.url, maximumHeight: spec.maximumHeight)
                guard !rungs.isEmpty else {
                    let why =
                        playlist.variants.isEmpty
                        ? read.faults.first.map { "\($0)" } ?? "it has no EXT-X-STREAM-INF"
                        : "none of its URIs is one of http or https"
                    return end(
                        "\(request.url) names no rendition that can be played: \(why)", at: time)
                }
                guard findsRendition(request, at: time) else { return }
                if case .fixed(let rung) = algorithm {
                    presentation.reloads.follow(min(rung, rungs.count - 1))
                }
                reload(at: time)
            case (.entry, .media(let playlist)):
                presentation.receive(only: playlist, from: request.url, sentAt: sentAt)
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
            presentation.loadWholeNext()
            reload(at: time)
        } catch {
            counts.broken += 1
            retry(request, afterTimeout: false, "\(request.url): \(error)", at: time)
        }
    }

    mutating func take(
        _ playlist: MediaPlaylist, rung: Int, url: HTTPURL, at time: Double
    ) throws {
        guard
            let (whole, old) = try presentation.receive(
                playlist, rendition: rung, from: url, at: time)
        else {
            // One that is older than what is known is no news; it is asked for again soon.
            counts.olderCopies += 1
            return presentation.reloads.planNext(after: rung, at: time)
        }
        if let player {
            presentation.align(
                whole, rendition: rung, old: old, duration: player.title.segmentDuration)
            follow(whole, rung: rung, at: time)
            if phase == .awaitingNews { tellNewest(at: time) }
            advance(at: time)
        } else {
            try begin(whole, rung: rung, at: time)
        }
        // The driver's next call sends it, after what is wanted.
        if presentation.planReload(after: whole, rendition: rung, at: time),
            slots[.playlist].inFlight == nil
        {
            reload(at: time)
        }
    }

    /// The first media playlist is there.
    mutating func begin(_ playlist: MediaPlaylist, rung: Int, at time: Double) throws {
        guard !playlist.segments.isEmpty else {
            // A live stream that has only just begun.
            presentation.isLive = !playlist.hasEndList
            guard isLive else { return end("the playlist has no segment", at: time) }
            presentation.reloads.receiveNothing(presentation.reloads.followed)
            return
        }
        presentation.isLive = !playlist.hasEndList
        let duration = playlist.duration / Double(playlist.segments.count) * 1000
        let title = try Title(
            name: spec.url, segmentDuration: duration, bitrates: rungs.map(\.bitrate),
            segmentCount: isLive ? 1 : playlist.segments.count, heights: rungs.map(\.height))
        let parts = presentation.usesParts(playlist)
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
        presentation.begin(with: playlist, rendition: rung, duration: duration)
        playerStart = time
        let action = player.start(
            at: time,
            epoch: isLive ? epoch(playlist, rung: rung, duration: duration, at: time) : 0,
            latest: max(0, presentation.alignment.newest))
        self.player = player
        act(action, at: time)
    }

    private func epoch(
        _ playlist: MediaPlaylist, rung: Int, duration: Double, at time: Double
    ) -> Double {
        presentation.epoch(
            playlist, rendition: rung, duration: duration, joinedAt: joinedAt, at: time)
    }

    /// News of a live playlist after the first.
    mutating func follow(_ playlist: MediaPlaylist, rung: Int, at time: Double) {
        guard isLive, let player, !playlist.segments.isEmpty else { return }
        presentation.noteNewest(playlist, rendition: rung)
        let epoch = epoch(
            playlist, rung: rung, duration: player.title.segmentDuration, at: time)
        let hasDates = playlist.segments.contains { $0.programDateTime != nil }
        let difference = epoch - player.epoch
        // Without dates what is listed shows only that the live edge is no earlier than that.
        if hasDates ? abs(difference) > Self.epochTolerance : difference < 0 {
            self.player?.correct(epoch: epoch)
        }
    }

    mutating func tellNewest(at time: Double) {
        guard phase == .awaitingNews, let player else { return }
        if presentation.alignment.newest >= player.state.segment {
            phase = .playing
            act(self.player?.available(latest: presentation.alignment.newest, at: time), at: time)
        } else if presentation.hasEnded {
            // A live stream that has ended: what is buffered plays, then the viewer leaves.
            presentation.isLive = false
            end(nil, at: time)
        }
    }
}
