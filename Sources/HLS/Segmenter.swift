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
        /// Segments that were cut elsewhere than at a key frame.
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
    /// Part of every name, so that a name never has two meanings.
    public let token: String
    /// Clock that dates published resources; nil = they have no date.
    private let clock: (@Sendable () -> Int64)?
    public private(set) var tracks = MediaTracks()
    /// Media sequence number of the unfinished segment.
    public private(set) var nextSequence = 0
    public private(set) var isFinished = false
    public internal(set) var counts = Counts()
    /// EXT-X-TARGETDURATION; nil before the first segment.
    public internal(set) var targetDuration: Int?
    /// PART-TARGET in ticks; nil before the first segment, and always without low-latency HLS.
    var partTarget: Int64?
    /// Whether the playlist has parts and blocking reloads.
    public var isLowLatency: Bool { partTarget != nil }
    var store = SegmentStore()
    var discontinuitySequence: Int
    var open: OpenSegment?
    var bandwidth = BandwidthMeter()

    private var muxer: SegmentMuxer?
    private(set) var map: MediaPlaylist.InitializationSection?
    private var mapCount = 0
    var nextIsDiscontinuity = false
    private var hasBegun = false
    private var isFinishing = false
    /// Bytes that all segments may have; less than configured if many streams share the memory.
    public internal(set) var totalByteLimit: Int
    var isFirstOfEpoch = true
    /// Wall-clock milliseconds minus media milliseconds of this epoch.
    private var dateOffset: Int64?
    private var lastDate: Int64 = .min
    var lastTime: [CodedFrame.Kind: Int64] = [:]
    var lastKeyTime: Int64?
    /// Ticks of the longest group of pictures of this epoch.
    var longestGroup: Int64 = 0
    var cadence = FrameCadence()

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
        self.token = token
        self.clock = clock
    }

    /// Cost that one segment may have: a part of the limit on all segments, if that limit is low.
    var segmentByteLimit: Int {
        min(configuration.segmentByteLimit, max(256 << 10, totalByteLimit / 4))
    }

    var segmentTicks: Int64 { Int64(configuration.segmentDuration * 90_000) }
    var clockKind: CodedFrame.Kind { tracks.video == nil ? .audio : .video }

    /// Whether the next frame begins an epoch, which takes its date from `append`'s argument.
    public var needsDate: Bool { dateOffset == nil }

    /// Sets the configurations of the following frames. Configurations that differ from the earlier
    /// ones are a discontinuity.
    ///
    /// A track that the container cannot express is left out, and `trackProblem` says why.
    public mutating func setTracks(_ offered: MediaTracks) {
        let new = usable(offered)
        guard new != tracks, !new.isEmpty else { return }
        if muxer != nil {
            interrupt()
        } else if tracks.video != new.video {
            // No part of the segment has been offered yet.
            giveUpOpen()
        }
        tracks = new
        keyFrameBytes = Self.keyFrameBytes(new, configuration.container)
    }

    /// Reason why a track is left out; nil if none is.
    public private(set) var trackProblem: String?

    private mutating func usable(_ offered: MediaTracks) -> MediaTracks {
        var tracks = offered
        trackProblem = nil
        guard configuration.container == .ts, let audio = tracks.audio else { return tracks }
        do {
            _ = try ADTSHeader(config: audio, payloadLength: 0)
        } catch {
            tracks.audio = nil
            trackProblem = "the sound is left out: \((error as? MediaError)?.message ?? "\(error)")"
        }
        return tracks
    }

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
            nextIsDiscontinuity = nextIsDiscontinuity || !store.segments.isEmpty
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
            cadence.add(frame.decodeTime - last)
        }
        lastTime[frame.kind] = frame.decodeTime
        open?.append(
            frame, added: frame.kind == .video && frame.isKeyFrame ? keyFrameBytes : 0)
        return changed
    }

    /// Bytes that a transport stream writes before each key frame: its parameter sets, which may be
    /// thousands of times as long as the frame.
    private var keyFrameBytes = 0

    private mutating func begin(_ frame: CodedFrame, _ date: ProgramDateTime) throws {
        if isFinished { restart() }
        if !hasBegun {
            hasBegun = true
            nextSequence = firstSequence(date)
        }
        if dateOffset == nil {
            let milliseconds = max(date.millisecondsSince1970, lastDate)
            dateOffset = milliseconds - frame.decodeTime / 90
            isFirstOfEpoch = true
        }
        lastKeyTime = frame.decodeTime
        open = OpenSegment(
            start: frame.decodeTime, isDiscontinuity: nextIsDiscontinuity, isIndependent: true)
        nextIsDiscontinuity = false
    }

    /// Begins a new playlist at the old address: the listed segments go, and the numbers continue.
    private mutating func restart() {
        isFinished = false
        for segment in store.retireAll() where segment.entry.isDiscontinuity {
            discontinuitySequence += 1
        }
        targetDuration = nil
        partTarget = nil
        nextIsDiscontinuity = true
    }

    /// Writes the frames of the open part. Returns whether the playlist names it.
    mutating func closePart(at end: Int64) throws -> Bool {
        guard var segment = open, !segment.pending.isEmpty else { return false }
        segment.endLast(clockKind, at: end)
        if muxer == nil { try makeMuxer() }
        guard let bytes = muxer?.piece(segment.pending, isStart: segment.pieces.isEmpty) else {
            return false
        }
        let isIndependent = segment.isPartIndependent(clockKind)
        let ticks = end - segment.partStart
        segment.endPart(bytes, at: end)
        defer { open = segment }
        guard let partTarget, segment.parts.count == segment.pieces.count - 1 else { return false }
        let name = partName(nextSequence, segment.parts.count)
        publish(.part, bytes, named: name)
        segment.parts.append(
            .init(uri: name, duration: Self.seconds(ticks), isIndependent: isIndependent))
        counts.parts += 1
        if ticks > partTarget { counts.longParts += 1 }
        return true
    }

    private mutating func makeMuxer() throws {
        let new = try SegmentMuxer(configuration.container, tracks: tracks)
        muxer = new
        guard let bytes = new.initializationSegment else { return }
        if let map, store.resources[map.uri]?.bytes == bytes { return }
        mapCount += 1
        let name = "\(token)-init-\(mapCount).mp4"
        publish(.initialization, bytes, named: name)
        map = .init(uri: name)
    }

    mutating func closeSegment(at end: Int64) throws {
        _ = try closePart(at: end)
        guard let segment = open, end > segment.start, !segment.pieces.isEmpty else {
            giveUpOpen()
            return
        }
        open = nil
        isFirstOfEpoch = false
        let bytes = join(segment)
        let ticks = end - segment.start
        let name = "\(token)-\(nextSequence).\(fileExtension)"
        publish(.segment, bytes, named: name)
        let date = (dateOffset ?? 0) + segment.start / 90
        lastDate = date + ticks / 90
        let entry = MediaPlaylist.Segment(
            uri: name, duration: Self.seconds(ticks), isDiscontinuity: segment.isDiscontinuity,
            programDateTime: .init(millisecondsSince1970: date), map: map, parts: segment.parts)
        let isNewMap = map != nil && store.segments.last?.entry.map != map
        store.append(
            StoredSegment(
                number: nextSequence, entry: entry, duration: ticks,
                byteCount: bytes.readableBytes, isIndependent: segment.isIndependent,
                partNames: segment.parts.map(\.uri),
                mapBytes: isNewMap
                    ? map.flatMap { store.resources[$0.uri]?.bytes.readableBytes } ?? 0 : 0))
        nextSequence += 1
        counts.segments += 1
        chooseTargets(first: ticks)
        bandwidth.add(
            bytes: bytes.readableBytes, ticks: ticks, targetDuration: targetDuration ?? 1)
        slide(least: 3)
    }

    private mutating func publish(
        _ kind: HLSResource.Kind, _ bytes: ByteBuffer, named name: String
    ) {
        store.add(
            HLSResource(
                kind: kind, contentType: contentType, bytes: bytes,
                publishedNanoseconds: clock?()), named: name)
    }

    /// Makes one buffer for the segment; its parts become slices of it.
    private mutating func join(_ segment: OpenSegment) -> ByteBuffer {
        guard segment.pieces.count > 1 else { return segment.pieces[0] }
        var bytes = ByteBuffer()
        bytes.reserveCapacity(segment.pieces.reduce(0) { $0 + $1.readableBytes })
        for piece in segment.pieces { bytes.writeImmutableBuffer(piece) }
        var offset = 0
        for (part, piece) in zip(segment.parts, segment.pieces) {
            if let slice = bytes.getSlice(at: offset, length: piece.readableBytes) {
                store.share(slice, named: part.uri)
            }
            offset += piece.readableBytes
        }
        return bytes
    }

    /// Ends the segment here, because the next frames do not continue it: they come from another
    /// publisher, or from the same one after a break.
    public mutating func interrupt() {
        // Otherwise a publisher that jumps all the time would get a listed segment for every few
        // frames.
        if let segment = open, segment.pieces.isEmpty, let last = lastTime[clockKind],
            last + cadence.ticks - segment.start < Self.shortestSegment, !isFinishing
        {
            giveUpOpen()
        }
        let hadMedia = open != nil || !store.segments.isEmpty
        closeOpen()
        if hadMedia, !nextIsDiscontinuity {
            nextIsDiscontinuity = true
            counts.discontinuities += 1
        }
        counts.droppedFrames += muxer?.brokenFrames ?? 0
        muxer = nil
        dateOffset = nil
        lastTime.removeAll()
        longestGroup = 0
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
        let end = max(min(last + cadence.ticks, segment.start + longest - 1), segment.partStart)
        // This fails only if the container cannot hold the tracks, and then nothing was offered.
        if (try? closeSegment(at: end)) == nil { giveUpOpen() }
    }

    static func seconds(_ ticks: Int64) -> Double {
        (Double(ticks) / 90_000 * 1_000_000).rounded() / 1_000_000
    }

    var fileExtension: String { configuration.container == .ts ? "ts" : "m4s" }

    func partName(_ number: Int, _ index: Int) -> String {
        "\(token)-\(number).\(index).\(fileExtension)"
    }

    private var contentType: String {
        switch configuration.container {
        case .ts: "video/mp2t"
        case .fmp4: tracks.video == nil ? "audio/mp4" : "video/mp4"
        }
    }
}
