import Publisher
import Results
import Scenario
import Statistics
import Viewer

/// The viewers of one rendition over one protocol, from both vantage points.
struct RenditionGroup {
    let stream: String
    let rendition: String
    let playProtocol: String
    let publisher: PublisherPlan
    var published: PublishedStreamReport?
    var load: [LoadViewerReport] = []
    var probes: [ProbeViewerReport] = []
    var wire: [WireSubscriber] = []
    /// Delays from the probes' interval reports, which remain if a probe process was killed.
    var interimDelay = DelayHistogram()

    static func all(of record: TrialRecord) -> [RenditionGroup] {
        var groups: [RenditionGroup] = []
        for publisher in record.plan.publishers {
            let planned = record.plan.viewers.filter { $0.streamKey == publisher.streamKey }
            for transport in ViewerGroup.PlayProtocol.allCases
            where transport != .hls && planned.contains(where: { $0.playProtocol == transport }) {
                var group = RenditionGroup(
                    stream: publisher.stream, rendition: publisher.rendition,
                    playProtocol: transport.rawValue, publisher: publisher)
                func belongs(_ index: Int) -> Bool {
                    let viewer = record.viewerPlan(index)
                    return viewer.streamKey == publisher.streamKey
                        && viewer.playProtocol == transport
                }
                group.published = record.streams.first { $0.streamID == publisher.streamID }
                group.load = record.load.filter { belongs($0.index) }
                group.probes = record.probes.filter { belongs($0.index) }
                group.wire = record.wire.subscribers.filter {
                    $0.streamKey == publisher.streamKey && $0.playProtocol == transport.rawValue
                }
                group.relayDelay =
                    record.wire.relayDelay[publisher.streamKey]?[transport.rawValue] ?? .init()
                let key = ViewerSpec.delayKey(
                    publisher.stream, publisher.rendition, transport.rawValue)
                group.interimDelay = record.live.probeDelay[key] ?? .init()
                group.count(of: record)
                groups.append(group)
            }
        }
        return groups
    }

    /// Whether the sessions are those at the targets of a relay.
    var isAtTargets: Bool { playProtocol == ViewerGroup.PlayProtocol.rtmpPush.rawValue }

    var tags: [String: String] {
        ["stream": stream, "rendition": rendition, "protocol": playProtocol]
    }

    /// Number of sessions that were present in the window.
    private(set) var viewerCount = 0
    /// Total time that those sessions spent in the window, counted from each session's first media.
    private(set) var viewerSeconds = 0.0
    /// Number of the wire's subscribers in the window, and their time. `dissectedSeconds` counts
    /// only the subscribers whose payload is known.
    private(set) var wireViewerCount = 0
    private(set) var wireSeconds = 0.0
    private(set) var dissectedSeconds = 0.0
    /// Number of frames due to the probes in the window, and number of those that came; nil if no
    /// probe could count them.
    private(set) var frames: (expected: Int, received: Int)?

    private mutating func count(of record: TrialRecord) {
        let sessions =
            load.map { ViewerSession($0, record.plan) }
            + probes.map { ViewerSession($0, record.plan) }
        for session in sessions {
            let seconds = session.seconds(in: record.window)
            viewerSeconds += seconds
            if seconds > 0 { viewerCount += 1 }
        }
        let byPeer = Dictionary(grouping: sessions, by: \.peer)
        for subscriber in wire {
            let played = subscriber.playNanoseconds - record.clockOffset.minimumNanoseconds
            let session = ViewerSession.behind(byPeer[subscriber.peer] ?? [], at: played)
            // Players that are not Millrace's count as present for the whole window.
            let seconds =
                session.map { $0.seconds(in: record.window) } ?? record.windowSeconds
            wireSeconds += seconds
            if seconds > 0 { wireViewerCount += 1 }
            if subscriber.payloadBytes != nil { dissectedSeconds += seconds }
        }
        guard let schedule = published.flatMap(FrameSchedule.init), !probes.isEmpty else { return }
        // Video without a single stamp comes from another publisher or has a codec that cannot
        // carry stamps.
        let sawVideo = probes.contains { $0.total.videoMessages > 1 }
        guard !sawVideo || probes.contains(where: { $0.streamID != nil }) else { return }
        let kept = keptFrames
        frames = probes.reduce(into: (0, 0)) { sum, probe in
            let leave = record.plan.leaveOffset(ofSession: probe.index)
                .map { $0 + record.startNanoseconds }
            let due = schedule.due(
                to: probe, leaving: leave, window: record.window,
                grace: publisher.isPublished
                    ? FrameSchedule.leaveGraceNanoseconds : Self.encodedGraceNanoseconds)
            let all = kept.count(in: due, seen: probe.firstWindowFrame)
            let gap = published?.framesInGap(among: due) ?? 0
            // Frames of a planned gap were not meant to be sent, so they are due to nobody.
            let count = max(min(all, probe.windowFrames), all - gap)
            sum.0 += count
            sum.1 += min(count, probe.windowFrames)
        }
    }

    /// Grace like `FrameSchedule.leaveGraceNanoseconds`, with additional time for the encoder.
    static let encodedGraceNanoseconds: Int64 = 5_000_000_000

    /// The frames of the source that the rendition contains.
    var keptFrames: KeptFrames {
        publisher.keptFrames(of: published.flatMap(FrameSchedule.init))
    }

    var viewerPayloadBytes: Int {
        load.reduce(0) { $0 + $1.window.payloadBytes }
            + probes.reduce(0) { $0 + $1.window.payloadBytes }
    }

    /// Corrected delay of the probes' frames.
    var delay: DelayHistogram {
        guard !probes.isEmpty else { return interimDelay }
        return probes.reduce(into: DelayHistogram()) { $0.add($1.delay) }
    }

    var uncorrectedDelay: DelayHistogram {
        probes.reduce(into: DelayHistogram()) { $0.add($1.uncorrectedDelay) }
    }

    /// Delay through the server, as the capture saw it.
    var relayDelay = DelayHistogram()

    /// Number of frames that were due; nil without stamps or without a probe.
    var framesExpected: Int? { frames?.expected }
    var framesReceived: Int? { frames?.received }
    var framesMissing: Int? { frames.map { $0.expected - $0.received } }
}
