import SimulationKernel
package import Viewer

// Each session at a target is planned as a viewer that is a probe: its frames are due, timed and
// missed as those of a probe that plays, so every figure and threshold of probes holds for targets.
// The protocol of such a viewer is `rtmp-push`, and its group follows the groups of the scenario.

extension Plan {
    /// Viewers that play, which are those of the scenario's groups.
    package var players: [ViewerPlan] { viewers.filter { $0.target == nil } }

    /// Sessions at the targets of a relay; empty without a relay.
    package var targetSessions: [ViewerPlan] { viewers.filter { $0.target != nil } }

    /// Returns the streams that a sink process expects.
    package func sinkSpecs(_ process: ProcessPlan) -> [SinkSpec] {
        process.viewers.compactMap { index in
            let viewer = viewers[index]
            guard let target = viewer.target else { return nil }
            let application = RelaySettings.application(ofTarget: target)
            return SinkSpec(
                index: viewer.index, name: "\(application)/\(viewer.streamKey)",
                stream: viewer.stream, rendition: viewer.rendition,
                readRate: viewer.link.map { links[$0.link].payloadRate })
        }
    }
}

extension RelaySettings {
    /// The links of the sessions: the link of every session, and that of stalled ones.
    var links: [GroupLink] {
        var links = link.map { [GroupLink.rateLimit($0)] } ?? []
        if let faults, faults.stalled > 0 { links.append(.rateLimit(faults.stalledRate)) }
        return links
    }

    /// Returns the sessions of the published streams at their targets.
    ///
    /// - Parameters:
    ///   - group: Number of the sessions' group.
    ///   - first: Index of the first session among the viewers.
    ///   - firstLink: Index of the first of `links` among the links of the plan.
    func sessions(
        of publishers: [PublisherPlan], group: Int, from first: Int, firstLink: Int
    ) -> [ViewerPlan] {
        let published = publishers.filter(\.isPublished)
        var sessions: [ViewerPlan] = []
        for (number, publisher) in published.enumerated() {
            for target in 0..<targets {
                let place = linkPlace(target: target, stream: number, streams: published.count)
                sessions.append(
                    ViewerPlan(
                        index: first + sessions.count, group: group, playProtocol: .rtmpPush,
                        streamKey: publisher.streamKey, stream: publisher.stream,
                        rendition: publisher.rendition, joinOffsetNanoseconds: 0, isProbe: true,
                        mode: .prompt, link: place.map { LinkAssignment(link: firstLink + $0) },
                        watchNanoseconds: [], playoutBufferNanoseconds: 1_000_000_000,
                        target: target))
            }
        }
        return sessions
    }

    /// Returns the index in `links` of a session's link; nil = the session has none. The stalled
    /// sessions are at the last target, then at the one before, and so on.
    private func linkPlace(target: Int, stream: Int, streams: Int) -> Int? {
        let place = (targets - 1 - target) * streams + stream
        if place < faults?.stalled ?? 0 { return links.count - 1 }
        return link == nil ? nil : 0
    }
}

extension ProcessPlan {
    /// Returns the sink processes. Target k is at process k modulo their number.
    static func sinks(of scenario: TrialScenario, _ sessions: [ViewerPlan]) -> [ProcessPlan] {
        guard let relay = scenario.relay else { return [] }
        let cpus = scenario.cpus
        return (0..<relay.sinks).map { number in
            ProcessPlan(
                role: .sinks, name: "\(Role.sinks.rawValue)-\(number)",
                cpus: cpus.sinks ?? cpus.probes ?? cpus.viewers, publishers: [],
                viewers: sessions.filter { ($0.target ?? 0) % relay.sinks == number }.map(\.index))
        }
    }
}
