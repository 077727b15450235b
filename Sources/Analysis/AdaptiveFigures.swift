import Publisher
import Results
import Scenario
import SimulationKernel
import Statistics
import Viewer

/// Figures of the HLS viewers, by group and by rendition.
struct AdaptiveFigures {
    let record: TrialRecord
    /// Frames that the probes timed, in the order of the plan. Renditions of which no probe
    /// received a stamped frame are left out.
    let frames: [AdaptiveFrames]

    init(_ record: TrialRecord) {
        self.record = record
        frames = Self.frames(of: record)
    }

    /// Returns the rows of each rendition as the viewers received it. The rows include what the
    /// probes among the viewers timed, and the delays of the earlier hops.
    func rows(_ encoders: EncoderFigures, _ hops: HopDelays) -> [RenditionRow] {
        let ingest = frames.isEmpty ? [] : hops.ingest
        return Self.rows(of: record.hls, record, encoders).map { row in
            guard
                let mine = frames.first(where: { RenditionKey($0.publisher) == RenditionKey(row) })
            else { return row }
            var row = row
            row.set(mine.delay)
            row.delayUncorrectedP99Milliseconds =
                mine.uncorrectedDelay.milliseconds(atPercentile: 99)
            row.ingestDelayP50Milliseconds =
                ingest.first { $0.publisher.streamID == mine.publisher.streamID }?
                .delay.milliseconds(atPercentile: 50)
            let encoder = encoders.frames[mine.publisher.streamKey]?.delay
            row.encoderDelayP50Milliseconds = encoder?.milliseconds(atPercentile: 50)
            row.encoderDelayP99Milliseconds = encoder?.milliseconds(atPercentile: 99)
            row.packagerDelayP50Milliseconds = mine.published.milliseconds(atPercentile: 50)
            row.packagerDelayP99Milliseconds = mine.published.milliseconds(atPercentile: 99)
            row.framesDuplicate = mine.duplicates
            if mine.expected > 0 {
                (row.framesExpected, row.framesReceived) = (mine.expected, mine.received)
            }
            return row
        }
    }

    /// Returns what the adaptive viewers received of each rendition: the segments that they
    /// requested in the steady window, and the bytes of those requests that they read whole.
    static func rows(
        of reports: [HLSViewerReport], _ record: TrialRecord, _ encoders: EncoderFigures
    ) -> [RenditionRow] {
        struct Share {
            var viewers: Set<Int> = []
            var segments = 0
            var bytes = 0
        }
        var shares: [String: [String: Share]] = [:]
        for report in reports {
            let stream = record.viewerPlan(report.index).stream
            for (folder, bytes) in zip(report.renditionNames, report.windowAnswerBytes)
            where bytes > 0 {
                let name = Self.rendition(folder, of: stream)
                shares[stream, default: [:]][name, default: Share()].bytes += bytes
                shares[stream]![name]!.viewers.insert(report.index)
            }
            for request in report.segments where request.isWhole {
                let time = report.requestNanoseconds(request)
                guard record.window.contains(time) else { continue }
                let name = Self.rendition(report.renditionNames[request.rendition], of: stream)
                shares[stream, default: [:]][name, default: Share()].segments += 1
                shares[stream]![name]!.viewers.insert(report.index)
            }
        }
        return shares.sorted { $0.key < $1.key }.flatMap { stream, renditions in
            let all = renditions.values.reduce(0) { $0 + $1.segments }
            // A rendition that nobody requested has a row, too.
            let offered = record.plan.publishers.filter {
                $0.stream == stream && !$0.isLadderSource
            }
            let unused = offered.filter { renditions[$0.rendition] == nil }
                .map { ($0.rendition, Share()) }
            return (Array(renditions) + unused).map { name, share in
                var row = record.row(
                    RenditionKey(stream: stream, rendition: name), vantage: "viewer",
                    playProtocol: "hls", encoders: encoders)
                row.viewers = share.viewers.count
                row.payloadBytes = share.bytes
                row.viewerShare = Double(share.segments) / Double(max(1, all))
                return row
            }.sorted { ($0.nominalKilobits ?? 0) > ($1.nominalKilobits ?? 0) }
        }
    }

    /// The figures of the adaptive viewers, by group.
    private var groupSamples: [MetricSample] {
        record.plan.adaptive.indices.filter { record.plan.adaptive[$0] != nil }.flatMap { group in
            samples(of: group, record.hls.filter { record.viewerPlan($0.index).group == group })
        }
    }

    private func samples(of group: Int, _ mine: [HLSViewerReport]) -> [MetricSample] {
        let tags = ["protocol": "hls", "vantage": "viewer", "group": String(group)]
        func sample(_ metric: Metric, _ value: MetricSample.Value) -> MetricSample {
            MetricSample(metric: metric, tags: tags, value: value)
        }
        let planned = record.plan.viewers.count { $0.group == group }
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
                latency.record(nanoseconds: Int64(clampingNanoseconds: seconds * 1e9))
            }
        }
        samples.append(sample(.startupMilliseconds, .distribution(startup)))
        if latency.count > 0 {
            samples.append(sample(.liveLatencyMilliseconds, .distribution(latency)))
        }
        return samples
    }

    private static func frames(of record: TrialRecord) -> [AdaptiveFrames] {
        var all: [String: AdaptiveFrames] = [:]
        for (rendition, publisher) in probedRenditions(record)
        where rendition.streamID == publisher.streamID {
            let schedule = record.schedule(of: publisher)
            all[publisher.streamKey, default: .init(publisher: publisher)].add(
                rendition, schedule, hasPublication: hasPublication(record))
        }
        return record.plan.publishers.compactMap { all[$0.streamKey] }
    }

    /// Only Millrace's own server reports when it publishes, and its clock is the probes' clock.
    private static func hasPublication(_ record: TrialRecord) -> Bool {
        record.setup.driver == .embedded
    }

    /// Number of frames of the window after the last frame that each probe received, by the
    /// published frame numbers. Only probes that stayed to the end are counted.
    private var unfetchedFrames: Int {
        record.hls.filter { $0.endedAtNanoseconds == nil && record.early == nil }.reduce(0) {
            sum, report in
            // Each rendition numbers its frames on its own. The rendition that was played last has
            // the fewest frames left.
            let left = (report.probe?.renditions ?? []).compactMap { rendition -> Int? in
                guard let last = rendition.runs.map(\.last).max(),
                    let schedule = record.streams.first(where: { $0.streamID == rendition.streamID }
                    )
                    .flatMap(FrameSchedule.init)
                else { return nil }
                return schedule.last > last ? Int(clamping: schedule.last - last) : 0
            }
            return sum + (left.min() ?? 0)
        }
    }

    private static func probedRenditions(
        _ record: TrialRecord
    ) -> [(rendition: HLSRenditionFrames, publisher: PublisherPlan)] {
        record.hls.flatMap { report in
            let stream = record.viewerPlan(report.index).stream
            return (report.probe?.renditions ?? []).compactMap {
                rendition -> (rendition: HLSRenditionFrames, publisher: PublisherPlan)? in
                guard report.renditionNames.indices.contains(rendition.rendition) else {
                    return nil
                }
                let name = Self.rendition(report.renditionNames[rendition.rendition], of: stream)
                return record.plan.publishers.first { $0.stream == stream && $0.rendition == name }
                    .map { (rendition, $0) }
            }
        }
    }

    var samples: [MetricSample] { groupSamples + frameSamples }

    var delayRows: [DelayRow] {
        frames.flatMap { item -> [DelayRow] in
            let kinds: [(String, String, String, DelayHistogram)] = [
                ("server", "packager", "corrected", item.published),
                ("viewer", "end-to-end", "corrected", item.delay),
                ("viewer", "end-to-end", "uncorrected", item.uncorrectedDelay),
            ]
            return kinds.flatMap { vantage, hop, correction, delay in
                record.delayRows(
                    delay, item.publisher, vantage: vantage, hop: hop, playProtocol: "hls",
                    correction: correction)
            }
        }
    }

    private var frameSamples: [MetricSample] {
        frames.flatMap { item -> [MetricSample] in
            let tags = [
                "stream": item.publisher.stream, "rendition": item.publisher.rendition,
                "protocol": "hls", "vantage": "viewer",
            ]
            var samples: [MetricSample] = []
            if item.delay.count > 0 {
                samples = [
                    .init(metric: .delayMilliseconds, tags: tags, value: .distribution(item.delay)),
                    .init(
                        metric: .uncorrectedDelayMilliseconds, tags: tags,
                        value: .distribution(item.uncorrectedDelay)),
                ]
            }
            if item.expected > 0 {
                samples.append(
                    .init(
                        metric: .framesMissing, tags: tags,
                        value: .number(Double(item.expected - item.received))))
            }
            return samples
        }
    }

    /// Notes about what the probes could not read, and about what cannot be known.
    var notes: [String] {
        let probes = record.hls.compactMap(\.probe)
        var notes: [String] = []
        let unreadable = probes.reduce(0) { $0 + $1.unreadable }
        if unreadable > 0 {
            notes.append(
                "HLS probes: \(unreadable) segments could not be read: "
                    + (probes.lazy.compactMap(\.problem).first ?? ""))
        }
        let strange = Self.probedRenditions(record).count {
            $0.rendition.streamID != nil && $0.rendition.streamID != $0.publisher.streamID
        }
        if strange > 0 {
            notes.append(
                "HLS probes: \(strange) renditions carried stamps of another stream; they have no delay here"
            )
        }
        let late = unfetchedFrames
        if late > 0 {
            notes.append(
                "HLS probes: \(late) of the window's last frames were not fetched when the run ended, so the longest delays are left out: make drain longer"
            )
        }
        if !frames.isEmpty, !Self.hasPublication(record) {
            notes.append(
                "the server does not say when it publishes segments: there is no packager delay")
        }
        return notes
    }

    /// Returns the rendition in a folder's name: `720p` for `cam_720p`.
    static func rendition(_ folder: String, of stream: String) -> String {
        folder.hasPrefix(stream + "_") ? String(folder.dropFirst(stream.count + 1)) : folder
    }
}
