import HLS
import HTTPFetch
import NIOCore

extension PresentationInspector {
    /// Fetches and inspects segments that were not listed before.
    mutating func fetchSegments() async {
        guard options.segmentLimit > 0 else { return }
        for index in members.indices {
            guard let playlist = members[index].reloads.playlist else { continue }
            for (offset, segment) in playlist.segments.enumerated() {
                let sequence = playlist.firstListedSequence &+ offset
                guard members[index].handled.count < options.segmentLimit else { break }
                guard !segment.isGap, members[index].handled.insert(sequence).inserted else {
                    continue
                }
                if Task.isCancelled { return }
                await fetch(segment, sequence, playlist, of: index)
            }
        }
    }

    private mutating func fetch(
        _ segment: MediaPlaylist.Segment, _ sequence: Int, _ playlist: MediaPlaylist,
        of index: Int
    ) async {
        let location = members[index].location
        let place = "\(location) segment \(MediaPlaylist.sequenceText(sequence))"
        let tracks = await initialization(segment.map, of: index)
        let url = source.reference(segment.uri, against: members[index].base)
        let resource: FetchedResource
        do {
            resource = try await source.load(
                url, range: segment.byteRange?.bytes, timeout: timeout)
        } catch {
            guard !Task.isCancelled else { return }
            list.add([
                error.isOwnLimit
                    ? Violation(.notLookedInto, at: location, "\(error)")
                    : Violation(.segmentUnfetchable, at: place, "\(error)")
            ])
            return
        }
        guard (200...206).contains(resource.response.status) else {
            list.add([
                Violation(
                    .segmentUnfetchable, at: place,
                    "\(url) is in the playlist and answers \(resource.response.status)")
            ])
            return
        }
        segments += 1
        if source.isHTTP, members[index].checkedResponses < 1 {
            members[index].checkedResponses += 1
            list.add(
                ResponseValidator.segment(
                    resource.response, targetDuration: playlist.targetDuration))
        }
        var fact = InspectedPlaylist.Fact(
            duration: segment.duration, bytes: resource.body.readableBytes)
        if segment.key?.isInForce ?? false {
            list.noteEncryption(segment.key, location)
        } else {
            let inspection = resource.body.withUnsafeReadableBytes {
                SegmentInspection.inspect($0, tracks: tracks)
            }
            fact.startSeconds = inspection.startSeconds
            list.add(
                inspection.violations(
                    promisesIndependence: playlist.hasIndependentSegments
                        || (root?.hasIndependentSegments ?? false),
                    hasMap: segment.map != nil, at: place))
        }
        members[index].facts[sequence] = fact
    }

    private mutating func initialization(
        _ section: MediaPlaylist.InitializationSection?, of index: Int
    ) async -> InitializationTracks? {
        guard let section else { return nil }
        if let known = members[index].tracks[section] { return known }
        let location = members[index].location
        let url = source.reference(section.uri, against: members[index].base)
        var tracks: InitializationTracks?
        do {
            let resource = try await source.load(
                url, range: section.byteRange?.bytes, timeout: timeout)
            guard (200...206).contains(resource.response.status) else {
                throw FetchError("\(url) answers \(resource.response.status)")
            }
            tracks = resource.body.withUnsafeReadableBytes { InitializationTracks($0) }
            // The initialization section of a transport stream is its PAT and PMT.
            let isTransportStream = resource.body.readableBytesView.first == 0x47
            if section.key != nil {
                list.noteEncryption(section.key, location)
            } else if tracks == nil, !isTransportStream {
                list.add([
                    Violation(
                        .initInvalid, at: location,
                        "\(url) of EXT-X-MAP holds no 'moov' box with a track")
                ])
            }
        } catch {
            guard !Task.isCancelled else { return nil }
            let isOwn = (error as? FetchError)?.isOwnLimit ?? false
            list.add([
                Violation(
                    isOwn ? .notLookedInto : .initUnfetchable, at: location, "EXT-X-MAP: \(error)")
            ])
        }
        // A playlist has a few sections; of a playlist that names thousands, only the first ones
        // are kept.
        if members[index].tracks.count < 256 { members[index].tracks[section] = .some(tracks) }
        return tracks
    }
}

extension ViolationList {
    /// Notes that an encrypted segment cannot be inspected; each playlist gets this note once.
    fileprivate mutating func noteEncryption(
        _ key: MediaPlaylist.EncryptionKey?, _ location: String
    ) {
        add([
            Violation(
                .encrypted, at: location,
                "EXT-X-KEY says METHOD=\(key?.method ?? ""): what is encrypted is fetched, and not looked into"
            )
        ])
    }
}
