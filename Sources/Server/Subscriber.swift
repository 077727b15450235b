import Media
import NIOCore
import RTMP

/// One player of a stream, RTMP or HTTP-FLV, bound to its channel's event loop.
final class Subscriber {
    enum Format {
        case rtmp(messageStreamID: UInt32)
        case flv
        /// The subscriber is a server to which the stream is published.
        case push(messageStreamID: UInt32)
    }

    private enum State {
        /// Nothing has been sent yet: headers and the GOP cache go first.
        case joining
        case live
        /// Everything is dropped until the queue has drained.
        case congested(since: NIODeadline)
        /// Video is dropped until the next key frame.
        case awaitingKeyFrame
        case paused
    }

    let format: Format
    private let outlet: Outlet
    private let place: Admissions.Place?
    private let writer: ChunkWriter
    private let queueByteLimit: Int
    /// Whether the subscriber sends copies of its own.
    private let copies: Bool
    /// Counts of the event loop; nil before the subscriber has joined a stream.
    var meter: RelayMeter?
    private var state = State.joining
    /// Bytes of the join burst, which may exceed the queue's limit until it has drained.
    private var burstAllowance = 0
    private var hasJoined = false
    /// Whether the headers changed while nothing was sent: they are sent before the next key frame.
    private var missedHeader = false
    /// Whether the metadata changed while nothing was sent.
    private var missedMetadata = false
    /// Position in its stream's list.
    var index = 0
    private(set) var droppedFrames = 0
    /// Function that is called when the publisher is gone for good.
    let onStreamEnd: () -> Void

    /// - Parameter place: Place that is kept as long as the player exists.
    init(
        format: Format, outlet: Outlet, configuration: ServerConfiguration,
        place: Admissions.Place? = nil, onStreamEnd: @escaping () -> Void
    ) {
        self.format = format
        self.place = place
        self.outlet = outlet
        self.onStreamEnd = onStreamEnd
        writer = ChunkWriter(chunkSize: configuration.chunkSize)
        queueByteLimit = configuration.queueByteLimit
        copies = configuration.buffers == .copy
    }

    var isFLV: Bool {
        if case .flv = format { true } else { false }
    }

    var isPush: Bool {
        if case .push = format { true } else { false }
    }

    /// Whether batched bytes may be written without a look at the single units.
    ///
    /// - Parameter hasData: Whether there are data messages among the units.
    func takesBatch(hasData: Bool) -> Bool {
        guard case .live = state, outlet.isWritable else { return false }
        switch format {
        case .flv: return true
        case .rtmp(let id): return id == MediaUnit.messageStreamID
        case .push(let id): return id == MediaUnit.messageStreamID && !hasData
        }
    }

    /// Writes a batch. `raw` are the readable bytes of `bytes`.
    ///
    /// - Parameters:
    ///   - messages: Number of messages in the batch.
    ///   - sample: Times of a message in the batch whose delivery is measured; nil = none is.
    func writeBatch(
        _ bytes: ByteBuffer, _ raw: UnsafeRawBufferPointer, messages: Int,
        sample: DeliverySample? = nil
    ) {
        burstAllowance = 0
        var mark = mark(sample)
        guard copies, let meter else {
            mark?.finishPreparing()
            return outlet.send(bytes, raw, mark: mark)
        }
        let own = meter.copy(bytes, messages: messages)
        mark?.finishPreparing()
        own.withUnsafeReadableBytes { outlet.send(own, $0, mark: mark) }
    }

    /// Begins the measurement of a delivery; nil if it is not measured.
    private func mark(_ sample: DeliverySample?) -> DeliveryMark? {
        guard let sample, let meter else { return nil }
        return DeliveryMark(sample, meter.delays)
    }

    /// Whether the kernel may merge small writes.
    var mergesSmallWrites = false {
        didSet { if mergesSmallWrites != oldValue { outlet.mergeSmallWrites(mergesSmallWrites) } }
    }

    /// Whether anything has been sent to it yet.
    var isWaiting: Bool { !hasJoined }

    /// Milliseconds for which the queue has been full.
    func congestedMilliseconds(now: NIODeadline) -> Int {
        if case .congested(let since) = state {
            Int((now - since).nanoseconds / 1_000_000)
        } else {
            0
        }
    }

    /// Pauses or resumes the player. A player that was paused before it got the headers joins when
    /// it resumes.
    func pause(_ paused: Bool) {
        state = paused ? .paused : hasJoined ? .awaitingKeyFrame : .joining
    }

    /// Writes units one by one: for joins, full queues and other message stream IDs.
    func write(_ units: [MediaUnit], of cache: GOPCache) {
        var wrote = false
        for unit in units {
            if case .joining = state {
                guard join(cache, first: unit) else { continue }
                wrote = true
                // The cache holds the whole batch already.
                if cache.units.isEmpty { continue } else { break }
            }
            if admits(unit, cache) {
                if !unit.isSequenceHeader { sendMissed(cache, before: unit) }
                send(unit)
                wrote = true
            } else if unit.isSequenceHeader {
                missedHeader = true
            } else if unit.isMetadata {
                missedMetadata = true
            } else if unit.kind != .data {
                droppedFrames += 1
            }
        }
        if wrote { outlet.flush() }
    }

    private func admits(_ unit: MediaUnit, _ cache: GOPCache) -> Bool {
        let writable = outlet.isWritable
        if writable { burstAllowance = 0 }
        switch state {
        case .live:
            if writable { return true }
            if outlet.queuedBytes > queueByteLimit + burstAllowance {
                state = .congested(since: .now())
                return false
            }
            return !unit.isDisposable
        case .congested:
            guard writable else { return false }
            state = .awaitingKeyFrame
            return admits(unit, cache)
        case .awaitingKeyFrame:
            // Audio continues in the meantime, within the same limit.
            if !writable, outlet.queuedBytes > queueByteLimit + burstAllowance {
                state = .congested(since: .now())
                return false
            }
            if unit.isSequenceHeader || unit.kind != .video { return true }
            guard unit.isKeyFrame || !cache.hasVideo else { return false }
            state = .live
            return true
        case .joining, .paused: return false
        }
    }

    /// Sends headers, metadata and the cache. `first` is the unit that is being delivered and
    /// already part of `cache`; nil if the player joins between two units. Returns false while the
    /// player has to wait for a key frame.
    @discardableResult
    func join(_ cache: GOPCache, first: MediaUnit?) -> Bool {
        let burst: [MediaUnit]
        if !cache.units.isEmpty {
            burst = cache.units
        } else if let first, !first.isSequenceHeader, first.kind != .data,
            !cache.hasVideo || first.isKeyFrame
        {
            burst = [first]
        } else {
            return false
        }
        state = .live
        hasJoined = true
        missedHeader = false
        missedMetadata = false
        let time = burst[0].timestamp
        var head = ByteBuffer()
        if case .flv = format {
            let hasVideo =
                cache.hasVideo || !cache.hasAudio || cache.declares("videocodecid")
            head = FLVWriter.fileHeader(
                hasAudio: cache.hasAudio || cache.declares("audiocodecid"), hasVideo: hasVideo)
        }
        // FFmpeg takes a later script tag for a subtitle, so metadata have time 0.
        if let metadata = cache.metadata { append(metadata, timestamp: 0, to: &head) }
        for header in cache.headers { append(header, timestamp: time, to: &head) }
        var buffers = buffers(of: burst, cache)
        if copies, let meter {
            // The number of messages in each buffer does not matter, only their sum.
            meter.count(copies: burst.count)
            buffers = buffers.map { meter.copy($0, messages: 0) }
        }
        burstAllowance += buffers.reduce(0) { $0 + $1.readableBytes + Outlet.writeOverhead }
        outlet.write(head)
        outlet.write(buffers)
        if first == nil { outlet.flush() }
        return true
    }

    private func buffers(of burst: [MediaUnit], _ cache: GOPCache) -> [ByteBuffer] {
        switch format {
        case .flv where !cache.units.isEmpty: return cache.joined(asTags: true)
        case .rtmp(MediaUnit.messageStreamID) where !cache.units.isEmpty,
            .push(MediaUnit.messageStreamID) where !cache.units.isEmpty:
            return cache.joined(asTags: false)
        default:
            var bytes = ByteBuffer()
            for unit in burst { append(unit, timestamp: unit.timestamp, to: &bytes) }
            return [bytes]
        }
    }

    private func sendMissed(_ cache: GOPCache, before unit: MediaUnit) {
        if missedMetadata, let metadata = cache.metadata {
            send(metadata, timestamp: unit.timestamp)
        }
        missedMetadata = false
        guard missedHeader else { return }
        missedHeader = false
        for header in cache.headers { send(header, timestamp: unit.timestamp) }
    }

    private func send(_ unit: MediaUnit, timestamp: UInt32? = nil) {
        let time = timestamp ?? unit.timestamp
        var mark = timestamp == nil ? mark(unit.sample) : nil
        var bytes = unit.chunks
        if !sharesChunks(of: unit) || time != unit.timestamp {
            bytes = ByteBuffer()
            append(unit, timestamp: time, to: &bytes)
        } else if let meter, copies || keepsTooMuch(bytes) {
            bytes = meter.copy(bytes, messages: 1)
        }
        mark?.finishPreparing()
        outlet.write(bytes, mark: mark)
    }

    /// Whether bytes that have to wait are a small part of the buffer of a read, all of which they
    /// would keep in memory, although the queue's limit counts only the bytes themselves.
    private func keepsTooMuch(_ bytes: ByteBuffer) -> Bool {
        bytes.storageCapacity / 4 > bytes.readableBytes + Outlet.writeOverhead
            && outlet.queuedBytes > 0
    }

    /// Whether the unit's own chunks are what this subscriber gets.
    private func sharesChunks(of unit: MediaUnit) -> Bool {
        switch format {
        case .flv: false
        case .rtmp(let id): id == MediaUnit.messageStreamID
        case .push(let id): id == MediaUnit.messageStreamID && !unit.isMetadata
        }
    }

    private func append(_ unit: MediaUnit, timestamp: UInt32, to bytes: inout ByteBuffer) {
        meter?.count(copies: 1)
        switch format {
        case .rtmp(let id):
            append(unit.message(timestamp: timestamp, messageStreamID: id), to: &bytes)
        case .push(let id):
            var message = unit.message(timestamp: timestamp, messageStreamID: id)
            if unit.isMetadata { message.payload = Self.published(message.payload) }
            append(message, to: &bytes)
        case .flv: FLVWriter.write(tag: unit.tag(timestamp: timestamp), into: &bytes)
        }
    }

    private func append(_ message: Message, to bytes: inout ByteBuffer) {
        do {
            try writer.write(message, into: &bytes)
        } catch {
            // The unit's own chunks were written once, so only a unit that became longer since
            // then can fail here.
            droppedFrames += 1
        }
    }

    /// Metadata as a publisher sends it: with `@setDataFrame` before it.
    private static func published(_ metadata: ByteBuffer) -> ByteBuffer {
        var payload = ByteBuffer()
        AMF0.write(.string("@setDataFrame"), into: &payload)
        payload.writeImmutableBuffer(metadata)
        return payload
    }
}

extension GOPCache {
    /// Whether the metadata names a property, for example `audiocodecid`.
    func declares(_ property: String) -> Bool {
        guard var payload = metadata?.payload else { return false }
        let values = (try? AMF0.readAll(&payload)) ?? []
        return values.dropFirst().first?[property] != nil
    }
}
