import Publisher
import Results
import Scenario
import Statistics
import Viewer

/// Figures of all sessions at the targets of a relay together. Those of single streams are in the
/// rows with the protocol `rtmp-push`.
struct RelayFigures {
    let record: TrialRecord
    /// Groups of the sessions at targets.
    let groups: [RenditionGroup]

    init(_ record: TrialRecord, _ groups: [RenditionGroup]) {
        self.record = record
        self.groups = groups.filter(\.isAtTargets)
    }

    /// nil if the run has no relay.
    var summary: RelaySummary? {
        let sessions = record.plan.targetSessions
        guard !sessions.isEmpty else { return nil }
        var summary = RelaySummary()
        summary.targets = Set(sessions.compactMap(\.target)).count
        summary.sessionsPlanned = sessions.count
        var delay = DelayHistogram()
        var uncorrected = DelayHistogram()
        for group in groups {
            delay.add(group.delay)
            uncorrected.add(group.uncorrectedDelay)
            summary.payloadBytes += group.viewerPayloadBytes
            if let expected = group.framesExpected, let received = group.framesReceived {
                summary.framesExpected = (summary.framesExpected ?? 0) + expected
                summary.framesReceived = (summary.framesReceived ?? 0) + received
            }
            count(group.probes, into: &summary)
        }
        summary.delayP50Milliseconds = delay.milliseconds(atPercentile: 50)
        summary.delayP99Milliseconds = delay.milliseconds(atPercentile: 99)
        summary.delayUncorrectedP50Milliseconds = uncorrected.milliseconds(atPercentile: 50)
        summary.delayUncorrectedP99Milliseconds = uncorrected.milliseconds(atPercentile: 99)
        summary.apiFlood = record.apiFlood.map { flood in
            APIFloodFigures(
                requests: flood.requests, accepted: flood.accepted, refused: flood.refused,
                unanswered: flood.unanswered, skipped: flood.skipped,
                timeP50Milliseconds: flood.time.milliseconds(atPercentile: 50),
                timeP99Milliseconds: flood.time.milliseconds(atPercentile: 99))
        }
        return summary
    }

    private func count(_ sessions: [ProbeViewerReport], into summary: inout RelaySummary) {
        for session in sessions {
            if session.firstMediaNanoseconds != nil { summary.sessionsServed += 1 }
            summary.framesDuplicate += session.duplicateFrames
            guard let counts = session.pushed else { continue }
            summary.reconnects += counts.reconnects
            summary.orderlyEnds += counts.orderlyEnds
            summary.cutOffs += counts.cutOffs
        }
    }

    /// Notes about publishers that were gone, and about streams that the sinks refused.
    var notes: [String] {
        gapNotes + refusalNotes
    }

    private var gapNotes: [String] {
        record.plan.publishers.compactMap { publisher in
            guard let gap = publisher.gap,
                let stream = record.streams.first(where: { $0.streamID == publisher.streamID })
            else { return nil }
            let milliseconds = gap.lengthNanoseconds / 1_000_000
            return
                "the publisher of \(publisher.streamKey) was gone for \(milliseconds) ms as planned: "
                + "\(stream.framesInGap ?? 0) frames until the next key frame are due to nobody"
        }
    }

    private var refusalNotes: [String] {
        (record.sinkRefusals ?? [:]).sorted { $0.key < $1.key }.map { reason, count in
            "the sinks refused what came \(count) times: \(reason)"
        }
    }
}
