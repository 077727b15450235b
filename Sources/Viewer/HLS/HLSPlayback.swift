import ABR
import HLS

/// The parts of a segment that have been fetched so far. Times are in ms.
struct PartialSegment {
    /// Number of fetched parts, which is the index of the next one.
    var nextPart = 0
    /// Whether the player's next request continues the segment.
    var isKept = false
    /// Sum of the parts' times from first byte to last.
    var transfer = 0.0
    var bits = 0.0
    /// Sum of the parts' durations.
    var media = 0.0
    /// Time of the first byte of the first part; NaN before it.
    var firstByte = Double.nan

    /// Time by which a segment may be longer than its parts together: half a frame at 10 frames per
    /// second.
    private static let tolerance = 50.0

    /// Whether media of the whole segment is missing.
    func lacksMedia(of whole: MediaPlaylist.Segment) -> Bool {
        media < whole.duration * 1000 - Self.tolerance
    }
}

/// The player of a session, the segment that the player wants, and the fetched parts of that
/// segment. The player's actions are returned to the session, which performs them. Times are ms of
/// the session.
struct HLSPlayback {
    /// The player; nil before the first media playlist has arrived.
    private(set) var player: Player?
    /// The segment that the player wants, and its rendition.
    private(set) var wanted: (segment: Int, rendition: Int)?
    /// The fetched parts of the wanted segment, if it is fetched by parts.
    private(set) var partial: PartialSegment?
    /// A segment that renditions lack (EXT-X-GAP), and the renditions that lack it.
    private var gap: (segment: Int, renditions: Set<Int>) = (-1, [])
    private var log: HLSSegmentLog
    /// Time at which the player is asked next whether to give up the download; infinity if the
    /// player is not asked.
    private(set) var nextJudgement = Double.infinity
    /// Time at which the player began.
    private(set) var startedAt = 0.0
    /// Time from the join until playing began; nil before playing has begun.
    private(set) var startup: Double?

    /// Largest difference in ms between the live edge and the player's idea of it. The player is
    /// corrected if the difference is larger.
    private static let epochTolerance = 20.0

    init(recordLimit: Int) { log = HLSSegmentLog(limit: recordLimit) }

    var isPlaying: Bool { player?.isPlaying ?? false }
    var records: [HLSSegmentRecord] { log.records }
    /// Time for which the buffered media lasts; nil if none is buffered.
    var rest: Double? {
        // A lower level is a rounding error of sums and needs no wait.
        guard let player, player.bufferLevel > 1e-3 else { return nil }
        return player.bufferLevel / player.playbackRate
    }

    // MARK: Playing

    mutating func begin(
        _ player: Player, at time: Double, epoch: Double, latest: Int
    ) -> Player.Action {
        var player = player
        startedAt = time
        let action = player.start(at: time, epoch: epoch, latest: latest)
        self.player = player
        return action
    }

    mutating func noteStartup(_ time: Double) {
        if startup == nil, isPlaying { startup = time }
    }

    /// Called at the time until which the player waits.
    mutating func timer(at time: Double) -> Player.Action? { player?.timer(at: time) }

    /// Notes that the playlists list segments up to `latest`.
    mutating func available(latest: Int, at time: Double) -> Player.Action? {
        player?.available(latest: latest, at: time)
    }

    /// Notes when media time 0 was at the encoder, as a live playlist shows it.
    /// - Parameter isDated: whether the playlist shows the time by dates. A playlist without dates
    ///   shows only that the live edge is no earlier than the listed segments.
    mutating func learn(epoch: Double, isDated: Bool) {
        guard let difference = player.map({ epoch - $0.epoch }) else { return }
        if isDated ? abs(difference) > Self.epochTolerance : difference < 0 {
            player?.correct(epoch: epoch)
        }
    }

    mutating func stop(at time: Double) { player?.stop(at: time) }

    // MARK: Requests

    /// Returns whether the next request continues the fetched parts. This holds for one request
    /// only.
    mutating func takeKeepsParts() -> Bool {
        let keepsParts = partial?.isKept ?? false
        partial?.isKept = false
        return keepsParts
    }

    /// Notes the segment that the player has decided on.
    mutating func want(_ segment: Int, _ rendition: Int, keepsParts: Bool, at time: Double) {
        wanted = (segment, rendition)
        if !keepsParts { partial = nil }
        log.decided(player, at: time)
    }

    /// Notes that a request of the session was sent.
    mutating func requested(_ purpose: HLSPlayerRequest.Purpose, isRetry: Bool, at time: Double) {
        if purpose == .segment, let player, player.checksAbandonment {
            nextJudgement = time + player.firstJudgement
        }
        // A segment's time begins here: playlists that were fetched for it before do not count.
        if purpose.isMedia, !isRetry, partial?.nextPart ?? 0 == 0 { log.requested(at: time) }
    }

    /// Ends judging, because the download has ended.
    mutating func endJudgement() { nextJudgement = .infinity }

    /// Notes that the wanted media cannot be fetched. Parts that were fetched are kept.
    mutating func fail(at time: Double) -> Player.Action? {
        wanted = nil
        partial?.isKept = true
        return player?.failed(at: time)
    }

    /// Notes that the wanted segment has left the playlist: a live player continues at a later
    /// segment.
    /// - Parameters:
    ///   - oldest: the first segment that is listed.
    ///   - newest: the last segment that any playlist listed.
    /// - Returns: nil if the player does not play a live stream.
    mutating func leaveBehind(oldest: Int, newest: Int, at time: Double) -> Player.Action? {
        guard let player, let live = player.configuration.live else { return nil }
        let duration = player.title.segmentDuration
        let behind = (time - player.epoch - live.targetLatency) / duration
        let edge = Int(max(-1e9, min(behind, 1e9)))
        wanted = nil
        return self.player?.jump(to: max(oldest, min(edge, max(newest, oldest))), at: time)
    }

    // MARK: Downloads

    /// Asks the player whether to give up the segment that is under way.
    /// - Parameter sentAt: time at which the segment was requested; nil if no segment is under way.
    /// - Returns: nil if the download continues.
    mutating func judge(
        sentAt: Double?, received: Int, total: Int?, firstByte: Double, _ alignment: HLSAlignment,
        at time: Double
    ) -> Player.Action? {
        nextJudgement = .infinity
        guard let sentAt, let (segment, rendition) = wanted, player?.checksAbandonment ?? false
        else { return nil }
        // A small amount is added before rounding, so that an interval that ends at `time` counts
        // as passed.
        let passed = ((time - sentAt) / Player.judgementInterval + 1e-3).rounded(.down)
        let later = sentAt + (passed + 1) * Player.judgementInterval
        guard let total else {
            nextJudgement = later
            return nil
        }
        let progress = DownloadProgress(
            segment: segment, rendition: rendition, size: Double(total) * 8,
            downloaded: Double(received) * 8, elapsed: time - sentAt,
            timeToFirstByte: firstByte - sentAt)
        guard let lower = player?.progress(progress, at: time) else {
            // Judgements that cannot give up the download are left out: each would read the socket.
            nextJudgement = max(later, sentAt + (player?.nextJudgement(after: progress) ?? 0))
            return nil
        }
        record(
            segment, rendition, alignment, firstByte: firstByte, transfer: time - firstByte,
            bytes: received, size: total, abandonedFor: lower)
        wanted = nil
        return player?.abandoned(progress, for: lower, at: time)
    }

    /// Notes that the whole wanted segment has been fetched.
    mutating func complete(
        bits: Double, transfer: Double, firstByte: Double, bytes: Int, _ alignment: HLSAlignment,
        at time: Double
    ) -> Player.Action? {
        guard let (segment, rendition) = wanted else { return nil }
        let action = player?.completed(
            bits: bits, transferTime: transfer, timeToFirstByte: firstByte - log.requestedAt,
            elapsed: time - log.requestedAt, at: time)
        record(
            segment, rendition, alignment, firstByte: firstByte, transfer: transfer, bytes: bytes,
            size: bytes)
        wanted = nil
        return action
    }

    /// Records the segment that is under way when the viewer leaves; parts of it may have been
    /// fetched.
    /// - Parameter purpose: purpose of the media slot's request; nil without a request.
    mutating func recordCut(
        _ purpose: HLSPlayerRequest.Purpose?, received: Int, total: Int?, firstByte: Double,
        _ alignment: HLSAlignment, at time: Double
    ) {
        guard let (segment, rendition) = wanted else { return }
        let partial = partial ?? PartialSegment()
        guard purpose?.isMedia ?? false || partial.nextPart > 0 else { return }
        record(
            segment, rendition, alignment,
            firstByte: partial.firstByte.isNaN ? firstByte : partial.firstByte,
            transfer: partial.transfer + (firstByte.isNaN ? 0 : time - firstByte),
            bytes: Int(partial.bits / 8) + received, size: purpose == .segment ? total : nil,
            isCut: true)
        wanted = nil
    }

    private mutating func record(
        _ segment: Int, _ rendition: Int, _ alignment: HLSAlignment, firstByte: Double,
        transfer: Double, bytes: Int, size: Int?, abandonedFor: Int? = nil, isCut: Bool = false
    ) {
        log.add(
            segment, rendition: rendition,
            sequence: alignment.sequence(segment, rendition: rendition),
            player, firstByte: firstByte, transfer: transfer, bytes: bytes, size: size,
            abandonedFor: abandonedFor, isCut: isCut)
    }
}

/// Parts, and segments that renditions lack.
extension HLSPlayback {
    /// Begins to fetch the wanted segment by parts.
    mutating func beginParts() {
        if partial == nil { partial = PartialSegment() }
    }

    /// Notes that a part of the wanted segment has been fetched.
    mutating func add(part duration: Double, _ response: HLSPlayerResponse) {
        var partial = partial ?? PartialSegment()
        partial.transfer += response.lastByte - response.firstByte
        partial.bits += Double(response.bytes) * 8
        if partial.firstByte.isNaN { partial.firstByte = response.firstByte }
        partial.media += duration
        partial.nextPart += 1
        self.partial = partial
    }

    /// Gives the player the media of a part, unless the part is the last one: its media is the rest
    /// that the player lacks of the segment.
    /// - Parameter whole: the wanted segment, once it is listed as a whole.
    mutating func play(
        part duration: Double, of whole: MediaPlaylist.Segment?, at time: Double
    ) {
        guard let partial, whole.map({ partial.lacksMedia(of: $0) }) ?? true else { return }
        player?.receive(duration, at: time)
        noteStartup(time)
    }

    /// Drops the fetched parts, which cannot be used. Returns the number of their bytes.
    mutating func dropParts() -> Int {
        defer { partial = nil }
        return Int((partial?.bits ?? 0) / 8)
    }

    /// Handles a gap: the wanted rendition lacks the wanted segment, or its next part. The segment
    /// is played from another rendition that has it; without such a rendition it is passed over.
    /// - Parameter renditionCount: number of renditions that the viewer may choose from; 0 if the
    ///   viewer must stay on its rendition.
    /// - Returns: whether no rendition has the segment, and the player's next action.
    mutating func passGap(
        renditionCount: Int, _ alignment: HLSAlignment, at time: Double
    ) -> (isMissing: Bool, action: Player.Action?) {
        guard let (segment, rendition) = wanted else { return (false, nil) }
        if gap.segment != segment { gap = (segment, []) }
        gap.renditions.insert(rendition)
        wanted = nil
        if let other = otherRendition(than: rendition, of: renditionCount) {
            // Fetched parts of the segment are kept; the other rendition continues after them.
            let hasParts = partial.map { $0.nextPart > 0 } ?? false
            partial?.isKept = hasParts
            return (false, player?.failed(askingAt: other, at: time))
        }
        if let partial, partial.nextPart > 0 {
            record(
                segment, rendition, alignment, firstByte: partial.firstByte,
                transfer: partial.transfer, bytes: Int(partial.bits / 8), size: nil, isCut: true)
        }
        partial = nil
        return (true, player?.missing(at: time))
    }

    /// Returns the nearest rendition that is not known to lack the segment. Lower renditions are
    /// tried first.
    private func otherRendition(than rendition: Int, of count: Int) -> Int? {
        guard count > 0 else { return nil }
        let order = Array((0..<rendition).reversed()) + Array((rendition + 1)..<count)
        return order.first { !gap.renditions.contains($0) }
    }
}
