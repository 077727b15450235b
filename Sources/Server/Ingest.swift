import Media
import NIOCore
import RTMP
import Sockets

/// The publisher's side of a stream: takes its messages and feeds the hub of every event loop.
final class Ingest {
    let name: String
    private let id: UInt64
    private let directory: StreamDirectory
    private let hubs: [StreamHub]
    private let backlog: Backlog
    private let eventLoop: any EventLoop
    private let writer: ChunkWriter
    /// Counts of the publisher's event loop.
    private let meter: RelayMeter?
    /// Number of messages until one is measured again.
    private var messagesToSample = 1
    private let counts: PublicationCounts
    private var units: [MediaUnit] = []
    private var bytes = 0
    /// The reads of the publisher's socket, in which audio waits under load.
    let reads: MarkedReads
    /// Offset added to every timestamp, so that a publisher that returns continues in the same
    /// timeline.
    private var timestampOffset: UInt32?
    private let resumesAfter: UInt32?
    /// Timeline of the frames sent before, which are left out; it is set if timestamps are the
    /// source's and stay unchanged.
    private var overlap: ResumedTimeline?

    init(
        name: String, claim: StreamDirectory.Grant, directory: StreamDirectory,
        hubs: [StreamHub], backlog: Backlog, outlet: Outlet,
        configuration: ServerConfiguration,
        keepsTimestamps: Bool = false
    ) {
        self.name = name
        id = claim.id
        counts = claim.counts
        resumesAfter = keepsTimestamps ? nil : claim.resumesAfter
        overlap = keepsTimestamps ? claim.resumesAfter.map { ResumedTimeline(after: $0) } : nil
        self.directory = directory
        self.hubs = hubs
        self.backlog = backlog
        eventLoop = outlet.eventLoop
        reads = MarkedReads(outlet)
        writer = ChunkWriter(chunkSize: configuration.chunkSize)
        meter = hubs.first { $0.eventLoop.inEventLoop }?.meter
        let resumes = claim.resumesAfter != nil
        let id = id
        onEachLoop {
            $0.publisherStarted(name, id: id, resumes: resumes, isEncoded: keepsTimestamps)
        }
    }

    private func onEachLoop(
        cost: Int = Backlog.leastCost, _ action: @escaping @Sendable (StreamHub) -> Void
    ) {
        for hub in hubs {
            if hub.eventLoop.inEventLoop {
                action(hub)
            } else {
                backlog.handOver(to: hub, cost: cost, action)
            }
        }
    }

    func receive(_ message: Message) throws(RTMPError) {
        var message = message
        let began = beginSample(message)
        bytes += message.payload.readableBytes
        if let resumesAfter {
            // Metadata and headers may have time 0, wherever the frames begin.
            if timestampOffset == nil, Self.isFrame(message) {
                timestampOffset = resumesAfter &+ 40 &- message.timestamp
            }
            message.timestamp =
                timestampOffset.map { message.timestamp &+ $0 } ?? (resumesAfter &+ 40)
        }
        guard var unit = try MediaUnit(unwritten: message) else { return }
        reads.count(unit)
        if began > 0 {
            unit.sample = DeliverySample(
                readNanoseconds: began,
                serviceNanoseconds: Clock.monotonicNanoseconds() - began)
        }
        if overlap?.admits(unit) ?? true { units.append(unit) }
    }

    /// Returns the time in nanoseconds of CLOCK_MONOTONIC if the message is one of those whose
    /// deliveries are measured, else 0. Only video is measured, as probes do it: audio may wait on
    /// purpose (`FlushPolicy`).
    private func beginSample(_ message: Message) -> Int64 {
        guard message.type == .video else { return 0 }
        messagesToSample -= 1
        guard messagesToSample <= 0 else { return 0 }
        messagesToSample = DeliverySample.interval
        return Clock.monotonicNanoseconds()
    }

    private static func isFrame(_ message: Message) -> Bool {
        switch message.type {
        case .audio: !(AudioTagHeader.parse(message.payload)?.isSequenceHeader ?? false)
        case .video: !(VideoTagHeader.parse(message.payload)?.isSequenceHeader ?? false)
        default: false
        }
    }

    /// Sends the messages of one read together.
    func deliver() {
        guard !units.isEmpty else { return }
        var batch = units
        units.removeAll(keepingCapacity: true)
        let sampled = batch.firstIndex { $0.sample != nil }
        let began = sampled == nil ? 0 : Clock.monotonicNanoseconds()
        let chunks = MediaUnit.write(&batch, writer)
        if let sampled {
            batch[sampled].sample?.serviceNanoseconds += Clock.monotonicNanoseconds() - began
        }
        if let meter { for unit in batch { meter.count(unit) } }
        let isCurrent = counts.record(bytes: bytes, units: batch)
        bytes = 0
        // Another publisher has taken over: the messages that still arrive from this one are too
        // late.
        guard isCurrent else { return }
        let (name, id) = (name, id)
        let cost = batch.reduce(0) { $0 + max($1.cost, Backlog.leastCost) }
        let units = batch
        onEachLoop(cost: cost) { $0.deliver(units, chunks, to: name, from: id) }
    }

    /// Ends the publication: the publisher closed it (`clean`), or its connection broke.
    func end(clean: Bool, grace: TimeAmount) {
        reads.end()
        let (name, id, directory, hubs, backlog) = (name, id, directory, hubs, backlog)
        @Sendable func finish(onlyIfAway: Bool) {
            guard directory.end(name, id: id, onlyIfAway: onlyIfAway) else { return }
            for hub in hubs { backlog.handOver(to: hub) { $0.publisherEnded(name, id: id) } }
        }
        if clean || grace <= .zero {
            finish(onlyIfAway: false)
        } else if directory.leave(name, id: id) {
            eventLoop.scheduleTask(in: grace) { finish(onlyIfAway: true) }
        }
    }
}
