import Results
import Scenario
import SimulationKernel
import Statistics
import Viewer

/// The frames that a probe and the capture both saw.
struct MatchedFrames {
    /// A frame at the probe and on the wire; `relay` is the server's share of the frame's delay in
    /// nanoseconds.
    typealias Match = (probe: ProbeViewerReport, frame: ProbeFrame, relay: Int64)

    let record: TrialRecord
    let matches: [Match]

    init(_ record: TrialRecord) {
        self.record = record
        let byPeer = WireSubscriber.framesByPeer(record.wire.subscribers)
        matches = record.probes.flatMap { probe in
            let relays =
                byPeer[record.plan.peer(ofSession: probe.index, port: probe.localPort)] ?? [:]
            return probe.frames.compactMap { frame in
                relays[frame.frameNumber].map { (probe, frame, $0.relayDelayNanoseconds) }
            }
        }
    }

    var rows: [ProbeFrameRow] {
        matches.map { probe, frame, relay in
            let viewer = record.viewerPlan(probe.index)
            var row = ProbeFrameRow()
            row.runID = record.runID
            row.viewer = probe.index
            row.stream = viewer.stream
            row.rendition = viewer.rendition
            row.frame = Int(frame.frameNumber)
            let delay = frame.arrivalNanoseconds - frame.intendedNanoseconds
            row.viewerDelayMilliseconds = Double(delay) / 1e6
            row.relayDelayMilliseconds = Double(relay) / 1e6
            row.uncorrectedDelayMilliseconds =
                Double(delay - Int64(frame.latenessMicroseconds) * 1000) / 1e6
            row.timeSeconds = Double(frame.arrivalNanoseconds - record.startNanoseconds) / 1e9
            return row
        }
    }

    /// Notes about frames that a viewer seems to have received before the server sent them. Such
    /// frames are a fault of the measurement.
    var notes: [String] {
        let unmatched = record.wire.subscribers.reduce(0) { $0 + $1.unmatchedMessages }
        let lost = unmatched > 0 ? ["capture: \(unmatched) messages could not be matched"] : []
        guard !matches.isEmpty else { return lost }
        // Both ends of each difference are taken on one clock. The remaining error is the drift
        // between the two clocks in the run, and the resolution of the stamps in microseconds.
        let allowed = record.clockOffset.stepNanoseconds + 1_000
        let wrong = matches.count {
            $0.frame.arrivalNanoseconds - $0.frame.intendedNanoseconds < $0.relay - allowed
        }
        return lost + [
            "\(matches.count) frames seen by probe and wire: \(wrong) with a viewer delay below the relay delay (clock error \(Double(allowed) / 1e6) ms)"
        ]
    }
}
