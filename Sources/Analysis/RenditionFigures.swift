import Publisher
import Results
import Scenario
import SimulationKernel
import Statistics
import Viewer

/// Figures of the RTMP and HTTP-FLV viewers by rendition, at the viewer and on the wire.
struct RenditionFigures {
    let record: TrialRecord
    let groups: [RenditionGroup]
    let rows: [RenditionRow]

    init(_ record: TrialRecord, _ encoders: EncoderFigures) {
        self.record = record
        groups = RenditionGroup.all(of: record)
        rows = groups.flatMap { Self.rows(of: $0, record, encoders) }
    }

    private static func rows(
        of group: RenditionGroup, _ record: TrialRecord, _ encoders: EncoderFigures
    ) -> [RenditionRow] {
        var viewer = record.row(
            RenditionKey(group.publisher), vantage: "viewer", playProtocol: group.playProtocol,
            encoders: encoders)
        viewer.viewers = group.viewerCount
        viewer.payloadBytes = group.viewerPayloadBytes
        viewer.payloadKilobits = MeanRate.kilobits(
            group.viewerPayloadBytes, seconds: group.viewerSeconds)
        viewer.set(group.delay)
        viewer.delayUncorrectedP99Milliseconds =
            group.uncorrectedDelay.milliseconds(atPercentile: 99)
        viewer.framesExpected = group.framesExpected
        viewer.framesReceived = group.framesReceived
        viewer.framesDuplicate = group.probes.reduce(0) { $0 + $1.duplicateFrames }
        // The capture sees the server's own ports, and so not what it sends to targets.
        guard record.wire.capture.ran, !group.isAtTargets else { return [viewer] }
        var onWire = record.row(
            RenditionKey(group.publisher), vantage: "wire", playProtocol: group.playProtocol,
            encoders: encoders)
        let full = group.wire.filter { $0.payloadBytes != nil }
        let payload = full.reduce(0) { $0 + ($1.payloadBytes ?? 0) }
        onWire.viewers = group.wireViewerCount
        onWire.payloadBytes = payload
        onWire.payloadKilobits = MeanRate.kilobits(payload, seconds: group.dissectedSeconds)
        onWire.wireKilobits = MeanRate.kilobits(
            group.wire.reduce(0) { $0 + $1.wireBytes }, seconds: group.wireSeconds)
        onWire.retransmittedBytes = group.wire.reduce(0) { $0 + $1.retransmittedBytes }
        onWire.set(group.relayDelay)
        return [viewer, onWire]
    }

    var delayRows: [DelayRow] {
        groups.flatMap { group -> [DelayRow] in
            let kinds: [(String, String, String, DelayHistogram)] = [
                ("viewer", "end-to-end", "corrected", group.delay),
                ("viewer", "end-to-end", "uncorrected", group.uncorrectedDelay),
                ("wire", "relay", "uncorrected", group.relayDelay),
            ]
            return kinds.flatMap { vantage, hop, correction, delay in
                record.delayRows(
                    delay, group.publisher, vantage: vantage, hop: hop,
                    playProtocol: group.playProtocol, correction: correction)
            }
        }
    }

    /// Payload of the same viewers in the same window, from both vantage points.
    var reconciliation: [Reconciliation] {
        guard record.wire.capture.ran else { return [] }
        return record.plan.publishers.compactMap { publisher in
            let mine = groups.filter { $0.publisher.streamKey == publisher.streamKey }
            let byPeer = Dictionary(
                mine.flatMap(\.wire).compactMap { subscriber in
                    subscriber.payloadBytes.map { (subscriber.peer, $0) }
                }, uniquingKeysWith: +)
            let viewers = mine.flatMap { group in
                group.load.map { (peer($0.index, $0.localPort), $0.window.payloadBytes) }
                    + group.probes.map { (peer($0.index, $0.localPort), $0.window.payloadBytes) }
            }
            // Successive sessions may have the same port.
            let seen = Dictionary(viewers, uniquingKeysWith: +).filter { byPeer[$0.key] != nil }
            guard !seen.isEmpty else { return nil }
            return Reconciliation(
                stream: publisher.stream, rendition: publisher.rendition,
                viewerBytes: seen.values.reduce(0, +),
                wireBytes: seen.keys.reduce(0) { $0 + (byPeer[$1] ?? 0) })
        }
    }

    private func peer(_ session: Int, _ port: Int) -> ViewerPeer {
        record.plan.peer(ofSession: session, port: port)
    }

    var samples: [MetricSample] { groups.flatMap(viewerSamples) + groups.flatMap(wireSamples) }

    private func viewerSamples(_ group: RenditionGroup) -> [MetricSample] {
        var tags = group.tags
        tags["vantage"] = "viewer"
        func number(_ metric: Metric, _ value: Int) -> MetricSample {
            MetricSample(metric: metric, tags: tags, value: .number(Double(value)))
        }
        var samples = [
            number(.joinFailures, joinFailures(group)),
            number(.disconnects, disconnects(group)),
        ]
        // Figures that only probes can measure do not exist without a probe. No threshold passes
        // without a figure.
        if let missing = group.framesMissing {
            samples.append(number(.framesMissing, missing))
            samples.append(
                number(.framesDuplicate, group.probes.reduce(0) { $0 + $1.duplicateFrames }))
        }
        if group.probes.contains(where: { $0.firstFrameNanoseconds != nil }) {
            samples.append(number(.stalls, group.probes.reduce(0) { $0 + $1.stallCount }))
        }
        if group.delay.count > 0 {
            samples.append(
                .init(metric: .delayMilliseconds, tags: tags, value: .distribution(group.delay)))
        }
        if group.uncorrectedDelay.count > 0 {
            samples.append(
                .init(
                    metric: .uncorrectedDelayMilliseconds, tags: tags,
                    value: .distribution(group.uncorrectedDelay)))
        }
        var startup = DelayHistogram()
        for probe in group.probes {
            if let first = probe.firstMediaNanoseconds { startup.record(nanoseconds: first) }
        }
        for viewer in group.load {
            if let first = viewer.firstMediaNanoseconds { startup.record(nanoseconds: first) }
        }
        if startup.count > 0 {
            samples.append(
                .init(metric: .startupMilliseconds, tags: tags, value: .distribution(startup)))
        }
        for ratio in group.probes.compactMap(\.stallRatio) {
            samples.append(.init(metric: .stallRatio, tags: tags, value: .number(ratio)))
        }
        return samples
    }

    private func joinFailures(_ group: RenditionGroup) -> Int {
        let planned = record.plan.viewers.filter {
            $0.streamKey == group.publisher.streamKey
                && $0.playProtocol.rawValue == group.playProtocol
        }.count
        let sessions =
            group.load.map { ($0.index, $0.firstMediaNanoseconds != nil, $0.failure != nil) }
            + group.probes.map { ($0.index, $0.firstFrameNanoseconds != nil, $0.failure != nil) }
        // A refused session counts even if another session of the same viewer was accepted. A
        // session that left before anything came does not count.
        let refused = sessions.filter { !$0.1 && $0.2 }
        let settled = Set(sessions.filter { $0.1 || $0.2 }.map { $0.0 % Plan.sessionStride })
        return refused.count + max(0, planned - settled.count)
    }

    private func disconnects(_ group: RenditionGroup) -> Int {
        group.load.count { $0.firstMediaNanoseconds != nil && $0.failure != nil }
            + group.probes.count { $0.firstFrameNanoseconds != nil && $0.failure != nil }
    }

    private func wireSamples(_ group: RenditionGroup) -> [MetricSample] {
        guard record.wire.capture.ran, !group.isAtTargets else { return [] }
        var tags = group.tags
        tags["vantage"] = "wire"
        var samples: [MetricSample] = []
        let delay = group.relayDelay
        if delay.count > 0 {
            samples.append(
                .init(metric: .delayMilliseconds, tags: tags, value: .distribution(delay)))
        }
        let retransmitted = group.wire.reduce(0) { $0 + $1.retransmittedBytes }
        samples.append(
            .init(metric: .retransmittedBytes, tags: tags, value: .number(Double(retransmitted))))
        return samples
    }
}
