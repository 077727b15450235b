import ABR
import Results
import Scenario

extension SimulationRun {
    /// Returns a row for each viewer of a cell.
    func viewerRows(_ outcome: Outcome, runID: String) -> [ViewerRow] {
        let cell = outcome.cell
        let title = scenario.titles[cell.title]
        return outcome.sessions.indices.map { index in
            let session = outcome.sessions[index]
            var row = ViewerRow(session, title: title)
            row.runID = runID
            row.cell = cell.index
            row.viewer = index
            row.playProtocol = "sim"
            row.link = scenario.traces[cell.trace].name
            row.algorithm = scenario.algorithms[cell.algorithm].description
            row.maximumBufferSeconds = scenario.maximumBuffers[cell.buffer] / 1000
            row.joinSeconds = outcome.arrivals[index] / 1000
            if scenario.timeline != nil {
                row.liveLatencySeconds = session.account.meanLatency / 1000
                row.liveLatencyMaximumSeconds = session.account.maximumLatency / 1000
                row.skippedSeconds = session.account.skipped / 1000
            }
            return row
        }
    }

    func segmentRows(_ outcome: Outcome, runID: String) -> [SegmentRow] {
        let title = scenario.titles[outcome.cell.title]
        return outcome.segments.map { record in
            var row = SegmentRow()
            row.runID = runID
            row.cell = outcome.cell.index
            row.viewer = record.viewer
            row.segment = record.segment
            row.rendition = record.rendition
            row.nominalKilobits = title.bitrates[record.rendition]
            row.requestedSeconds = record.requested / 1000
            row.timeToFirstByteMilliseconds = record.timeToFirstByte
            row.transferMilliseconds = record.transferTime
            row.bytes = Int((record.bits / 8).rounded())
            row.bufferBeforeSeconds = record.bufferBefore / 1000
            row.bufferAfterSeconds = record.bufferAfter / 1000
            row.estimateKilobits = record.estimate
            row.abandonedFor = record.abandonedFor
            return row
        }
    }
}

extension ViewerRow {
    /// Makes a row with the figures of a session. The caller fills in which viewer the session
    /// belongs to.
    init(_ session: SimulatedSession, title: Title) {
        self.init()
        let account = session.account
        let metrics = QoEMetrics(account, title: title)
        let count = Double(account.segments)
        ladder = title.name
        startupDelaySeconds = account.startup / 1000
        playSeconds = account.playing / 1000
        sessionSeconds = account.sessionTime / 1000
        playBytes = Int((session.bits / 8).rounded())
        meanKilobits =
            account.sessionTime > 0 ? session.bits / account.sessionTime : nil
        stalls = account.stalls
        stalledSeconds = account.stalled / 1000
        stallRatio = account.rebufferRatio
        requests = session.decisions
        abandoned = session.abandoned
        wastedBytes = Int((session.wastedBits / 8).rounded())
        switches = account.switches
        switchedKilobits = account.bitrateChange
        guard account.segments > 0 else { return }
        meanBitrateKilobits = account.meanBitrate
        qoeLinear = metrics.linear / count
        qoeLog = metrics.log / count
        qoeHD = metrics.hd / count
        scoreSabre = metrics.sabre
        scoreLoLPlus = metrics.lolPlus
    }
}
