import Scenario
import SimulationKernel
import Results
import Statistics
import Viewer

/// A frame that a probe and the capture both saw; `relay` is the server's share, nanoseconds.
typealias MatchedFrame = (probe: ProbeViewerReport, frame: ProbeFrame, relay: Int64)

extension TrialRecord {
    func renditionRows(_ groups: [RenditionGroup]) -> [RenditionRow] {
        groups.flatMap { group -> [RenditionRow] in
            var viewer = baseRow(group, vantage: "viewer")
            viewer.viewers = group.viewerCount
            viewer.payloadBytes = group.viewerPayloadBytes
            viewer.payloadKilobits = kilobits(
                group.viewerPayloadBytes, seconds: group.viewerSeconds)
            set(&viewer, group.delay)
            viewer.delayUncorrectedP99Milliseconds =
                group.uncorrectedDelay.milliseconds(atPercentile: 99)
            viewer.framesExpected = group.framesExpected
            viewer.framesReceived = group.framesReceived
            viewer.framesDuplicate = group.probes.reduce(0) { $0 + $1.duplicateFrames }
            guard wire.capture.ran else { return [viewer] }
            var onWire = baseRow(group, vantage: "wire")
            let full = group.wire.filter { $0.payloadBytes != nil }
            let payload = full.reduce(0) { $0 + ($1.payloadBytes ?? 0) }
            onWire.viewers = group.wireViewerCount
            onWire.payloadBytes = payload
            onWire.payloadKilobits = kilobits(payload, seconds: group.dissectedSeconds)
            onWire.wireKilobits = kilobits(
                group.wire.reduce(0) { $0 + $1.wireBytes }, seconds: group.wireSeconds)
            onWire.retransmittedBytes = group.wire.reduce(0) { $0 + $1.retransmittedBytes }
            set(&onWire, group.relayDelay)
            return [viewer, onWire]
        }
    }

    private func baseRow(_ group: RenditionGroup, vantage: String) -> RenditionRow {
        var row = RenditionRow()
        row.runID = runID
        row.stream = group.stream
        row.rendition = group.rendition
        row.vantage = vantage
        row.playProtocol = group.playProtocol
        row.nominalKilobits = group.publisher.bitrate?.kilobitsPerSecond
        return row
    }

    func set(_ row: inout RenditionRow, _ delay: DelayHistogram) {
        row.delayP50Milliseconds = delay.milliseconds(atPercentile: 50)
        row.delayP90Milliseconds = delay.milliseconds(atPercentile: 90)
        row.delayP99Milliseconds = delay.milliseconds(atPercentile: 99)
        row.delayMeanMilliseconds = delay.meanMilliseconds
        row.delayMaxMilliseconds = delay.maximumMilliseconds
    }

    func delayRows(_ groups: [RenditionGroup]) -> [DelayRow] {
        groups.flatMap { group -> [DelayRow] in
            let kinds: [(String, String, String, DelayHistogram)] = [
                ("viewer", "end-to-end", "corrected", group.delay),
                ("viewer", "end-to-end", "uncorrected", group.uncorrectedDelay),
                ("wire", "relay", "uncorrected", group.relayDelay),
            ]
            return kinds.flatMap { vantage, hop, correction, delay in
                delayRows(
                    delay, group.publisher, vantage: vantage, hop: hop,
                    playProtocol: group.playProtocol, correction: correction)
            }
        }
    }

    /// One distribution as a spectrum; nothing for an empty one.
    func delayRows(
        _ delay: DelayHistogram, _ publisher: PublisherPlan, vantage: String, hop: String,
        playProtocol: String, correction: String
    ) -> [DelayRow] {
        guard delay.count + delay.negativeCount > 0 else { return [] }
        let percentiles: [Double] = [
            0, 1, 5, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 99.99, 100,
        ]
        return percentiles.map { percentile in
            var row = DelayRow()
            row.runID = runID
            row.stream = publisher.stream
            row.rendition = publisher.rendition
            row.vantage = vantage
            row.hop = hop
            row.playProtocol = playProtocol
            row.correction = correction
            row.percentile = percentile
            row.delayMilliseconds = delay.milliseconds(atPercentile: percentile)
            row.count = delay.count
            row.negativeCount = delay.negativeCount
            return row
        }
    }

    /// The same viewers' payload in the same window, from both vantage points.
    func reconciliation(_ groups: [RenditionGroup]) -> [Reconciliation] {
        guard wire.capture.ran else { return [] }
        return plan.publishers.compactMap { publisher in
            let mine = groups.filter { $0.publisher.streamKey == publisher.streamKey }
            let byPeer = Dictionary(
                mine.flatMap(\.wire).compactMap { subscriber in
                    subscriber.payloadBytes.map { (subscriber.peer, $0) }
                }, uniquingKeysWith: +)
            let viewers = mine.flatMap { group in
                group.load.map { (peer($0.index, $0.localPort), $0.window.payloadBytes) }
                    + group.probes.map { (peer($0.index, $0.localPort), $0.window.payloadBytes) }
            }
            // Sessions that follow one another may have the same port.
            let seen = Dictionary(viewers, uniquingKeysWith: +).filter { byPeer[$0.key] != nil }
            guard !seen.isEmpty else { return nil }
            return Reconciliation(
                stream: publisher.stream, rendition: publisher.rendition,
                viewerBytes: seen.values.reduce(0, +),
                wireBytes: seen.keys.reduce(0) { $0 + (byPeer[$1] ?? 0) })
        }
    }

    private func peer(_ session: Int, _ port: Int) -> ViewerPeer {
        plan.peer(ofSession: session, port: port)
    }

    /// Every frame that a probe and the capture both saw.
    var matchedFrames: [MatchedFrame] {
        let byPeer = WireSubscriber.framesByPeer(wire.subscribers)
        return probes.flatMap { probe in
            let relays = byPeer[peer(probe.index, probe.localPort)] ?? [:]
            return probe.frames.compactMap { frame in
                relays[frame.frameNumber].map { (probe, frame, $0.relayDelayNanoseconds) }
            }
        }
    }

    func probeFrameRows(_ frames: [MatchedFrame]) -> [ProbeFrameRow] {
        frames.map { probe, frame, relay in
            let viewer = viewerPlan(probe.index)
            var row = ProbeFrameRow()
            row.runID = runID
            row.viewer = probe.index
            row.stream = viewer.stream
            row.rendition = viewer.rendition
            row.frame = Int(frame.frameNumber)
            let delay = frame.arrivalNanoseconds - frame.intendedNanoseconds
            row.viewerDelayMilliseconds = Double(delay) / 1e6
            row.relayDelayMilliseconds = Double(relay) / 1e6
            row.uncorrectedDelayMilliseconds =
                Double(delay - Int64(frame.latenessMicroseconds) * 1000) / 1e6
            row.timeSeconds = Double(frame.arrivalNanoseconds - startNanoseconds) / 1e9
            return row
        }
    }

    /// Frames that came before they were meant to be sent: no delay, but a clock that is wrong.
    func negativeDelayNote(
        _ groups: [RenditionGroup], _ adaptive: [AdaptiveFrames]
    ) -> [String] {
        let count =
            groups.reduce(0) { $0 + $1.delay.negativeCount + $1.relayDelay.negativeCount }
            + adaptive.reduce(0) { $0 + $1.delay.negativeCount + $1.published.negativeCount }
        guard count > 0 else { return [] }
        return [
            "\(count) frames have a delay below zero (a clock disagreement): counted in delay.csv, in no percentile"
        ]
    }

    /// A viewer cannot have a frame before the server has sent it: frames that say otherwise are
    /// a fault of the measurement, and counted.
    func frameOrderNote(_ frames: [MatchedFrame]) -> [String] {
        let unmatched = wire.subscribers.reduce(0) { $0 + $1.unmatchedMessages }
        let lost = unmatched > 0 ? ["capture: \(unmatched) messages could not be matched"] : []
        guard !frames.isEmpty else { return lost }
        // Both ends of each difference are taken on one clock; what is left is how far the two
        // clocks moved in the run, and the stamps' microseconds.
        let allowed = clockOffset.stepNanoseconds + 1_000
        let wrong = frames.count {
            $0.frame.arrivalNanoseconds - $0.frame.intendedNanoseconds < $0.relay - allowed
        }
        return lost + [
            "\(frames.count) frames seen by probe and wire: \(wrong) with a viewer delay below the relay delay (clock error \(Double(allowed) / 1e6) ms)"
        ]
    }
}
