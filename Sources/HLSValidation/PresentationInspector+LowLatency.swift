import HLS
import HTTPFetch
import HTTPWire
import NIOCore

extension PresentationInspector {
    /// Checks blocking reloads and delta updates (rfc8216bis, 6.2.5).
    mutating func checkLowLatency(_ index: Int) async {
        guard members[index].isLive, let control = members[index].reloads.playlist?.serverControl
        else { return }
        if control.canBlockReload {
            await checkTooFarAhead(index)
            await checkBlocking(index)
        }
        if control.canSkipUntil != nil { await checkSkip(index) }
    }

    private mutating func add(_ rule: ValidationRule, _ index: Int, _ message: String) {
        list.add([Violation(rule, at: members[index].location, message)])
    }

    private mutating func checkTooFarAhead(_ index: Int) async {
        guard let playlist = members[index].reloads.playlist else { return }
        let sequence = MediaPlaylist.sequenceText(playlist.nextSequence &+ 20)
        let url = URIReference.adding([("_HLS_msn", sequence)], to: members[index].base)
        do {
            let resource = try await source.load(url, timeout: min(timeout, .seconds(5)))
            guard resource.response.status != 400 else { return }
            add(
                .tooFarAhead, index,
                "_HLS_msn=\(sequence) is over two segments ahead of \(MediaPlaylist.sequenceText(playlist.nextSequence &- 1)) and is answered with \(resource.response.status) instead of 400"
            )
        } catch {
            guard !Task.isCancelled else { return }
            add(
                .tooFarAhead, index,
                "_HLS_msn=\(sequence) is over two segments ahead of \(MediaPlaylist.sequenceText(playlist.nextSequence &- 1)); it takes 400 at once, and \(error)"
            )
        }
    }

    /// Requests the playlist with the next segment or part: the response must contain it.
    private mutating func checkBlocking(_ index: Int) async {
        await load(index)
        guard let playlist = members[index].reloads.playlist, !playlist.hasEndList else { return }
        let sequence = playlist.nextSequence
        let part = playlist.partialSegment?.parts.count ?? 0
        var parameters = [("_HLS_msn", MediaPlaylist.sequenceText(sequence))]
        if playlist.partTarget != nil { parameters.append(("_HLS_part", "\(part)")) }
        let asked = parameters.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
        let url = URIReference.adding(parameters, to: members[index].base)
        do {
            // A server may claim a target duration of years.
            let limit = Duration.seconds(min(3 * playlist.targetDuration, 600) + 5)
            let resource = try await source.load(url, timeout: limit)
            guard resource.response.status == 200 else {
                throw FetchError("it is answered with \(resource.response.status)")
            }
            let (read, violations) = PlaylistValidator.check(
                String(buffer: resource.body), at: members[index].location,
                variables: variables(index))
            list.add(violations)
            guard case .media(let media) = read else { return }
            let has =
                media.hasEndList || media.nextSequence &- sequence > 0
                || (media.nextSequence == sequence && playlist.partTarget != nil
                    && (media.partialSegment?.parts.count ?? 0) > part)
            if !has {
                add(
                    .blockingAnsweredEarly, index,
                    "\(asked) is answered after \(Int((resource.seconds * 1000).rounded())) ms with a playlist that does not have it: CAN-BLOCK-RELOAD=YES means to wait, or players ask in a storm"
                )
            }
            take(media, nil, of: index)
        } catch {
            guard !Task.isCancelled else { return }
            add(.blockingFailed, index, "\(asked): \(error)")
        }
    }

    private mutating func checkSkip(_ index: Int) async {
        await load(index)
        guard let playlist = members[index].reloads.playlist, !playlist.hasEndList else { return }
        let url = URIReference.adding([("_HLS_skip", "YES")], to: members[index].base)
        do {
            let resource = try await source.load(url, timeout: timeout)
            guard resource.response.status == 200 else {
                throw FetchError("it is answered with \(resource.response.status)")
            }
            let (read, violations) = PlaylistValidator.check(
                String(buffer: resource.body), at: members[index].location,
                variables: variables(index))
            list.add(violations)
            guard case .media(let delta) = read else { return }
            guard let skipped = delta.skippedSegments else {
                if playlist.skippableSegments > 0 {
                    add(
                        .skipMissing, index,
                        "_HLS_skip=YES is answered with a whole playlist, although \(playlist.skippableSegments) segments lie beyond CAN-SKIP-UNTIL"
                    )
                }
                return
            }
            let merged: MediaPlaylist
            do {
                merged = try playlist.merging(delta: delta)
            } catch {
                add(
                    .skipCount, index,
                    "SKIPPED-SEGMENTS=\(skipped) does not fit the playlist read just before: \(error)"
                )
                return
            }
            if skipped > merged.skippableSegments {
                add(
                    .skipCount, index,
                    "SKIPPED-SEGMENTS is \(skipped), but only \(merged.skippableSegments) segments lie beyond CAN-SKIP-UNTIL"
                )
            }
            take(merged, nil, of: index)
        } catch {
            guard !Task.isCancelled else { return }
            add(.skipMissing, index, "_HLS_skip=YES: \(error)")
        }
    }
}
