// How a stream is packaged as HLS and served.
//
// The event loop that owns a stream (by a hash of the stream's name) feeds its `PackagedStream`
// where it feeds subscribers. `FrameTimeline` comes first: a frame is held if its time does not
// continue the timeline, until the next frames determine whether the time was wrong (the frame then
// gets the time that it should have had) or the stream has jumped. Video leads; audio far from it
// is left out. `Segmenter` then decides on segments and parts, without a clock. Configurations go
// into containers byte for byte as they arrived; a track that a container cannot express is left
// out, and the other track continues.
//
// The lock is held while a part is written or a name is looked up. Requests on any loop get the
// shared buffer, and the playlist's text is made once per change. A blocked request is a `Waiter`
// on the stream, which is woken with one task per loop and judged again; its one timer is its
// time-out. A connection answers one request after the other, so a slow reader holds one segment; a
// reader that takes nothing is disconnected.

import HLS
import Media
import NIOCore
import Sockets
import Synchronization

/// One relay stream as HLS: the event loop that owns it feeds it, and all loops read from it.
///
/// The lock is held while a segment is written or a name is looked up, never over I/O.
final class PackagedStream: Sendable {
    /// Condition for which a blocked request waits.
    enum Condition: Sendable {
        case firstSegment
        case position(sequence: Int, part: Int?)
        case resource(String)
    }

    /// A blocked request; it is woken once, on its loop, to be judged again.
    struct Waiter: Sendable {
        var condition: Condition
        var eventLoop: any EventLoop
        var wake: @Sendable () -> Void
    }

    struct Facts: Sendable {
        var counts = Segmenter.Counts()
        var timeline = FrameTimeline.Counts()
        var playlist: MediaPlaylist?
        var byteCount = 0
        var requests = 0
        var sentBytes = 0
        var waiting = 0
        var isFinished = false
        var problem: String?
        var leftOutFrames = 0
        var tracks = MediaTracks()
        var peak = 0
    }

    private struct State {
        var segmenter: Segmenter
        var reader = FLVFrameReader()
        var timeline = FrameTimeline()
        /// Tracks of the publisher; `segmenter` has those that can be packaged.
        var offered = MediaTracks()
        /// Number of frames of tracks that the container cannot express.
        var leftOutFrames = 0
        var waiters: [UInt64: Waiter] = [:]
        var nextWaiter: UInt64 = 0
        var requests = 0
        var sentBytes = 0
        /// Text that says what cannot be packaged, and why.
        var warning: String?
        /// Number of the publication, so that an old one's end does not remove a new one's stream.
        var generation = 0
        var whole: ByteBuffer?
        var delta: ByteBuffer?
        var cachedReports: [MediaPlaylist.RenditionReport] = []

        mutating func append(
            _ frame: CodedFrame, _ date: (Int64) -> ProgramDateTime
        ) throws -> Bool {
            let wall =
                segmenter.needsDate
                ? date(frame.decodeTime) : ProgramDateTime(millisecondsSince1970: 0)
            return try segmenter.append(frame, date: wall)
        }

        /// Hands on the frames that wait for the frame after them.
        @discardableResult
        mutating func flushTimeline(_ date: (Int64) -> ProgramDateTime) -> Bool {
            var changed = false
            for frame in timeline.flush() {
                do {
                    if try append(frame, date) { changed = true }
                } catch {
                    warning = "\(error)"
                }
            }
            return changed
        }
    }

    let name: String
    private let state: Mutex<State>
    /// Whether a publisher is there, or about to come.
    private let isLive = Atomic<Bool>(true)

    init(
        name: String, configuration: SegmenterConfiguration, token: String,
        firstDiscontinuity: Int
    ) {
        self.name = name
        let segmenter = Segmenter(
            configuration: configuration, token: token, firstDiscontinuity: firstDiscontinuity,
            clock: Clock.monotonicNanoseconds)
        state = Mutex(State(segmenter: segmenter))
    }

    // MARK: The publisher's side

    /// Begins a publication, or continues the stream with another publisher.
    func begin(date: (Int64) -> ProgramDateTime) {
        change { state in
            state.generation += 1
            state.flushTimeline(date)
            state.leftOutFrames += state.reader.skippedMessages
            state.reader = FLVFrameReader()
            state.offered = MediaTracks()
            state.warning = nil
            if !state.segmenter.isFinished { state.segmenter.interrupt() }
            return true
        }
    }

    /// - Parameter date: Function that returns the wall-clock time of a decode time in ticks of 90
    ///   kHz.
    func receive(_ units: [MediaUnit], date: (Int64) -> ProgramDateTime) {
        change { state in
            var changed = false
            for unit in units {
                let tag = unit.tag(timestamp: unit.timestamp)
                do {
                    let frame = try state.reader.read(
                        tag.type, timestamp: tag.timestamp, payload: tag.payload)
                    if unit.isSequenceHeader, state.reader.tracks != state.offered {
                        // The held frames belong to the earlier tracks.
                        if state.flushTimeline(date) { changed = true }
                        state.offered = state.reader.tracks
                        state.segmenter.setTracks(state.reader.tracks)
                        state.warning = state.segmenter.trackProblem
                    }
                    guard let frame else { continue }
                    guard state.segmenter.takes(frame.kind) else {
                        state.leftOutFrames += 1
                        continue
                    }
                    for known in state.timeline.admit(frame) {
                        if try state.append(known, date) { changed = true }
                    }
                } catch {
                    state.warning = "\(error)"
                }
            }
            if let codec = state.reader.unsupportedCodec {
                state.warning = "\(codec) cannot be packaged; HLS here takes H.264 and AAC"
            }
            return changed
        }
    }

    /// Ends the stream of a publisher that is gone for good. Returns the number of the publication
    /// that has ended.
    func end(date: (Int64) -> ProgramDateTime) -> Int {
        change { state in
            state.flushTimeline(date)
            state.segmenter.finish()
            return true
        }
        isLive.store(false, ordering: .releasing)
        return state.withLock { $0.generation }
    }

    /// Whether no publisher is there any more. The property does not use the lock, under which
    /// `date` asks the origin.
    var hasEnded: Bool { !isLive.load(ordering: .acquiring) }

    /// Marks the stream as having a publisher, so that it is not forgotten.
    func claim() { isLive.store(true, ordering: .releasing) }

    /// Sets the number of bytes that the segments may have from now on; the excess goes at once.
    func setByteLimit(_ bytes: Int) {
        change { state in
            state.timeline.byteLimit = min(FrameTimeline.longestHeld, bytes / 4)
            return state.segmenter.setTotalByteLimit(bytes)
        }
    }

    /// Bytes of everything that can be fetched.
    var byteCount: Int { state.withLock { $0.segmenter.byteCount } }

    /// Whether no publication has begun since `generation` ended.
    func isOver(_ generation: Int) -> Bool {
        hasEnded && state.withLock { $0.generation == generation }
    }

    /// Wakes all waiters, because the stream is removed.
    func wakeAll() {
        let waiters = state.withLock { state in
            let all = Array(state.waiters.values)
            state.waiters.removeAll()
            return all
        }
        Self.wake(waiters)
    }

    private func change(_ body: (inout State) -> Bool) {
        let ready: [Waiter] = state.withLock { state in
            guard body(&state) else { return [] }
            state.whole = nil
            state.delta = nil
            guard !state.waiters.isEmpty else { return [] }
            let ids = state.waiters.filter { Self.isMet($0.value.condition, state.segmenter) }.keys
            return ids.compactMap { state.waiters.removeValue(forKey: $0) }
        }
        Self.wake(ready)
    }

    /// Wakes waiters with one task per loop, however many wait.
    private static func wake(_ waiters: [Waiter]) {
        let loops = Dictionary(grouping: waiters) { ObjectIdentifier($0.eventLoop) }
        for group in loops.values {
            group[0].eventLoop.execute { for waiter in group { waiter.wake() } }
        }
    }

    private static func isMet(_ condition: Condition, _ segmenter: Segmenter) -> Bool {
        switch condition {
        case .firstSegment: segmenter.targetDuration != nil || segmenter.isFinished
        case .position(let sequence, let part):
            segmenter.availability(sequence: sequence, part: part) != .notYet
        case .resource(let name):
            segmenter.resource(name) != nil || segmenter.hintedPart != name || segmenter.isFinished
        }
    }

    // MARK: The viewers' side

    /// Registers a blocked request; nil if its condition is met already.
    func wait(_ waiter: Waiter) -> UInt64? {
        state.withLock { state in
            guard !Self.isMet(waiter.condition, state.segmenter) else { return nil }
            state.nextWaiter += 1
            state.waiters[state.nextWaiter] = waiter
            return state.nextWaiter
        }
    }

    func cancel(_ id: UInt64) { state.withLock { _ = $0.waiters.removeValue(forKey: id) } }

    func countRequest(bytes: Int) {
        state.withLock { state in
            state.requests += 1
            state.sentBytes += bytes
        }
    }

    /// Reads from the segmenter.
    func read<Value: Sendable>(_ body: (Segmenter) -> Value) -> Value {
        state.withLock { body($0.segmenter) }
    }

    /// Text of the playlist, made once per change; nil before the first segment is whole.
    func playlistText(
        reports: [MediaPlaylist.RenditionReport], skips: Bool
    ) -> ByteBuffer? {
        state.withLock { state in
            if state.cachedReports != reports {
                (state.whole, state.delta) = (nil, nil)
                state.cachedReports = reports
            }
            if let known = skips ? state.delta : state.whole { return known }
            guard var playlist = state.segmenter.playlist else { return nil }
            if playlist.partTarget != nil, !playlist.hasEndList {
                playlist.renditionReports = reports
            }
            let text = ByteBuffer(
                string: (skips ? playlist.skipping(playlist.skippableSegments) : playlist).text)
            if skips { state.delta = text } else { state.whole = text }
            return text
        }
    }

    /// Reason why nothing can be packaged; nil if something is or may be.
    var problem: String? { state.withLock { $0.segmenter.tracks.isEmpty ? $0.warning : nil } }

    /// Reason why some track cannot be packaged.
    var warning: String? { state.withLock { $0.warning } }

    var facts: Facts {
        state.withLock { state in
            Facts(
                counts: state.segmenter.counts, timeline: state.timeline.counts,
                playlist: state.segmenter.playlist,
                byteCount: state.segmenter.byteCount, requests: state.requests,
                sentBytes: state.sentBytes, waiting: state.waiters.count,
                isFinished: state.segmenter.isFinished, problem: state.warning,
                leftOutFrames: state.leftOutFrames + state.reader.skippedMessages,
                tracks: state.segmenter.tracks,
                peak: state.segmenter.variant(uri: "")?.bandwidth ?? 0)
        }
    }
}
