import Publisher
import Statistics
import Viewer

/// The viewers of one rendition over one protocol, from both vantage points.
struct RenditionGroup {
    let stream: String
    let rendition: String
    let playProtocol: String
    let publisher: PublisherPlan
    var published: StreamReport?
    var load: [LoadViewerReport] = []
    var probes: [ProbeViewerReport] = []
    var wire: [WireSubscriber] = []
    /// The probes' intervals, which remain where a probe process was killed.
    var interimDelay = DelayHistogram()

    static func all(of assembly: ResultsAssembly) -> [RenditionGroup] {
        var groups: [RenditionGroup] = []
        for publisher in assembly.plan.publishers {
            let planned = assembly.plan.viewers.filter { $0.streamKey == publisher.streamKey }
            for transport in ViewerGroup.PlayProtocol.allCases
            where planned.contains(where: { $0.playProtocol == transport }) {
                var group = RenditionGroup(
                    stream: publisher.stream, rendition: publisher.rendition,
                    playProtocol: transport.rawValue, publisher: publisher)
                func belongs(_ index: Int) -> Bool {
                    let viewer = assembly.viewerPlan(index)
                    return viewer.streamKey == publisher.streamKey
                        && viewer.playProtocol == transport
                }
                group.published = assembly.streams.first { $0.streamID == publisher.streamID }
                group.load = assembly.load.filter { belongs($0.index) }
                group.probes = assembly.probes.filter { belongs($0.index) }
                group.wire = assembly.wire.subscribers.filter {
                    $0.streamKey == publisher.streamKey && $0.playProtocol == transport.rawValue
                }
                group.relayDelay =
                    assembly.wire.relayDelay[publisher.streamKey]?[transport.rawValue] ?? .init()
                group.interimDelay =
                    assembly.live.probeDelay["\(publisher.stream)/\(publisher.rendition)"]
                    ?? .init()
                groups.append(group)
            }
        }
        return groups
    }

    var tags: [String: String] {
        ["stream": stream, "rendition": rendition, "protocol": playProtocol]
    }

    /// Viewers that received anything at all.
    var viewerCount: Int {
        load.count { $0.total.payloadBytes > 0 } + probes.count { $0.total.payloadBytes > 0 }
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

    /// Through the server, as the capture saw it.
    var relayDelay = DelayHistogram()

    /// Probes that were there for the whole window: those can be held to every frame of it.
    private var wholeProbes: [ProbeViewerReport] {
        probes.filter { $0.index < Plan.sessionStride && $0.firstFrameNanoseconds != nil }
    }

    /// What the publisher meant to send in the window, times the probes. nil without stamps.
    var framesExpected: Int? {
        guard let published, !probes.isEmpty else { return nil }
        return published.windowFrames * wholeProbes.count
    }

    var framesReceived: Int? {
        probes.isEmpty ? nil : wholeProbes.reduce(0) { $0 + $1.windowFrames }
    }

    var framesMissing: Int {
        guard let framesExpected, let framesReceived else { return 0 }
        return max(0, framesExpected - framesReceived)
    }
}
