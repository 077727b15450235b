import Publisher
import Results
import Scenario
import SimulationKernel
import Statistics
import Viewer

/// The rows of viewers.csv and segments.csv.
struct ViewerRows {
    let record: TrialRecord

    /// One row for each session, in the order of the viewers.
    var all: [ViewerRow] {
        let losses = lossesByViewer
        return sessionRows.map { addLosses($0, losses) }
    }

    private var lossesByViewer: [Int: LinkFigures.Losses] {
        Dictionary(
            (record.links?.viewers ?? []).map { ($0.index, $0) }, uniquingKeysWith: { a, _ in a })
    }

    private var sessionRows: [ViewerRow] {
        let loadRows = record.load.map { report in
            var row = baseRow(report.index, isProbe: false, ViewerSession(report, record.plan))
            row.playBytes = report.window.payloadBytes
            row.meanKilobits = MeanRate.kilobits(
                report.window.payloadBytes, seconds: row.playSeconds ?? 0)
            row.framesReceived = report.window.videoMessages
            row.modelledStalls = report.modelledStalls
            row.modelledStalledSeconds = report.modelledStallNanoseconds.map { Double($0) / 1e9 }
            row.localPort = report.localPort
            row.error = report.failure ?? ""
            return row
        }
        let probeRows = record.probes.map { report in
            var row = baseRow(report.index, isProbe: true, ViewerSession(report, record.plan))
            row.playBytes = report.window.payloadBytes
            row.meanKilobits = MeanRate.kilobits(
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
        let adaptiveRows = record.hls.map { report in
            var row = adaptiveRow(report)
            if report.askedAtNanoseconds != nil { row.playSeconds = report.playback.playing }
            return row
        }
        return (loadRows + probeRows + adaptiveRows).sorted {
            ($0.viewer ?? 0) < ($1.viewer ?? 0)
        }
    }

    /// Number of frames between the first and the last frame of the window that the rendition keeps
    /// and that never came.
    private func missingFrames(_ report: ProbeViewerReport) -> Int {
        let key = record.viewerPlan(report.index).streamKey
        guard let publisher = record.plan.publishers.first(where: { $0.streamKey == key }),
            !publisher.isPublished, let first = report.firstWindowFrame,
            let last = report.lastWindowFrame, last >= first, last < .max
        else { return max(0, report.missingFrames - gapFrames(of: key, to: report)) }
        let published = record.streams.first { $0.streamID == publisher.streamID }
        let kept = publisher.keptFrames(of: published.flatMap(FrameSchedule.init))
        return max(0, kept.count(in: first..<(last + 1), seen: first) - report.windowFrames)
    }

    /// Number of frames between the first and the last frame of a probe that were not sent because
    /// of a planned gap.
    private func gapFrames(of streamKey: String, to report: ProbeViewerReport) -> Int {
        guard let publisher = record.plan.publishers.first(where: { $0.streamKey == streamKey }),
            let first = report.firstWindowFrame, let last = report.lastWindowFrame,
            last >= first, last < .max
        else { return 0 }
        let published = record.streams.first { $0.streamID == publisher.streamID }
        return published?.framesInGap(among: first..<(last + 1)) ?? 0
    }

    /// Adds the packets that a viewer's link lost. The link counts over all sessions of the viewer,
    /// so only the row of the first session has the numbers.
    private func addLosses(_ row: ViewerRow, _ all: [Int: LinkFigures.Losses]) -> ViewerRow {
        guard let losses = row.viewer.flatMap({ all[$0] }) else { return row }
        var row = row
        row.linkLostPackets = losses.lost
        row.linkDroppedPackets = losses.dropped
        return row
    }

    /// Returns a row with what the plan says about a session's viewer.
    private func planRow(_ index: Int) -> ViewerRow {
        let viewer = record.viewerPlan(index)
        var row = ViewerRow()
        row.runID = record.runID
        row.viewer = index
        row.group = viewer.group
        row.playProtocol = viewer.playProtocol.rawValue
        row.stream = viewer.stream
        row.rendition = viewer.rendition
        row.link = viewer.link.map { record.plan.links[$0.link].name } ?? ""
        return row
    }

    private func baseRow(_ index: Int, isProbe: Bool, _ session: ViewerSession) -> ViewerRow {
        var row = planRow(index)
        row.probe = isProbe ? 1 : 0
        row.joinSeconds = session.askedAt.map { Double($0 - record.startNanoseconds) / 1e9 }
        row.startupDelaySeconds = session.firstMediaAt.flatMap { first in
            session.askedAt.map { Double(first - $0) / 1e9 }
        }
        row.playSeconds = session.seconds(in: record.window)
        return row
    }
    private func adaptiveRow(_ report: HLSViewerReport) -> ViewerRow {
        var row = planRow(report.index)
        row.probe = record.viewerPlan(report.index).isProbe ? 1 : 0
        row.joinSeconds = report.askedAtNanoseconds.map {
            Double($0 - record.startNanoseconds) / 1e9
        }
        row.startupDelaySeconds = report.startupNanoseconds.map { Double($0) / 1e9 }
        row.playBytes = report.windowMediaBytes
        row.localPort = report.localPort
        row.error = report.failure ?? ""
        row.algorithm = record.plan.adaptive[record.viewerPlan(report.index).group]?.algorithm ?? ""
        if row.rendition != "all" { row.algorithm = "fixed" }
        row.ladder = report.bitrates.map { CSVNumber.text($0) }.joined(separator: " ")
        row.requests = report.requests.segments + report.requests.parts
        let counts = report.requests
        row.failedRequests =
            counts.refused + counts.serverErrors + counts.timeouts + counts.broken
        row.failovers = record.viewerPlan(report.index).edge == nil ? nil : counts.failovers
        row.abandoned = report.requests.abandoned
        row.wastedBytes = report.requests.wastedBytes
        row.modelledStalls = report.modelledStalls
        row.modelledStalledSeconds = report.modelledStallNanoseconds.map { Double($0) / 1e9 }
        guard report.askedAtNanoseconds != nil else { return row }
        let playback = report.playback
        row.stalls = playback.stalls
        row.stalledSeconds = playback.stalled
        row.stallRatio = playback.stallRatio
        row.sessionSeconds =
            playback.startup + playback.playing + playback.stalled + playback.idle
        row.meanBitrateKilobits = playback.meanBitrate
        row.switches = playback.switches
        row.switchedKilobits = playback.switchedBitrate
        row.liveLatencySeconds = playback.liveLatency
        row.liveLatencyMaximumSeconds = playback.maximumLiveLatency
        row.skippedSeconds = playback.skipped
        row.missingSeconds = playback.missing
        if let live = report.live {
            row.mediaEpochSeconds =
                Double(live.epochNanoseconds - record.startNanoseconds) / 1e9
            row.segmentDurationSeconds = live.segmentDuration / 1000
            row.targetLatencySeconds = live.targetLatency / 1000
            row.reloadIntervalSeconds = live.reloadInterval / 1000
            row.playlistBytes = live.playlistBytes
            row.headBytes = live.headBytes
            row.initializationBytes = live.initializationBytes
            row.playerStartSeconds =
                Double((report.askedAtNanoseconds ?? 0) - record.startNanoseconds) / 1e9
                + live.playerStart / 1000
        }
        row.qoeLinear = playback.qoeLinear
        row.qoeLog = playback.qoeLog
        row.scoreLoLPlus = playback.scoreLoLPlus
        return row
    }

    /// Every recorded segment request, in the order of viewers and time.
    var segments: [SegmentRow] {
        record.hls.sorted { $0.index < $1.index }.flatMap { report -> [SegmentRow] in
            let joined = Double((report.askedAtNanoseconds ?? 0) - record.startNanoseconds) / 1e9
            return report.segments.map { request in
                var row = SegmentRow()
                row.runID = record.runID
                row.viewer = report.index
                row.segment = request.sequence
                row.mediaSeconds = joined + request.mediaTime / 1000
                row.rendition = request.rendition
                row.nominalKilobits = report.bitrates[request.rendition]
                row.requestedSeconds = joined + request.requested / 1000
                row.timeToFirstByteMilliseconds = request.timeToFirstByte
                row.transferMilliseconds = request.transferTime
                row.bytes = request.bytes
                row.size = request.size
                row.cut = request.isCut ? 1 : 0
                row.bufferBeforeSeconds = request.bufferBefore / 1000
                row.bufferAfterSeconds = request.bufferAfter / 1000
                row.estimateKilobits = request.estimate
                row.abandonedFor = request.abandonedFor
                return row
            }
        }
    }
}

extension ProbeViewerReport {
    /// Stalled time divided by playing and stalled time together; nil if nothing was played.
    var stallRatio: Double? {
        let session = stallNanoseconds + playedNanoseconds
        return session > 0 ? Double(stallNanoseconds) / Double(session) : nil
    }
}

extension HLSPlaybackReport {
    /// Stalled time divided by playing and stalled time together; nil if the viewer never played.
    var stallRatio: Double? {
        playing + stalled > 0 ? stalled / (playing + stalled) : nil
    }
}
