import Scenario
import SimulationKernel
import Publisher
package import Results
import Statistics
import Viewer

/// How a trial's record becomes the results directory.
extension TrialRecord {
    var runID: String { manifest.runID }
    var windowSeconds: Double {
        Double(window.endNanoseconds - window.startNanoseconds) / 1e9
    }

    /// kbit/s of `bytes` in so many viewer-seconds; nil for none.
    func kilobits(_ bytes: Int, seconds: Double) -> Double? {
        seconds > 0 ? Double(bytes) * 8 / 1000 / seconds : nil
    }

    /// The verdict and what the files will say, without any file.
    package var results: RunResults {
        let groups = RenditionGroup.all(of: self)
        let encoded = encodedFrames
        let http = httpRenditions
        let probed = adaptiveFrames
        let adaptive = addFrames(adaptiveRenditionRows(of: hls), probed, encoded)
        let renditions = addEncoders(
            renditionRows(groups) + adaptive + httpRows(http.server, vantage: "wire")
                + httpRows(http.edges, vantage: "edge"), encoded)
        let losses = lossesByViewer
        let viewers = viewerRows.map { addLosses($0, losses) }
        let frames = matchedFrames
        var manifest = manifest
        var summary = Summary()
        var evidence = TrialEvidence(
            generatorLagP99Milliseconds: generatorLag,
            viewerLagP99Milliseconds: viewerLag.milliseconds(atPercentile: 99),
            captureDrops: captureDrops,
            steal: usage?.steal ?? 0, offered: offered,
            clockStepNanoseconds: clockOffset.stepNanoseconds)
        let linkLateness = links?.releaseLateness.milliseconds(atPercentile: 99)
        evidence.linkLatenessP99Milliseconds = linkLateness
        manifest.validity = setup.validity.judge(evidence)
        manifest.clockOffset = clockOffset
        manifest.capture = wire.capture
        manifest.end = end
        manifest.window.endSeconds =
            Double(window.endNanoseconds - startNanoseconds) / 1e9
        let samples = MetricSamples(
            record: self, groups: groups, renditions: renditions, encoded: encoded,
            adaptive: probed
        ).all
        summary.thresholds = setup.thresholds.map { $0.evaluate(samples) }
        summary.reconciliation =
            reconciliation(groups) + httpReconciliation(http)
        summary.roles = usage?.roleUsage ?? []
        summary.health.publisherLagP99Milliseconds = publisherLateness.milliseconds(
            atPercentile: 99)
        summary.health.probeLagP99Milliseconds = probeLag.milliseconds(atPercentile: 99)
        summary.health.viewerLagP99Milliseconds = viewerLag.milliseconds(atPercentile: 99)
        summary.health.linkLatenessP99Milliseconds = linkLateness
        summary.health.steal = evidence.steal
        summary.health.offered = offered
        summary.edges = edgeSummary
        summary.capacity = capacity
        summary.viewersPlanned = plan.viewers.count
        summary.viewersJoined = joinedViewers.count
        summary.joinFailures = joinFailures.isEmpty ? nil : joinFailures
        summary.framesMissing =
            groups.reduce(0) { $0 + ($1.framesMissing ?? 0) }
            + probed.reduce(0) { $0 + $1.expected - $1.received }
        summary.notes =
            joinFailureNotes + breakNotes + notes + restartNotes + failoverNotes + encoderNotes
            + qualityNotes + wire.notes
            + frameOrderNote(frames) + negativeDelayNote(groups, probed)
            + adaptiveFrameNotes(probed) + playlistNotes
        decide(&summary, &manifest)
        var results = RunResults(manifest: manifest, summary: summary)
        results.renditions = renditions
        results.viewers = viewers
        results.delay =
            delayRows(groups) + hopDelayRows(groups, encoded) + adaptiveDelayRows(probed)
        results.processes = usage?.rows ?? []
        results.wire = wire.series
        results.probeFrames = probeFrameRows(frames)
        results.segments = segmentRows
        results.edges = edges.isEmpty ? [] : edgeRows
        return results
    }

    /// What is known in the middle of the run: of each file what the children's intervals hold.
    ///
    /// - Parameter now: CLOCK_MONOTONIC, nanoseconds.
    package func interimResults(at now: Int64) -> RunResults {
        let groups = RenditionGroup.all(of: self)
        var manifest = manifest
        manifest.clockOffset = clockOffset
        manifest.end = end
        manifest.window.endSeconds = min(
            manifest.window.endSeconds, Double(now - startNanoseconds) / 1e9)
        var summary = Summary()
        summary.roles = usage?.roleUsage ?? []
        summary.health.publisherLagP99Milliseconds = live.publisherLateness.milliseconds(
            atPercentile: 99)
        summary.health.probeLagP99Milliseconds = live.probeLag.milliseconds(atPercentile: 99)
        summary.health.viewerLagP99Milliseconds = live.viewerLag.milliseconds(atPercentile: 99)
        summary.health.offered = offered
        summary.viewersPlanned = plan.viewers.count
        summary.viewersJoined = live.playingViewers
        summary.notes = notes
        decide(&summary, &manifest)
        var results = RunResults(manifest: manifest, summary: summary)
        results.renditions = addEncoders(renditionRows(groups), [:])
        results.delay = delayRows(groups)
        results.processes = usage?.rows ?? []
        return results
    }

    private func decide(_ summary: inout Summary, _ manifest: inout Manifest) {
        if early?.outcome == .failed {
            summary.notes += lost
        } else if !lost.isEmpty {
            manifest.validity.valid = false
            manifest.validity.reasons.insert(contentsOf: lost, at: 0)
        }
        judgeStops(&summary, &manifest)
        if let early {
            summary.outcome = early.outcome
            summary.earlyEnd = early.reason
            summary.notes.insert(early.reason, at: 0)
            if early.outcome != .failed {
                manifest.validity.valid = false
                manifest.validity.reasons.insert(early.reason, at: 0)
            }
            return
        }
        if !manifest.validity.valid {
            summary.outcome = .void
        } else if summary.thresholds.contains(where: { !$0.passed }) {
            summary.outcome = .failed
        } else if summary.viewersJoined == 0 {
            summary.outcome = .void
            manifest.validity.valid = false
            manifest.validity.reasons.append(
                "no viewer joined, so nothing was measured"
                    + (joinFailures.first.map { " (\($0.count): \($0.reason))" } ?? ""))
        }
    }

    // MARK: Generator health

    private var generatorLag: Double? {
        [publisherLateness, probeLag].compactMap { $0.milliseconds(atPercentile: 99) }.max()
    }

    private var captureDrops: Double? {
        guard wire.capture.ran else { return nil }
        let all = wire.capture.received + wire.capture.dropped
        return all == 0 ? 0 : Double(wire.capture.dropped) / Double(all)
    }

    private var offered: Double? {
        let sent = streams.reduce(0) { $0 + $1.framesSent }
        // While the server is away nothing can be offered: that is no fault of the generator's.
        let all = streams.reduce(sent) {
            $0 + $1.framesNotSent - (hasRestarted ? $1.framesWhileAway : 0)
        }
        return all == 0 ? nil : Double(sent) / Double(all)
    }

    // MARK: Viewers

    private var lossesByViewer: [Int: LinkFigures.Losses] {
        Dictionary((links?.viewers ?? []).map { ($0.index, $0) }, uniquingKeysWith: { a, _ in a })
    }

    func viewerPlan(_ index: Int) -> ViewerPlan { plan.viewers[index % Plan.sessionStride] }

    private var viewerRows: [ViewerRow] {
        let loadRows = load.map { report in
            var row = baseRow(report.index, isProbe: false, ViewerSession(report, plan))
            row.playBytes = report.window.payloadBytes
            row.meanKilobits = kilobits(
                report.window.payloadBytes, seconds: row.playSeconds ?? 0)
            row.framesReceived = report.window.videoMessages
            row.modelledStalls = report.modelledStalls
            row.modelledStalledSeconds = report.modelledStallNanoseconds.map { Double($0) / 1e9 }
            row.localPort = report.localPort
            row.error = report.failure ?? ""
            return row
        }
        let probeRows = probes.map { report in
            var row = baseRow(report.index, isProbe: true, ViewerSession(report, plan))
            row.playBytes = report.window.payloadBytes
            row.meanKilobits = kilobits(
                report.window.payloadBytes, seconds: row.playSeconds ?? 0)
            row.framesReceived = report.windowFrames
            row.framesMissing = missingFrames(report)
            row.stalls = report.stallCount
            row.stalledSeconds = Double(report.stallNanoseconds) / 1e9
            row.stallRatio = report.stallRatio
            row.modelledStalls = report.modelledStalls
            row.modelledStalledSeconds = report.modelledStallNanoseconds.map { Double($0) / 1e9 }
            row.localPort = report.localPort
            row.error = report.failure ?? ""
            return row
        }
        let adaptiveRows = hls.map { report in
            var row = adaptiveRow(report)
            if report.askedAtNanoseconds != nil { row.playSeconds = report.playback.playing }
            return row
        }
        return (loadRows + probeRows + adaptiveRows).sorted {
            ($0.viewer ?? 0) < ($1.viewer ?? 0)
        }
    }

    /// From the first to the last frame of the window, those that the rendition keeps and that never
    /// came.
    private func missingFrames(_ report: ProbeViewerReport) -> Int {
        let key = viewerPlan(report.index).streamKey
        guard let publisher = plan.publishers.first(where: { $0.streamKey == key }),
            !publisher.isPublished, let first = report.firstWindowFrame,
            let last = report.lastWindowFrame, last >= first, last < .max
        else { return report.missingFrames }
        let published = streams.first { $0.streamID == publisher.streamID }
        let kept = publisher.keptFrames(of: published.flatMap(FrameSchedule.init))
        return max(0, kept.count(in: first..<(last + 1), seen: first) - report.windowFrames)
    }

    /// A viewer's link took packets over all its sessions; the first session's row tells.
    private func addLosses(_ row: ViewerRow, _ all: [Int: LinkFigures.Losses]) -> ViewerRow {
        guard let losses = row.viewer.flatMap({ all[$0] }) else { return row }
        var row = row
        row.linkLostPackets = losses.lost
        row.linkDroppedPackets = losses.dropped
        return row
    }

    /// What the plan says of a session's viewer.
    func planRow(_ index: Int) -> ViewerRow {
        let viewer = viewerPlan(index)
        var row = ViewerRow()
        row.runID = runID
        row.viewer = index
        row.group = viewer.group
        row.playProtocol = viewer.playProtocol.rawValue
        row.stream = viewer.stream
        row.rendition = viewer.rendition
        row.link = viewer.link.map { plan.links[$0.link].name } ?? ""
        return row
    }

    private func baseRow(_ index: Int, isProbe: Bool, _ session: ViewerSession) -> ViewerRow {
        var row = planRow(index)
        row.probe = isProbe ? 1 : 0
        row.joinSeconds = session.askedAt.map { Double($0 - startNanoseconds) / 1e9 }
        row.startupDelaySeconds = session.firstMediaAt.flatMap { first in
            session.askedAt.map { Double(first - $0) / 1e9 }
        }
        row.playSeconds = session.seconds(in: window)
        return row
    }
}

extension ProbeViewerReport {
    /// Stalled time over session time after the start-up; nil where nothing was played.
    var stallRatio: Double? {
        let session = stallNanoseconds + playedNanoseconds
        return session > 0 ? Double(stallNanoseconds) / Double(session) : nil
    }
}
