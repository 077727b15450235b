import Media
import NIOCore
import RTMP
import Synchronization

/// A publisher's side of a stream: takes its messages, feeds the hub of every event loop.
final class Ingest {
    let name: String
    private let id: UInt64
    private let directory: StreamDirectory
    private let hubs: [StreamHub]
    private let eventLoop: any EventLoop
    private let writer: ChunkWriter
    private var units: [MediaUnit] = []
    private var bytes = 0
    /// Added to every timestamp, so that a publisher that returns goes on in the same timeline.
    private var timestampOffset: UInt32?
    private let resumesAfter: UInt32?
    /// Set where timestamps are the source's and stay so: what was sent before is left out.
    private var overlap: ResumedTimeline?

    init(
        name: String, claim: (id: UInt64, resumesAfter: UInt32?), directory: StreamDirectory,
        hubs: [StreamHub], eventLoop: any EventLoop, configuration: ServerConfiguration,
        keepsTimestamps: Bool = false
    ) {
        self.name = name
        id = claim.id
        resumesAfter = keepsTimestamps ? nil : claim.resumesAfter
        overlap = keepsTimestamps ? claim.resumesAfter.map { ResumedTimeline(after: $0) } : nil
        self.directory = directory
        self.hubs = hubs
        self.eventLoop = eventLoop
        writer = ChunkWriter(chunkSize: configuration.chunkSize)
        let resumes = claim.resumesAfter != nil
        let id = id
        onEachLoop {
            $0.publisherStarted(name, id: id, resumes: resumes, isEncoded: keepsTimestamps)
        }
    }

    /// What other loops have not worked on yet, in bytes over all loops.
    private final class Backlog: Sendable {
        let cost = Atomic<Int>(0)
    }

    private let backlog = Backlog()
    private static let backlogLimit = 4 << 20
    /// A unit counts as at least so many bytes: ever so many small ones are work, too.
    private static let leastUnitCost = 2048

    /// Whether other loops have enough to do with what has been delivered.
    var isBehind: Bool { backlog.cost.load(ordering: .relaxed) > Self.backlogLimit }

    private func onEachLoop(_ action: @escaping @Sendable (StreamHub) -> Void) {
        for hub in hubs {
            if hub.eventLoop.inEventLoop {
                action(hub)
            } else {
                hub.turns.handOver { action(hub) }
            }
        }
    }

    func receive(_ message: Message) throws(RTMPError) {
        if message.type == .aggregate {
            for part in try message.split() where part.type != .aggregate { try receive(part) }
            return
        }
        var message = message
        bytes += message.payload.readableBytes
        // The handler has told of those that come by themselves; these are an aggregate's.
        if message.payload.readableBytes > ServerLimits.headerBytes, message.isKeptForPlayers {
            return directory.recordLeftOut(name)
        }
        if let resumesAfter {
            // Metadata and headers may have time 0 wherever the frames begin.
            if timestampOffset == nil, Self.isFrame(message) {
                timestampOffset = resumesAfter &+ 40 &- message.timestamp
            }
            message.timestamp =
                timestampOffset.map { message.timestamp &+ $0 } ?? (resumesAfter &+ 40)
        }
        guard let unit = try MediaUnit(message, writer: writer) else { return }
        if overlap?.admits(unit) ?? true { units.append(unit) }
    }

    private static func isFrame(_ message: Message) -> Bool {
        switch message.type {
        case .audio: !(AudioTagHeader.parse(message.payload)?.isSequenceHeader ?? false)
        case .video: !(VideoTagHeader.parse(message.payload)?.isSequenceHeader ?? false)
        default: false
        }
    }

    /// What one read brought goes out together.
    func deliver() {
        guard !units.isEmpty else { return }
        let batch = units
        units.removeAll(keepingCapacity: true)
        let isCurrent = directory.record(name, id: id, bytes: bytes, units: batch)
        bytes = 0
        // Another publisher has taken over: what is still under way from this one is late.
        guard isCurrent else { return }
        let (name, id) = (name, id)
        let (backlog, home) = (backlog, eventLoop)
        let cost = batch.reduce(0) { $0 + max($1.cost, Self.leastUnitCost) }
        backlog.cost.add(cost * (hubs.count - 1), ordering: .relaxed)
        onEachLoop { hub in
            hub.deliver(batch, to: name, from: id)
            if hub.eventLoop !== home { backlog.cost.subtract(cost, ordering: .relaxed) }
        }
    }

    /// The publisher said goodbye (`clean`) or its connection broke.
    func end(clean: Bool, grace: TimeAmount) {
        let (name, id, directory, hubs) = (name, id, directory, hubs)
        @Sendable func finish(onlyIfAway: Bool) {
            guard directory.end(name, id: id, onlyIfAway: onlyIfAway) else { return }
            for hub in hubs { hub.turns.handOver { hub.publisherEnded(name, id: id) } }
        }
        if clean || grace <= .zero {
            finish(onlyIfAway: false)
        } else if directory.leave(name, id: id) {
            eventLoop.scheduleTask(in: grace) { finish(onlyIfAway: true) }
        }
    }
}
