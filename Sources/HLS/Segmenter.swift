public import Media
import NIOCore

/// Cuts coded frames into the segments and parts of one media playlist; it has no clock and no I/O.
///
/// - A segment begins with the first key frame at or after the segment duration. The first segment
///   of an epoch ends on the grid of that duration, so that renditions with equal key frames are
///   cut alike. Audio without video is cut at any frame.
/// - EXT-X-TARGETDURATION is chosen when the first segment is whole: it is the configured duration,
///   or that of the whole groups of pictures that a segment needs. It does not change afterwards
///   (RFC 8216, 6.2.1). A group of pictures that would make a segment too long is cut within, and
///   the playlist does not claim EXT-X-INDEPENDENT-SEGMENTS while it lists such a segment.
/// - PART-TARGET is the configured one, or a close value that whole frames can meet: no part is
///   longer, and only a segment's last part is below 85 % of it (rfc8216bis, 4.4.4.9). The first
///   segment is offered without parts, because the frame rate is not known before.
/// - A discontinuity follows from new tracks, from timestamps that jump and from `interrupt()`.
/// - After `finish()` the playlist is over. Frames that still come begin a new one, and its media
///   sequence continues (RFC 8216, 6.2.2).
/// - The first media sequence number is taken from the date, so that numbers also continue after a
///   restart of the server, which knows nothing of the earlier run.
/// - Names contain a token per start of a stream, so a cache never serves an old segment as a new
///   one. Segments that left the playlist stay available for its longest length and their own.
///   Renditions with clocks that agree to a second get equal dates.
public struct Segmenter: Sendable {
    /// Numbers of events.
    public struct Counts: Sendable, Hashable {
        public var segments = 0
        public var parts = 0
        public var discontinuities = 0
        /// Segments whose end is not at a key frame.
        public var forcedCuts = 0
        /// Frames before the first key frame, and broken frames.
        public var droppedFrames = 0
        /// Parts longer than PART-TARGET, because a frame came late.
        public var longParts = 0
        /// Segments that were given up: too short to be listed, or over the byte limit without a
        /// duration.
        public var droppedSegments = 0

        public init() {}
    }

    public let configuration: SegmenterConfiguration
    public private(set) var tracks = MediaTracks()
    /// Media sequence number of the unfinished segment.
    public private(set) var nextSequence = 0
    public private(set) var isFinished = false
    public internal(set) var counts = Counts()
    var cutter: SegmentCutter
    var writer: SegmentWriter
    var discontinuitySequence: Int
    var open: OpenSegment?
    private(set) var bandwidth = BandwidthMeter()

    var nextIsDiscontinuity = false
    private var hasBegun = false
    private var isFinishing = false
    /// Bytes that all segments may have; less than configured if many streams share the memory.
    public internal(set) var totalByteLimit: Int
    /// Wall-clock milliseconds minus media milliseconds of this epoch.
    private var dateOffset: Int64?
    private var lastDate: Int64 = .min
    private(set) var lastTime: [CodedFrame.Kind: Int64] = [:]

    /// Ticks: timestamps that go back further than the first limit, or forward further than the
    /// second, are a discontinuity.
    static let backwardLimit: Int64 = 90_000
    static let forwardLimit: Int64 = 10 * 90_000
    /// Least duration, in ticks, of a segment before a discontinuity that is listed.
    static let shortestSegment: Int64 = 9_000

    /// - Parameters:
    ///   - token: Letters, digits and `_`; a different one for each start of a server.
    ///   - configuration: Configuration with positive durations.
    ///   - firstDiscontinuity: Number that is the same for all renditions of a server, and larger
    ///     at each start.
    ///   - clock: Clock in nanoseconds, which is read once for each segment, part and
    ///     initialization section.
    public init(
        configuration: SegmenterConfiguration, token: String, firstDiscontinuity: Int = 0,
        clock: (@Sendable () -> Int64)? = nil
    ) {
        discontinuitySequence = firstDiscontinuity
        self.configuration = configuration
        totalByteLimit = configuration.totalByteLimit
        cutter = SegmentCutter(configuration)
        writer = SegmentWriter(configuration.container, token: token, clock: clock)
    }

    /// Part of every name, so that a name never has two meanings.
    public var token: String { writer.token }

    /// EXT-X-TARGETDURATION; nil before the first segment.
    public var targetDuration: Int? { cutter.targetDuration }

    /// Whether the playlist has parts and blocking reloads.
    public var isLowLatency: Bool { cutter.partTarget != nil }

    /// Cost that one segment may have: a part of the limit on all segments, if that limit is low.
    var segmentByteLimit: Int {
        min(configuration.segmentByteLimit, max(256 << 10, totalByteLimit / 4))
    }

    var clockKind: CodedFrame.Kind { tracks.video == nil ? .audio : .video }

    /// Whether the next frame begins an epoch, which takes its date from `append`'s argument.
    public var needsDate: Bool { dateOffset == nil }

    /// Sets the configurations of the following frames. Configurations that differ from the earlier
    /// ones are a discontinuity.
    ///
    /// A track that the container cannot express is left out, and `trackProblem` says why.
    public mutating func setTracks(_ offered: MediaTracks) {
        let (new, problem) = configuration.container.usable(offered)
        trackProblem = problem
        guard new != tracks, !new.isEmpty else { return }
        if writer.hasBegunEpoch {
            interrupt()
        } else if tracks.video != new.video {
            // No part of the segment has been offered yet.
            giveUpOpen()
        }
        tracks = new
        keyFrameBytes = configuration.container.keyFrameBytes(new)
    }

    /// Reason why a track is left out; nil if none is.
    public private(set) var trackProblem: String?

    /// Whether frames of a kind have a track here.
    public func takes(_ kind: CodedFrame.Kind) -> Bool {
        kind == .video ? tracks.video != nil : tracks.audio != nil
    }

    /// Processes the next frame, in the order of arrival.
    /// - Parameter date: Date of media time `frame.decodeTime`; it is used only if `needsDate` is
    ///   true.
    /// - Returns: Whether the playlist has changed.
    /// - Throws: `MediaError` if the tracks cannot be written into the container.
    public mutating func append(
        _ frame: CodedFrame, date: ProgramDateTime
    ) throws -> Bool {
        guard takes(frame.kind) else {
            counts.droppedFrames += 1
            return false
        }
        var frame = frame
        var changed = false
        if let last = lastTime[frame.kind] ?? lastTime[clockKind], open != nil {
            let step = frame.decodeTime - last
            if step < -Self.backwardLimit || step > Self.forwardLimit {
                changed = open?.pieces.isEmpty == false || (open?.pending.isEmpty == false)
                interrupt()
            } else if step < 0, lastTime[frame.kind] != nil {
                frame.decodeTime = last
            }
        }
        // Only frames of one moment can have filled the segment so far, and a segment needs a
        // duration.
        if let segment = open, segment.cost > segmentByteLimit,
            frame.decodeTime <= segment.start, segment.parts.isEmpty
        {
            giveUpOpen()
            nextIsDiscontinuity = nextIsDiscontinuity || !writer.store.segments.isEmpty
        }
        guard open != nil || frame.kind == clockKind && frame.isKeyFrame else {
            counts.droppedFrames += 1
            return changed
        }
        if open == nil {
            try begin(frame, date)
        } else {
            changed = try cut(before: frame) || changed
        }
        if frame.kind == clockKind, let last = lastTime[frame.kind] {
            cutter.noteFrame(lasting: frame.decodeTime - last)
        }
        lastTime[frame.kind] = frame.decodeTime
        open?.append(
            frame, added: frame.kind == .video && frame.isKeyFrame ? keyFrameBytes : 0)
        return changed
    }

    /// Bytes that the container writes before each key frame.
    private var keyFrameBytes = 0

    private mutating func begin(_ frame: CodedFrame, _ date: ProgramDateTime) throws {
        if isFinished { restart() }
        if !hasBegun {
            hasBegun = true
            nextSequence = firstSequence(date)
        }
        let isNewEpoch = dateOffset == nil
        if isNewEpoch {
            let milliseconds = max(date.millisecondsSince1970, lastDate)
            dateOffset = milliseconds - frame.decodeTime / 90
        }
        cutter.begin(at: frame.decodeTime, isNewEpoch: isNewEpoch)
        open = OpenSegment(
            start: frame.decodeTime, isDiscontinuity: nextIsDiscontinuity, isIndependent: true)
        nextIsDiscontinuity = false
    }

    /// Begins a new playlist at the old address: the listed segments are removed, and the numbers
    /// continue.
    private mutating func restart() {
        isFinished = false
        for segment in writer.store.retireAll() where segment.entry.isDiscontinuity {
            discontinuitySequence += 1
        }
        cutter.beginPlaylist()
        nextIsDiscontinuity = true
    }

    /// Writes the frames of the open part. Returns whether the playlist names it.
    mutating func closePart(at end: Int64) throws -> Bool {
        guard var segment = open, !segment.pending.isEmpty else { return false }
        segment.endLast(clockKind, at: end)
        guard
            let bytes = try writer.piece(
                segment.pending, of: tracks, isStart: segment.pieces.isEmpty)
        else { return false }
        let isIndependent = segment.isPartIndependent(clockKind)
        let ticks = end - segment.partStart
        segment.endPart(bytes, at: end)
        defer { open = segment }
        guard let partTarget = cutter.partTarget,
            segment.parts.count == segment.pieces.count - 1
        else { return false }
        let name = writer.publishPart(bytes, nextSequence, segment.parts.count, of: tracks)
        segment.parts.append(
            .init(uri: name, duration: Self.seconds(ticks), isIndependent: isIndependent))
        counts.parts += 1
        if ticks > partTarget { counts.longParts += 1 }
        return true
    }

    mutating func closeSegment(at end: Int64) throws {
        _ = try closePart(at: end)
        guard let segment = open, end > segment.start, !segment.pieces.isEmpty else {
            giveUpOpen()
            return
        }
        open = nil
        let ticks = end - segment.start
        let (name, bytes) = writer.publishSegment(segment, nextSequence, of: tracks)
        let date = (dateOffset ?? 0) + segment.start / 90
        lastDate = date + ticks / 90
        let entry = MediaPlaylist.Segment(
            uri: name, duration: Self.seconds(ticks), isDiscontinuity: segment.isDiscontinuity,
            programDateTime: .init(millisecondsSince1970: date), map: writer.map,
            parts: segment.parts)
        writer.store.append(
            StoredSegment(
                number: nextSequence, entry: entry, duration: ticks,
                byteCount: bytes.readableBytes, isIndependent: segment.isIndependent,
                partNames: segment.parts.map(\.uri), mapBytes: writer.newMapBytes))
        nextSequence += 1
        counts.segments += 1
        cutter.endSegment(lasting: ticks)
        bandwidth.add(
            bytes: bytes.readableBytes, ticks: ticks, targetDuration: targetDuration ?? 1)
        slide(least: 3)
    }

    /// Ends the segment here, because the next frames do not continue it: they come from another
    /// publisher, or from the same one after a break.
    public mutating func interrupt() {
        // Otherwise a publisher that jumps all the time would get a listed segment for every few
        // frames.
        if let segment = open, segment.pieces.isEmpty, let last = lastTime[clockKind],
            last + cutter.cadence.ticks - segment.start < Self.shortestSegment, !isFinishing
        {
            giveUpOpen()
        }
        let hadMedia = open != nil || !writer.store.segments.isEmpty
        closeOpen()
        if hadMedia, !nextIsDiscontinuity {
            nextIsDiscontinuity = true
            counts.discontinuities += 1
        }
        counts.droppedFrames += writer.endEpoch()
        dateOffset = nil
        lastTime.removeAll()
        cutter.endEpoch()
    }

    /// Ends the playlist with EXT-X-ENDLIST.
    public mutating func finish() {
        guard !isFinished else { return }
        isFinishing = true
        interrupt()
        isFinishing = false
        isFinished = true
    }

    /// Drops the frames of the unfinished segment. If parts of it were offered, it is never
    /// dropped, because clients may rely on them: such parts end in a segment.
    private mutating func giveUpOpen() {
        guard let segment = open else { return }
        open = nil
        counts.droppedFrames += segment.pending.count
        counts.droppedSegments += 1
        nextIsDiscontinuity = nextIsDiscontinuity || segment.isDiscontinuity
    }

    private mutating func closeOpen() {
        guard let segment = open, let last = lastTime[clockKind] else { return }
        let end = max(
            min(last + cutter.cadence.ticks, segment.start + cutter.longest - 1), segment.partStart)
        // This fails only if the container cannot hold the tracks, and then nothing was offered.
        if (try? closeSegment(at: end)) == nil { giveUpOpen() }
    }

    static func seconds(_ ticks: Int64) -> Double {
        (Double(ticks) / 90_000 * 1_000_000).rounded() / 1_000_000
    }
}
