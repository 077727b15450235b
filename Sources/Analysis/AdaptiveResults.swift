import Scenario
import Results
import SimulationKernel
import Statistics
import Viewer

/// Rows of adaptive viewers.
extension TrialRecord {
    func adaptiveRow(_ report: HLSViewerReport) -> ViewerRow {
        var row = planRow(report.index)
        row.probe = viewerPlan(report.index).isProbe ? 1 : 0
        row.joinSeconds = report.askedAtNanoseconds.map { Double($0 - startNanoseconds) / 1e9 }
        row.startupDelaySeconds = report.startupNanoseconds.map { Double($0) / 1e9 }
        row.playBytes = report.windowMediaBytes
        row.localPort = report.localPort
        row.error = report.failure ?? ""
        row.algorithm = plan.adaptive[viewerPlan(report.index).group]?.algorithm ?? ""
        if row.rendition != "all" { row.algorithm = "fixed" }
        row.ladder = report.bitrates.map { CSVNumber.text($0) }.joined(separator: " ")
        row.requests = report.requests.segments + report.requests.parts
        let counts = report.requests
        row.failedRequests =
            counts.refused + counts.serverErrors + counts.timeouts + counts.broken
        row.failovers = viewerPlan(report.index).edge == nil ? nil : counts.failovers
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
            row.mediaEpochSeconds = Double(live.epochNanoseconds - startNanoseconds) / 1e9
            row.segmentDurationSeconds = live.segmentDuration / 1000
            row.targetLatencySeconds = live.targetLatency / 1000
            row.reloadIntervalSeconds = live.reloadInterval / 1000
            row.playlistBytes = live.playlistBytes
            row.headBytes = live.headBytes
            row.initializationBytes = live.initializationBytes
            row.playerStartSeconds =
                Double((report.askedAtNanoseconds ?? 0) - startNanoseconds) / 1e9
                + live.playerStart / 1000
        }
        row.qoeLinear = playback.qoeLinear
        row.qoeLog = playback.qoeLog
        row.scoreLoLPlus = playback.scoreLoLPlus
        return row
    }

    /// Every segment request that was recorded, in the order of viewers and time.
    var segmentRows: [SegmentRow] {
        hls.sorted { $0.index < $1.index }.flatMap { report -> [SegmentRow] in
            let joined = Double((report.askedAtNanoseconds ?? 0) - startNanoseconds) / 1e9
            return report.segments.map { record in
                var row = SegmentRow()
                row.runID = runID
                row.viewer = report.index
                row.segment = record.sequence
                row.mediaSeconds = joined + record.mediaTime / 1000
                row.rung = record.rung
                row.nominalKilobits = report.bitrates[record.rung]
                row.requestedSeconds = joined + record.requested / 1000
                row.timeToFirstByteMilliseconds = record.timeToFirstByte
                row.transferMilliseconds = record.transferTime
                row.bytes = record.bytes
                row.size = record.size
                row.cut = record.isCut ? 1 : 0
                row.bufferBeforeSeconds = record.bufferBefore / 1000
                row.bufferAfterSeconds = record.bufferAfter / 1000
                row.estimateKilobits = record.estimate
                row.abandonedFor = record.abandonedFor
                return row
            }
        }
    }

    /// What the adaptive viewers had of each rendition: segments requested in the steady window, and
    /// the bytes of what they asked for in it and read whole.
    func adaptiveRenditionRows(of reports: [HLSViewerReport]) -> [RenditionRow] {
        struct Share {
            var viewers: Set<Int> = []
            var segments = 0
            var bytes = 0
        }
        var shares: [String: [String: Share]] = [:]
        for report in reports {
            let stream = viewerPlan(report.index).stream
            for (folder, bytes) in zip(report.rungNames, report.windowAnswerBytes) where bytes > 0 {
                let name = rendition(folder, of: stream)
                shares[stream, default: [:]][name, default: Share()].bytes += bytes
                shares[stream]![name]!.viewers.insert(report.index)
            }
            for record in report.segments where record.isWhole {
                let time = (report.askedAtNanoseconds ?? 0) + Int64(record.requested * 1e6)
                guard window.contains(time) else { continue }
                let name = rendition(report.rungNames[record.rung], of: stream)
                shares[stream, default: [:]][name, default: Share()].segments += 1
                shares[stream]![name]!.viewers.insert(report.index)
            }
        }
        return shares.sorted { $0.key < $1.key }.flatMap { stream, renditions in
            let all = renditions.values.reduce(0) { $0 + $1.segments }
            // What nobody asked for is a figure, too.
            let rungs = plan.publishers.filter { $0.stream == stream && !$0.isLadderSource }
            let unused = rungs.filter { renditions[$0.rendition] == nil }
                .map { ($0.rendition, Share()) }
            return (Array(renditions) + unused).map { name, share in
                var row = RenditionRow()
                row.runID = runID
                row.stream = stream
                row.rendition = name
                row.vantage = "viewer"
                row.playProtocol = "hls"
                row.nominalKilobits =
                    plan.publishers.first { $0.stream == stream && $0.rendition == name }?
                    .bitrate?.kilobitsPerSecond
                row.viewers = share.viewers.count
                row.payloadBytes = share.bytes
                row.viewerShare = Double(share.segments) / Double(max(1, all))
                return row
            }.sorted { ($0.nominalKilobits ?? 0) > ($1.nominalKilobits ?? 0) }
        }
    }

    /// The figures of the adaptive viewers, by group.
    var adaptiveSamples: [MetricSample] {
        plan.adaptive.indices.filter { plan.adaptive[$0] != nil }.flatMap { group in
            adaptiveSamples(of: group, hls.filter { viewerPlan($0.index).group == group })
        }
    }

    private func adaptiveSamples(of group: Int, _ mine: [HLSViewerReport]) -> [MetricSample] {
        let tags = ["protocol": "hls", "vantage": "viewer", "group": String(group)]
        func sample(_ metric: Metric, _ value: MetricSample.Value) -> MetricSample {
            MetricSample(metric: metric, tags: tags, value: value)
        }
        let planned = plan.viewers.count { $0.group == group }
        let joined = Set(
            mine.filter { $0.startupNanoseconds != nil }.map { $0.index % Plan.sessionStride })
        let broken = mine.count { $0.startupNanoseconds != nil && $0.failure != nil }
        var samples = [
            sample(.joinFailures, .number(Double(planned - joined.count))),
            sample(.disconnects, .number(Double(broken))),
        ]
        guard !joined.isEmpty else { return samples }
        let playback = mine.map(\.playback)
        func sum(_ value: (HLSPlaybackReport) -> Double) -> Double {
            playback.reduce(0) { $0 + value($1) }
        }
        samples.append(sample(.stalls, .number(sum { Double($0.stalls) })))
        samples.append(sample(.switches, .number(sum { Double($0.switches) })))
        let (playing, stalled) = (sum(\.playing), sum(\.stalled))
        if playing + stalled > 0 {
            samples.append(sample(.stallRatio, .number(stalled / (playing + stalled))))
        }
        let rates = playback.compactMap(\.meanBitrate)
        if !rates.isEmpty {
            let mean = rates.reduce(0, +) / Double(rates.count)
            samples.append(sample(.meanBitrateKilobits, .number(mean)))
        }
        var startup = DelayHistogram()
        var latency = DelayHistogram()
        for report in mine {
            if let time = report.startupNanoseconds { startup.record(nanoseconds: time) }
            if let seconds = report.playback.liveLatency {
                latency.record(nanoseconds: Int64(seconds * 1e9))
            }
        }
        samples.append(sample(.startupMilliseconds, .distribution(startup)))
        if latency.count > 0 {
            samples.append(sample(.liveLatencyMilliseconds, .distribution(latency)))
        }
        return samples
    }

    /// `720p` of the folder `cam_720p`.
    func rendition(_ folder: String, of stream: String) -> String {
        folder.hasPrefix(stream + "_") ? String(folder.dropFirst(stream.count + 1)) : folder
    }
}

extension HLSPlaybackReport {
    /// Stalled share of the time in which the viewer wanted to watch; nil where it never played.
    var stallRatio: Double? {
        playing + stalled > 0 ? stalled / (playing + stalled) : nil
    }
}
