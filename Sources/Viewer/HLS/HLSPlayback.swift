import ABR
import HLS

/// What is there of a segment that is fetched by its parts. Times are in ms.
struct PartialSegment {
    /// How many parts are there, which is the index of the next one.
    var nextPart = 0
    /// Whether the player's next request goes on with the segment.
    var isKept = false
    /// The sum of the parts' times from first byte to last.
    var transfer = 0.0
    var bits = 0.0
    /// The sum of the parts' durations.
    var media = 0.0
    /// When the first byte of the first part came; NaN before.
    var firstByte = Double.nan

    /// By how much a segment may be longer than its parts together: half a frame at 10 frames per
    /// second.
    private static let tolerance = 50.0

    /// Whether media of the whole segment is missing.
    func lacksMedia(of whole: MediaPlaylist.Segment) -> Bool {
        media < whole.duration * 1000 - Self.tolerance
    }
}

/// The player of a session, the segment that the player wants, and what is there of that segment.
/// The player's actions are returned to the session, which carries them out. Times are ms of the
/// session.
struct HLSPlayback {
    /// The player; nil before the first media playlist is there.
    private(set) var player: Player?
    /// What the player wants to have.
    private(set) var wanted: (segment: Int, rendition: Int)?
    /// What is there of the wanted segment, once it is fetched by parts.
    private(set) var partial: PartialSegment?
    /// A segment that renditions lack (EXT-X-GAP), and the renditions that lack it.
    private var gap: (segment: Int, renditions: Set<Int>) = (-1, [])
    private var log: HLSSegmentLog
    /// When the player is asked next whether to give up what is fetched; infinity where it is not
    /// asked.
    private(set) var nextJudgement = Double.infinity
    /// When the player began.
    private(set) var startedAt = 0.0
    /// Time from the join until playing began; nil before playing has begun.
    private(set) var startup: Double?

    /// How many ms the live edge may be from where the player thinks it is. Beyond that the player
    /// is corrected.
    private static let epochTolerance = 20.0

    init(recordLimit: Int) { log = HLSSegmentLog(limit: recordLimit) }

    var isPlaying: Bool { player?.isPlaying ?? false }
    var records: [HLSSegmentRecord] { log.records }

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

    /// The time has come until which the player waits.
    mutating func timer(at time: Double) -> Player.Action? { player?.timer(at: time) }

    /// The playlists list segments up to `latest`.
    mutating func available(latest: Int, at time: Double) -> Player.Action? {
        player?.available(latest: latest, at: time)
    }

    /// A live playlist shows when media time 0 was at the encoder.
    /// - Parameter isDated: whether the playlist shows it by dates. What a playlist without dates
    ///   lists shows only that the edge is no earlier.
    mutating func learn(epoch: Double, isDated: Bool) {
        guard let difference = player.map({ epoch - $0.epoch }) else { return }
        if isDated ? abs(difference) > Self.epochTolerance : difference < 0 {
            player?.correct(epoch: epoch)
        }
    }

    mutating func stop(at time: Double) { player?.stop(at: time) }

    // MARK: Requests

    /// Returns whether the next request goes on with the parts that are there. Only one request
    /// does.
    mutating func takeKeepsParts() -> Bool {
        let keepsParts = partial?.isKept ?? false
        partial?.isKept = false
        return keepsParts
    }

    /// The player has decided on a segment.
    mutating func want(_ segment: Int, _ rendition: Int, keepsParts: Bool, at time: Double) {
        wanted = (segment, rendition)
        if !keepsParts { partial = nil }
        log.decided(player, at: time)
    }

    /// A request of the session goes out.
    mutating func requested(_ purpose: HLSPlayerRequest.Purpose, isRetry: Bool, at time: Double) {
        if purpose == .segment, player?.checksAbandonment ?? false {
            nextJudgement = time + Player.judgementInterval
        }
        // A segment's time counts from here: playlists fetched for it before are no part of it.
        if purpose.isMedia, !isRetry, partial?.nextPart ?? 0 == 0 { log.requested(at: time) }
    }

    /// What was fetched has ended.
    mutating func endJudgement() { nextJudgement = .infinity }

    /// What is wanted cannot be had. Parts that are there stay.
    mutating func fail(at time: Double) -> Player.Action? {
        wanted = nil
        partial?.isKept = true
        return player?.failed(at: time)
    }

    /// The wanted segment has left the playlist: a live player goes on at a later one.
    /// - Parameters:
    ///   - oldest: the first segment that is listed.
    ///   - newest: the last segment that any playlist listed.
    /// - Returns: nil where the player does not play a live stream.
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
    /// - Parameter sentAt: when the segment was requested; nil where none is under way.
    /// - Returns: nil where the download goes on.
    mutating func judge(
        sentAt: Double?, received: Int, total: Int?, firstByte: Double, _ alignment: HLSAlignment,
        at time: Double
    ) -> Player.Action? {
        nextJudgement = .infinity
        guard let sentAt, let (segment, rendition) = wanted, player?.checksAbandonment ?? false
        else { return nil }
        // The number is rounded with some slack, for the moment itself counts as passed.
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
            nextJudgement = later
            return nil
        }
        record(
            segment, rendition, alignment, firstByte: firstByte, transfer: time - firstByte,
            bytes: received, size: total, abandonedFor: lower)
        wanted = nil
        return player?.abandoned(progress, for: lower, at: time)
    }

    /// The whole wanted segment is there.
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

    /// Records the segment that is under way when the viewer leaves; parts of it may be there.
    /// - Parameter purpose: what the media slot's request is for; nil without a request.
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
    /// The wanted segment is fetched by parts from now on.
    mutating func beginParts() {
        if partial == nil { partial = PartialSegment() }
    }

    /// A part of the wanted segment is there.
    mutating func add(part duration: Double, _ response: HLSPlayerResponse, at time: Double) {
        var partial = partial ?? PartialSegment()
        partial.transfer += time - response.firstByte
        partial.bits += Double(response.bytes) * 8
        if partial.firstByte.isNaN { partial.firstByte = response.firstByte }
        partial.media += duration
        partial.nextPart += 1
        self.partial = partial
    }

    /// Gives the player the media of a part, but for the last part's: that is what the player lacks
    /// of the segment.
    /// - Parameter whole: the wanted segment, once it is listed whole.
    mutating func play(
        part duration: Double, of whole: MediaPlaylist.Segment?, at time: Double
    ) {
        guard let partial, whole.map({ partial.lacksMedia(of: $0) }) ?? true else { return }
        player?.receive(duration, at: time)
        noteStartup(time)
    }

    /// Parts that are there are of no use. Returns their bytes.
    mutating func dropParts() -> Int {
        defer { partial = nil }
        return Int((partial?.bits ?? 0) / 8)
    }

    /// The wanted rendition lacks the wanted segment, or the next part of it: it is played from another
    /// rendition that has it, else passed over.
    /// - Parameter renditionCount: number of the renditions among which the viewer may choose; 0 where
    ///   the viewer is to stay on its rendition.
    /// - Returns: whether no rendition has the segment, and what the player does.
    mutating func passGap(
        renditionCount: Int, _ alignment: HLSAlignment, at time: Double
    ) -> (isMissing: Bool, action: Player.Action?) {
        guard let (segment, rendition) = wanted else { return (false, nil) }
        if gap.segment != segment { gap = (segment, []) }
        gap.renditions.insert(rendition)
        wanted = nil
        if let other = otherRendition(than: rendition, of: renditionCount) {
            // What is there of the segment stays: the other rendition goes on after it.
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

    /// The nearest rendition that is not known to lack the segment. Lower renditions come first.
    private func otherRendition(than rendition: Int, of count: Int) -> Int? {
        guard count > 0 else { return nil }
        let order = Array((0..<rendition).reversed()) + Array((rendition + 1)..<count)
        return order.first { !gap.renditions.contains($0) }
    }
}
