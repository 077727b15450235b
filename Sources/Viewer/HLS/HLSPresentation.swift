import HLS
import HTTPWire

/// State of a presentation in a viewer: its renditions, their playlists, and the times at which the
/// playlists are loaded again. It takes no decision that belongs to the player. Times are ms of the
/// session.
struct HLSPresentation {
    /// Whether a playlist is loaded whole because a delta update could not be used.
    private enum WholePlaylist {
        case notNeeded
        /// The next load fetches the whole playlist.
        case isNext
        /// The load that is under way, or the latest one, fetches the whole playlist.
        case loading
    }

    /// The next resource to fetch for a segment.
    enum Step {
        /// The playlist does not list the segment, or its next part, yet.
        case notListed
        /// The segment has left the playlist; the value is the oldest listed segment.
        case gone(oldest: Int)
        /// The rendition lacks the segment, or its next part (EXT-X-GAP).
        case gap
        case initialization(MediaPlaylist.InitializationSection)
        case segment(MediaPlaylist.Segment)
        case part(MediaPlaylist.Part)
        /// The segment is complete, and the playlist lists no further part of it.
        case partsEnd(MediaPlaylist.Segment)
    }

    /// Shortest time from the start of a load that brought news to the next load (ms). A target
    /// duration is a rounded number: 0 stands for less than half a second, and does not allow
    /// requests without a pause.
    static let shortestReloadInterval = 500.0

    /// Whether parts are fetched if a server offers them.
    private let fetchesParts: Bool
    private(set) var renditions: [HLSRendition] = []
    /// Values that the multivariant playlist defines for the media playlists (EXT-X-DEFINE).
    private(set) var variables: [String: String] = [:]
    /// Relation of the renditions' segment numbers to the player's.
    private(set) var alignment = HLSAlignment(renditionCount: 0, baseSequence: 0)
    /// Schedule of the reloads of the renditions' playlists.
    var reloads = Self.schedule(renditionCount: 0)
    var isLive = false
    private var wholePlaylist = WholePlaylist.notNeeded

    init(fetchesParts: Bool) { self.fetchesParts = fetchesParts }

    private static func schedule(renditionCount: Int) -> ReloadSchedule {
        ReloadSchedule(renditionCount: renditionCount, shortestInterval: shortestReloadInterval)
    }

    // MARK: What was loaded

    /// Takes the multivariant playlist, which may list no rendition that can be played.
    mutating func receive(
        _ playlist: MultivariantPlaylist, from url: HTTPURL, maximumHeight: Int?
    ) {
        variables = playlist.variables
        renditions = HLSRendition.all(of: playlist, base: url, maximumHeight: maximumHeight)
        reloads = Self.schedule(renditionCount: renditions.count)
    }

    /// Takes a media playlist that came instead of a multivariant one: it is the only rendition.
    mutating func receive(only playlist: MediaPlaylist, from url: HTTPURL, sentAt: Double) {
        let seconds = playlist.segments.isEmpty ? 0 : playlist.duration
        let bits = playlist.segments.reduce(0.0) {
            $0 + $1.duration * Double($1.bitrateKilobits ?? 0)
        }
        renditions = [
            HLSRendition(
                url: url, bitrate: max(1, bits / max(seconds, 1)), isBitrateKnown: bits > 0,
                height: 0)
        ]
        reloads = Self.schedule(renditionCount: 1)
        reloads.start(0, at: sentAt)
    }

    /// Takes a rendition's media playlist, or an update of it.
    /// - Parameter url: URL of the playlist, after redirects.
    /// - Returns: the whole playlist, and the previous one; nil if the playlist is older than the
    ///   previous one.
    /// - Throws: `PlaylistError` if an update cannot be merged.
    mutating func receive(
        _ playlist: MediaPlaylist, rendition: Int, from url: HTTPURL, at time: Double
    ) throws -> (whole: MediaPlaylist, old: MediaPlaylist?)? {
        let old = renditions[rendition].playlist
        var known = old ?? playlist
        if old == nil { (known.segments, known.skippedSegments) = ([], nil) }
        let whole = try known.merging(delta: playlist)
        let verdict = renditions[rendition].history.judge(whole, atSeconds: time / 1000)
        let isOlder = verdict == .olderCopy || verdict == .doubtful
        if !isOlder { renditions[rendition].playlist = whole }
        reloads.receive(
            rendition, isNews: verdict == .news || verdict == .newStream,
            interval: renditions[rendition].playlist?.targetMilliseconds ?? 0)
        guard !isOlder else { return nil }
        // Redirects are followed once: the next load goes to the final URL.
        let place = url.removing(parametersNamed: "_HLS_")
        if place != renditions[rendition].url { renditions[rendition].url = place }
        return (whole, old)
    }

    /// Begins playing with a playlist that lists a segment.
    /// - Parameter duration: duration of a segment, ms.
    mutating func begin(with playlist: MediaPlaylist, rendition: Int, duration: Double) {
        alignment = HLSAlignment(
            renditionCount: renditions.count, baseSequence: playlist.mediaSequence)
        align(playlist, rendition: rendition, old: nil, duration: duration)
        noteNewest(playlist, rendition: rendition)
    }

    mutating func align(
        _ playlist: MediaPlaylist, rendition: Int, old: MediaPlaylist?, duration: Double
    ) {
        if isLive, !playlist.segments.isEmpty {
            alignment.alignLive(playlist, rendition: rendition, old: old, duration: duration)
        } else if !isLive, old == nil {
            alignment.alignTitle(playlist, rendition: rendition)
        }
    }

    /// Notes the newest segment that can be requested, possibly only by its first parts.
    mutating func noteNewest(_ playlist: MediaPlaylist, rendition: Int) {
        let whole =
            alignment.firstListed(playlist, rendition: rendition) &+ playlist.segments.count &- 1
        let hasParts = usesParts(playlist) && !(playlist.partialSegment?.parts.isEmpty ?? true)
        alignment.note(newest: hasParts ? whole + 1 : whole)
    }

    /// Notes that the initialization section of the wanted segment has been fetched.
    mutating func receiveInitialization(for segment: Int, rendition: Int) {
        renditions[rendition].initialization = map(for: segment, rendition: rendition)
    }

    /// Returns a rendition's playlist to its first URL, because a redirect may have been temporary
    /// (RFC 9110, 15.4.3). Returns false if the URL is the first one already.
    mutating func returnToSource(_ rendition: Int, _ edges: HLSEdges) -> Bool {
        guard let source = renditions[rendition].source,
            edges.atPresentEdge(source) != edges.atPresentEdge(renditions[rendition].url)
        else { return false }
        renditions[rendition].url = source
        return true
    }

    // MARK: Reloads

    /// Makes the next load fetch the whole playlist, because a delta update could not be used.
    mutating func loadWholeNext() { wholePlaylist = .isNext }

    var isLoadingWhole: Bool { wholePlaylist == .loading }

    /// Notes that a load of a rendition's playlist starts.
    /// - Parameter isFree: whether the viewer could have started the load later: the server does
    ///   not hold it back, and the load does not repeat a failed one.
    /// - Returns: the time since the start of the previous load, as a share of the smallest allowed
    ///   time; nil if nothing limits it.
    mutating func startReload(_ rendition: Int, isFree: Bool, at time: Double) -> Double? {
        defer { reloads.start(rendition, at: time) }
        let interval = reloads.interval(rendition)
        guard isFree, !isLoadingWhole, interval > 0,
            reloads.started(rendition) > -.infinity
        else { return nil }
        return (time - reloads.started(rendition)) / interval
    }

    /// Returns the request for the followed rendition's playlist, if it may be loaded now.
    mutating func reloadRequest(at time: Double) -> HLSPlayerRequest? {
        let rendition = reloads.followed
        let known = renditions[rendition]
        if known.playlist?.hasEndList ?? false { return nil }
        let blocks = blocks(rendition)
        guard blocks || wholePlaylist == .isNext || reloads.mayStart(at: time, isLoading: false)
        else { return nil }
        var query: [(String, String)] = []
        if blocks, let playlist = known.playlist {
            query.append(("_HLS_msn", MediaPlaylist.sequenceText(playlist.nextSequence)))
            if playlist.partTarget != nil {
                query.append(("_HLS_part", String(playlist.partialSegment?.parts.count ?? 0)))
            }
        }
        if let limit = known.playlist?.serverControl?.canSkipUntil, wholePlaylist != .isNext,
            time - reloads.started(rendition) < limit * 500
        {
            query.append(("_HLS_skip", "YES"))
        }
        wholePlaylist = wholePlaylist == .isNext ? .loading : .notNeeded
        return HLSPlayerRequest(
            purpose: .playlist(rendition: rendition, isBlocking: blocks),
            url: known.url.adding(query))
    }

    /// Plans the load that follows a load of `rendition` that brought `playlist`.
    /// - Returns: whether the next load may start at once, because the server holds it back until
    ///   there is news.
    mutating func planReload(
        after playlist: MediaPlaylist, rendition: Int, at time: Double
    ) -> Bool {
        guard isLive, !playlist.hasEndList else { return false }
        guard rendition == reloads.followed, blocks(rendition) else {
            reloads.planNext(after: rendition, at: time)
            return false
        }
        reloads.plan(at: time)
        return true
    }

    /// Whether the server holds back the next reload of a rendition's playlist until there is news.
    private func blocks(_ rendition: Int) -> Bool {
        guard fetchesParts, let playlist = renditions[rendition].playlist, reloads.isNews(rendition)
        else { return false }
        return playlist.serverControl?.canBlockReload ?? false
    }

    // MARK: What is listed

    func usesParts(_ playlist: MediaPlaylist) -> Bool {
        fetchesParts && playlist.partTarget != nil
            && playlist.serverControl?.canBlockReload ?? false
    }

    /// Whether the followed rendition's playlist states that it will not grow (EXT-X-ENDLIST).
    var hasEnded: Bool { renditions[reloads.followed].playlist?.hasEndList ?? false }

    /// Returns a segment that a rendition's playlist lists as a whole.
    func whole(_ segment: Int, rendition: Int) -> MediaPlaylist.Segment? {
        guard let playlist = renditions[rendition].playlist else { return nil }
        let place = segment &- alignment.firstListed(playlist, rendition: rendition)
        return playlist.segments.indices.contains(place) ? playlist.segments[place] : nil
    }

    private func map(
        for segment: Int, rendition: Int
    ) -> MediaPlaylist.InitializationSection? {
        if let whole = whole(segment, rendition: rendition) { return whole.map }
        return renditions[rendition].playlist?.partialSegment?.map
    }

    /// - Parameter partial: the fetched parts of the segment; nil if it is not fetched by parts
    ///   yet.
    func step(_ segment: Int, rendition: Int, after partial: PartialSegment?) -> Step {
        guard let playlist = renditions[rendition].playlist else { return .notListed }
        let oldest = alignment.firstListed(playlist, rendition: rendition)
        let place = segment &- oldest
        guard place >= 0 else { return .gone(oldest: oldest) }
        let whole = whole(segment, rendition: rendition)
        let isCurrent = place == playlist.segments.count
        let nextPart = partial?.nextPart ?? 0
        let parts = whole?.parts ?? (isCurrent ? playlist.partialSegment?.parts : nil) ?? []
        guard whole != nil || (usesParts(playlist) && !parts.isEmpty) else { return .notListed }
        if whole?.isGap ?? playlist.partialSegment?.isGap ?? false
            || (parts.indices.contains(nextPart) && parts[nextPart].isGap
                && (partial != nil || whole == nil))
        {
            return .gap
        }
        let map = map(for: segment, rendition: rendition)
        if let map, renditions[rendition].initialization != map { return .initialization(map) }
        if let whole, partial == nil { return .segment(whole) }
        if nextPart < parts.count { return .part(parts[nextPart]) }
        return whole.map { .partsEnd($0) } ?? .notListed
    }

    /// Time at which media time 0 was at the encoder: by the playlist's dates, otherwise by what it
    /// lists now.
    /// - Parameters:
    ///   - duration: duration of a segment, ms.
    ///   - joinedAt: real time of the session's time 0, ms since 1970.
    func epoch(
        _ playlist: MediaPlaylist, rendition: Int, duration: Double, joinedAt: Double,
        at time: Double
    ) -> Double {
        let count = playlist.segments.count
        let first = alignment.firstListed(playlist, rendition: rendition)
        let parts = playlist.partialSegment?.parts.reduce(0) { $0 + $1.duration } ?? 0
        let latest = time - duration * Double(first &+ count) - parts * 1000
        guard
            let dated = playlist.segments.lastIndex(where: { $0.programDateTime != nil }),
            let date = playlist.segments[dated].programDateTime
        else { return latest }
        let shown = Double(date.millisecondsSince1970) - joinedAt
        // Listed segments have been made already, whatever the server's clock shows.
        return min(shown - duration * Double(first &+ dated), latest)
    }
}
