import ABR
import HLS
import HTTPWire

/// Loading and processing of playlists.
extension HLSSessionStateMachine {
    mutating func reload(at time: Double) {
        guard phase != .ended, requests[.playlist].isIdle,
            let request = presentation.reloadRequest(at: time)
        else { return }
        send(request, at: time)
    }

    /// Limits a viewer of one rendition to that rendition. Returns false if the rendition is not
    /// offered; it may be offered later.
    private mutating func findsRendition(_ request: HLSPlayerRequest, at time: Double) -> Bool {
        guard let name = spec.rendition else { return true }
        if let rendition = renditions.firstIndex(where: { $0.name == name }) {
            stay(on: rendition)
            return true
        }
        guard !requests.waitForRendition(request, at: time) else { return false }
        let names = renditions.map(\.name).joined(separator: ", ")
        end("\(request.url) offers no rendition '\(name)' to this viewer, only \(names)", at: time)
        return false
    }

    mutating func receivePlaylist(
        _ request: HLSPlayerRequest, _ response: HLSPlayerResponse, sentAt: Double, at time: Double
    ) {
        do {
            let (news, badLines) = try presentation.read(
                response, to: request, sentAt: sentAt, maximumHeight: spec.maximumHeight)
            requests.counts.badLines += badLines
            switch news {
            case .renditions?:
                guard findsRendition(request, at: time) else { return }
                if case .fixed(let rendition) = algorithm {
                    presentation.reloads.follow(min(rendition, renditions.count - 1))
                }
                reload(at: time)
            case .media(let playlist, let rendition)?:
                sizes.note(response, to: request.purpose)
                try take(playlist, rendition: rendition, url: response.url, at: time)
            case .unusable(let reason)?: end(reason, at: time)
            case nil: break
            }
        } catch let error as PlaylistError
            where error.code == .cannotMerge && request.url.target.contains("_HLS_skip")
        {
            // The delta update cannot be used: the whole playlist is loaded at once, and only once.
            presentation.loadWholeNext()
            reload(at: time)
        } catch {
            let fault = HLSFetchFault.broken("\(request.url): \(error)")
            goOn(request, requests.fail(request, fault, at: time), at: time)
        }
    }

    private mutating func take(
        _ playlist: MediaPlaylist, rendition: Int, url: HTTPURL, at time: Double
    ) throws {
        guard
            let (whole, old) = try presentation.receive(
                playlist, rendition: rendition, from: url, at: time)
        else {
            // A playlist that is older than the known one brings no news; it is requested again
            // soon.
            requests.counts.olderCopies += 1
            return presentation.reloads.planNext(after: rendition, at: time)
        }
        if let duration = playback.player?.title.segmentDuration {
            presentation.align(whole, rendition: rendition, old: old, duration: duration)
            playback.follow(
                whole, rendition: rendition, of: &presentation, joinedAt: joinedAt, at: time)
            if phase == .awaitingNews { tellNewest(at: time) }
            advance(at: time)
        } else {
            try begin(whole, rendition: rendition, at: time)
        }
        // The driver's next call sends the request, after the requests for wanted segments.
        if presentation.planReload(after: whole, rendition: rendition, at: time),
            requests[.playlist].inFlight == nil
        {
            reload(at: time)
        }
    }

    /// Begins playing with the first media playlist.
    private mutating func begin(_ playlist: MediaPlaylist, rendition: Int, at time: Double) throws {
        presentation.isLive = !playlist.hasEndList
        guard !playlist.segments.isEmpty else {
            // An empty live playlist belongs to a stream that has only just begun.
            guard isLive else { return end("the playlist has no segment", at: time) }
            presentation.reloads.receiveNothing(presentation.reloads.followed)
            return
        }
        let action = try playback.begin(
            with: playlist, rendition: rendition, of: &presentation, spec, algorithm,
            joinedAt: joinedAt, at: time)
        act(action, at: time)
    }
}
