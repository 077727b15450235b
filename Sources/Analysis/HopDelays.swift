import Capture
import Publisher
import Results
import Scenario
import SimulationKernel
import Statistics
import Viewer

/// Delays of the single hops, besides relay and end-to-end delay. Only runs with encoders or with
/// HLS probes have them.
struct HopDelays {
    let record: TrialRecord

    /// Delay of each published stream from a frame's intended time to its last byte into the
    /// server.
    var ingest: [(publisher: PublisherPlan, delay: DelayHistogram)] {
        // Both times must be on one clock. The offset between the clocks is known to some
        // microseconds.
        let offset = record.clockOffset.minimumNanoseconds
        return record.plan.publishers.filter(\.isPublished).map { publisher in
            var delay = DelayHistogram()
            for frame in record.wire.ingressFrames[publisher.streamKey] ?? []
            where frame.streamID == publisher.streamID
                && record.window.contains(frame.intendedNanoseconds)
            {
                delay.record(
                    nanoseconds: frame.arrivalNanoseconds - offset - frame.intendedNanoseconds)
            }
            return (publisher, delay)
        }
    }

    /// Delay from the server's last byte out to the probe: the time that the network and the
    /// probe's socket take.
    private func deliveryDelay(of group: RenditionGroup) -> DelayHistogram {
        let offset = record.clockOffset.minimumNanoseconds
        let byPeer = WireSubscriber.framesByPeer(group.wire)
        var delay = DelayHistogram()
        for probe in group.probes {
            let egress =
                byPeer[record.plan.peer(ofSession: probe.index, port: probe.localPort)] ?? [:]
            for frame in probe.frames {
                guard let left = egress[frame.frameNumber]?.egressNanoseconds else { continue }
                delay.record(nanoseconds: frame.arrivalNanoseconds - (left - offset))
            }
        }
        return delay
    }

    func rows(_ groups: [RenditionGroup], _ encoders: EncoderFigures) -> [DelayRow] {
        guard record.plan.keepsIngressFrames else { return [] }
        var rows: [DelayRow] = []
        for (publisher, delay) in ingest {
            rows += record.delayRows(
                delay, publisher, vantage: "wire", hop: "ingest", playProtocol: "rtmp",
                correction: "corrected")
        }
        for publisher in record.plan.publishers {
            guard let frames = encoders.frames[publisher.streamKey] else { continue }
            rows += record.delayRows(
                frames.delay, publisher, vantage: "wire", hop: "encoder", playProtocol: "rtmp",
                correction: "uncorrected")
        }
        for group in groups {
            rows += record.delayRows(
                deliveryDelay(of: group), group.publisher, vantage: "viewer", hop: "delivery",
                playProtocol: group.playProtocol, correction: "uncorrected")
        }
        return rows
    }

}
