// How a message is relayed.
//
// A message becomes a `MediaUnit` once: all subscribers share its chunk bytes. The chunks have type
// 0 headers only, so they depend on nothing that was sent before.
//
// Each event loop has a replica of every stream: a `StreamHub` with the loop's subscribers and a
// GOP cache of shared buffers. A message therefore crosses loops once, and there are no locks.
// A loop reads all its plain RTMP connections into one buffer (`ReadBuffer`).
// `Outlet` sends straight into the socket if nothing waits, and otherwise uses the channel's queue;
// with TLS everything goes through the channel.
//
// With sender threads (`SenderModel`), only the last step differs: a receiver's `Outlet` hands its
// bytes to a `SenderThread` instead of sending them, and asks that thread for what waits. Every
// decision stays here. With `BufferModel.copy` each subscriber copies what it sends.
//
// One video message in 17 of each publisher is measured on its way to every receiver (`DeliverySample`).
//
// A connection is worked on for half a millisecond at a time while others wait (`LoopTurns`).
// Messages that another loop received are worked on in slices too, and their publisher waits if
// this loop is behind (`Backlog`). Under load audio waits for the next video frame; with a fixed
// flush interval everything waits for the interval's end (`FlushPolicy`).
//
// Slow subscribers: above half the queue limit, disposable frames are dropped. At the limit
// everything is dropped until the queue has drained and the next key frame comes.
//
// Peers that do not read: replies have a limit of 64 KiB unsent, for every peer; beyond it the peer
// is cut.

import Media
import NIOCore
import RTMP
import Sockets

/// A connection that the hub checks once a second.
protocol SweptConnection: AnyObject {
    func sweep(now: NIODeadline)
    func shutDown()
    /// Ends the connection if it is meant. Returns false if it is not.
    func kick(_ target: KickTarget) -> Bool
}

/// One event loop's share of every stream: its subscribers and a replica of the GOP cache. All
/// loops share the cache's buffers. There are no locks, because everything happens on the loop.
final class StreamHub: @unchecked Sendable {
    let eventLoop: any EventLoop
    let turns: LoopTurns
    let readMarks: ReadMarks
    let readBuffer = ReadBuffer()
    let configuration: ServerConfiguration
    private var streams: [String: LocalStream] = [:]
    private var connections: [ObjectIdentifier: any SweptConnection] = [:]
    private var sweeper: RepeatedTask?
    /// Counts of this loop, and the delays that all loops measure.
    let meter: RelayMeter
    /// Threads that write to receivers; nil if the event loops do.
    private let senders: SenderPool?
    private var flushing: FlushPolicy
    /// Whether a flush of streams with waiting units is scheduled.
    private var flushScheduled = false

    final class LocalStream {
        let name: String
        var cache: GOPCache
        var isPublished = false
        /// Number of the publication that the units must belong to; publications are numbered in
        /// the order in which they were granted.
        var publicationID: UInt64 = 0
        var subscribers: [Subscriber] = []
        var pending: [MediaUnit] = []
        /// The chunks of all pending units in one buffer; nil if the units came one after another.
        var pendingChunks: ByteBuffer?
        var pendingBytes = 0
        /// Whether a flush of this stream alone is scheduled.
        var isFlushScheduled = false
        var droppedFrames = 0
        /// HLS packaging, on the loop that packages this stream.
        var packaged: PackagedStream?

        init(_ name: String, _ configuration: ServerConfiguration) {
            self.name = name
            cache = Self.emptyCache(configuration)
        }

        static func emptyCache(_ configuration: ServerConfiguration) -> GOPCache {
            GOPCache(
                gopLimit: configuration.gopCache, byteLimit: configuration.gopCacheByteLimit)
        }
    }

    /// Origin that gets the streams which this loop owns according to `packages`.
    private let origin: HLSOrigin?
    private let packages: (String) -> Bool
    /// Sessions that push streams to other servers.
    var pushes: PushSessions?

    /// - Parameter packages: Function that says whether this loop packages a stream.
    init(
        eventLoop: any EventLoop, configuration: ServerConfiguration, origin: HLSOrigin? = nil,
        delays: DelayRecorder = DelayRecorder(), senders: SenderPool? = nil,
        packages: @escaping @Sendable (String) -> Bool = { _ in false }
    ) {
        self.eventLoop = eventLoop
        turns = LoopTurns(eventLoop)
        readMarks = ReadMarks(eventLoop)
        self.configuration = configuration
        meter = RelayMeter(delays)
        self.senders = senders
        flushing = FlushPolicy(milliseconds: configuration.flushIntervalMilliseconds)
        self.origin = origin
        self.packages = packages
    }

    func startSweeping() {
        sweeper = eventLoop.scheduleRepeatedTask(
            initialDelay: .seconds(1), delay: .seconds(1)
        ) { [weak self] _ in self?.sweep() }
    }

    private func sweep() {
        let now = NIODeadline.now()
        for connection in connections.values { connection.sweep(now: now) }
        guard flushing.judge() else { return }
        for stream in streams.values {
            for subscriber in stream.subscribers {
                subscriber.mergesSmallWrites = flushing.isLoaded
            }
        }
    }

    /// Whether the loop makes so many writes that they are its load.
    var isLoaded: Bool { flushing.isLoaded }

    func add(_ connection: any SweptConnection) {
        connections[ObjectIdentifier(connection)] = connection
    }

    func remove(_ connection: any SweptConnection) {
        connections.removeValue(forKey: ObjectIdentifier(connection))
    }

    /// Number of connections that are not closed.
    var openConnections: Int { connections.count }

    /// Ends the connections that are meant, and returns their number.
    func kick(_ target: KickTarget) -> Int {
        Array(connections.values).count { $0.kick(target) }
    }

    func shutDown() {
        sweeper?.cancel()
        pushes?.end()
        pushes = nil
        for connection in Array(connections.values) { connection.shutDown() }
    }

    private func stream(_ name: String) -> LocalStream {
        if let known = streams[name] { return known }
        let new = LocalStream(name, configuration)
        streams[name] = new
        return new
    }

    /// Gives a receiver's connection to a sender thread, if threads write. Returns false if there is
    /// no thread left.
    func assignSender(to outlet: Outlet, of name: String) -> Bool {
        guard let senders else { return true }
        return outlet.use(queueByteLimit: configuration.queueByteLimit) {
            senders.line(to: $0, of: name, onFailure: $1)
        }
    }

    /// Adds a subscriber. Returns false if nobody publishes and players are not to wait.
    func subscribe(_ subscriber: Subscriber, to name: String) -> Bool {
        if configuration.earlyPlay == .refuse, streams[name]?.isPublished != true { return false }
        let stream = stream(name)
        // The units that wait for the next flush are in the cache already, and would be sent twice.
        flush(stream)
        subscriber.meter = meter
        subscriber.index = stream.subscribers.count
        stream.subscribers.append(subscriber)
        subscriber.mergesSmallWrites = flushing.isLoaded
        subscriber.join(stream.cache, first: nil)
        return true
    }

    func unsubscribe(_ subscriber: Subscriber, from name: String) {
        guard let stream = streams[name], subscriber.index < stream.subscribers.count,
            stream.subscribers[subscriber.index] === subscriber
        else { return }
        // Its connection may play again, when the load has ended.
        subscriber.mergesSmallWrites = false
        // `PushStatus` has those of a target.
        if !subscriber.isPush { stream.droppedFrames += subscriber.droppedFrames }
        let last = stream.subscribers.removeLast()
        if last !== subscriber {
            last.index = subscriber.index
            stream.subscribers[subscriber.index] = last
        }
        if stream.subscribers.isEmpty, !stream.isPublished { streams.removeValue(forKey: name) }
    }

    /// - Parameter isEncoded: Whether an encoder of this server publishes.
    func publisherStarted(_ name: String, id: UInt64, resumes: Bool, isEncoded: Bool = false) {
        let stream = stream(name)
        guard id > stream.publicationID else { return }
        stream.publicationID = id
        stream.isPublished = true
        if !resumes { stream.cache = LocalStream.emptyCache(configuration) }
        shareCaches()
        if let origin, packages(name) {
            stream.packaged = origin.publisherStarted(name, isEncoded: isEncoded)
        }
        pushes?.update(name)
    }

    func isPublished(_ name: String) -> Bool { streams[name]?.isPublished ?? false }

    /// Shares the budget of all caches equally among the published streams.
    private func shareCaches() {
        let limit = ServerLimits.share(
            configuration.limits.gopCacheBytes, among: streams.values.count { $0.isPublished },
            least: 256 << 10, most: configuration.gopCacheByteLimit)
        for stream in streams.values { stream.cache.byteLimit = limit }
    }

    /// Ends the stream: its players are notified and leave.
    func publisherEnded(_ name: String, id: UInt64) {
        guard let stream = streams[name], stream.publicationID == id else { return }
        flush(stream)
        stream.isPublished = false
        shareCaches()
        stream.cache = LocalStream.emptyCache(configuration)
        if let packaged = stream.packaged {
            origin?.publisherEnded(packaged, on: eventLoop)
            stream.packaged = nil
        }
        for subscriber in stream.subscribers { subscriber.onStreamEnd() }
        pushes?.update(name)
        if stream.subscribers.isEmpty { streams.removeValue(forKey: name) }
    }

    /// - Parameter chunks: The chunks of all units in one buffer.
    func deliver(
        _ units: [MediaUnit], _ chunks: ByteBuffer, to name: String, from id: UInt64
    ) {
        guard let stream = streams[name], stream.publicationID == id else { return }
        stream.pendingChunks = stream.pending.isEmpty ? chunks : nil
        for unit in units {
            stream.cache.append(unit)
            stream.pending.append(unit)
        }
        if let packaged = stream.packaged { origin?.deliver(units, to: packaged) }
        stream.pendingBytes += chunks.readableBytes
        let interval = flushing.interval
        guard interval > .zero, stream.pendingBytes < configuration.queueByteLimit / 4 else {
            return flush(stream)
        }
        if flushing.holdsVideo {
            // A player that came before the stream gets it from its first frame on. At the end of
            // the interval the cache may have forgotten that frame.
            guard !stream.subscribers.contains(where: \.isWaiting) else { return flush(stream) }
            guard !stream.isFlushScheduled else { return }
            stream.isFlushScheduled = true
            let name = stream.name
            eventLoop.scheduleTask(in: interval) { [weak self] in
                guard let self, let stream = streams[name] else { return }
                stream.isFlushScheduled = false
                flush(stream)
            }
        } else {
            // Audio and data wait for a video frame, or for the interval's end.
            guard stream.cache.hasVideo, !units.contains(where: { $0.kind == .video }) else {
                return flush(stream)
            }
            flushLater(in: interval)
        }
    }

    /// Schedules one flush of all streams, so that many streams need no timers of their own.
    private func flushLater(in interval: TimeAmount) {
        guard !flushScheduled else { return }
        flushScheduled = true
        eventLoop.scheduleTask(in: interval) { [weak self] in
            guard let self else { return }
            flushScheduled = false
            for stream in streams.values where !stream.pending.isEmpty { flush(stream) }
        }
    }

    /// Hands the waiting units to every subscriber: subscribers that keep up get one buffer, which
    /// is made once.
    private func flush(_ stream: LocalStream) {
        let units = stream.pending
        guard !units.isEmpty else { return }
        stream.pending.removeAll(keepingCapacity: true)
        stream.pendingBytes = 0
        flushing.count(writes: stream.subscribers.count)
        var sample = units.lazy.compactMap(\.sample).first
        let began = sample == nil ? 0 : Clock.monotonicNanoseconds()
        if stream.pendingChunks == nil, units.count > 1 { meter.count(copies: units.count) }
        let chunks = stream.pendingChunks ?? Self.joinedChunks(units)
        stream.pendingChunks = nil
        let hasData = units.contains { $0.kind == .data }
        let tags =
            stream.subscribers.contains { $0.isFLV } ? Self.joinedTags(units) : ByteBuffer()
        if tags.readableBytes > 0 { meter.count(copies: units.count) }
        if sample != nil {
            sample?.serviceNanoseconds += Clock.monotonicNanoseconds() - began
        }
        chunks.withUnsafeReadableBytes { rawChunks in
            tags.withUnsafeReadableBytes { rawTags in
                for subscriber in stream.subscribers {
                    if !subscriber.takesBatch(hasData: hasData) {
                        subscriber.write(units, of: stream.cache)
                    } else if subscriber.isFLV {
                        subscriber.writeBatch(
                            tags, rawTags, messages: units.count, sample: sample)
                    } else {
                        subscriber.writeBatch(
                            chunks, rawChunks, messages: units.count, sample: sample)
                    }
                }
            }
        }
    }

    static func joinedChunks(_ units: some RandomAccessCollection<MediaUnit>) -> ByteBuffer {
        if units.count == 1, let only = units.first { return only.chunks }
        var bytes = ByteBuffer()
        bytes.reserveCapacity(units.reduce(0) { $0 + $1.chunks.readableBytes })
        for unit in units { bytes.writeImmutableBuffer(unit.chunks) }
        return bytes
    }

    static func joinedTags(_ units: some RandomAccessCollection<MediaUnit>) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(units.reduce(0) { $0 + $1.payload.readableBytes + 15 })
        for unit in units {
            FLVWriter.write(tag: unit.tag(timestamp: unit.timestamp), into: &bytes)
        }
        return bytes
    }

    /// State of a stream: subscribers by protocol, dropped frames, cache size.
    struct LocalStatus: Sendable {
        var rtmpSubscribers = 0
        var flvSubscribers = 0
        var droppedFrames = 0
        var cacheBytes = 0
    }

    func status() -> [String: LocalStatus] {
        streams.mapValues { stream in
            var status = LocalStatus(
                droppedFrames: stream.droppedFrames, cacheBytes: stream.cache.byteCount)
            for subscriber in stream.subscribers {
                switch subscriber.format {
                case .flv: status.flvSubscribers += 1
                case .rtmp: status.rtmpSubscribers += 1
                // `PushStatus` has these.
                case .push: continue
                }
                status.droppedFrames += subscriber.droppedFrames
            }
            return status
        }
    }
}
