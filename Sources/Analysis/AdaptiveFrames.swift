import Scenario
import Publisher
import Results
import Statistics
import Viewer

/// What the probes among the adaptive viewers had of one rendition's frames, over the steady window.
struct AdaptiveFrames {
    let publisher: PublisherPlan
    /// Intended time → publication; of the embedded stack only.
    var published = DelayHistogram()
    /// Intended time → the frame's last byte at the probe.
    var delay = DelayHistogram()
    var uncorrectedDelay = DelayHistogram()
    /// Frames of the segments that were fetched, by their numbers, and those that came.
    var expected = 0
    var received = 0
    var duplicates = 0

    mutating func add(_ rung: HLSRungFrames, _ schedule: FrameSchedule?, hasPublication: Bool) {
        if hasPublication { published.add(rung.published) }
        delay.add(rung.delay)
        uncorrectedDelay.add(rung.uncorrectedDelay)
        duplicates += rung.duplicateFrames
        guard let schedule else { return }
        let kept = publisher.keptFrames(of: schedule)
        let due = rung.runs.reduce(0) { sum, run in
            // Numbers come from the network: whatever they are, they stay in the schedule's range.
            let first = max(run.first, schedule.first)
            let last = min(run.last, schedule.last)
            return first <= last ? sum + kept.count(in: first..<(last + 1), seen: run.seen) : sum
        }
        expected += due
        received += min(due, rung.windowFrames)
    }
}

extension TrialRecord {
    /// In the order of the plan; renditions of which no probe had a stamped frame are left out.
    var adaptiveFrames: [AdaptiveFrames] {
        var all: [String: AdaptiveFrames] = [:]
        for (rung, publisher) in probedRungs where rung.streamID == publisher.streamID {
            let schedule = streams.first { $0.streamID == publisher.streamID }
                .flatMap(FrameSchedule.init)
            all[publisher.streamKey, default: .init(publisher: publisher)].add(
                rung, schedule, hasPublication: hasPublication)
        }
        return plan.publishers.compactMap { all[$0.streamKey] }
    }

    /// Only our own server says when it publishes, and has the probes' clock.
    private var hasPublication: Bool { setup.driver == .embedded }

    /// Frames of the window after the last one that each probe had, of those that were there to the
    /// end; by the published numbers.
    private var unfetchedFrames: Int {
        hls.filter { $0.endedAtNanoseconds == nil && early == nil }.reduce(0) { sum, report in
            // Renditions number their frames on their own: the one that was played last is nearest.
            let left = (report.probe?.rungs ?? []).compactMap { rung -> Int? in
                guard let last = rung.runs.map(\.last).max(),
                    let schedule = streams.first(where: { $0.streamID == rung.streamID })
                        .flatMap(FrameSchedule.init)
                else { return nil }
                return schedule.last > last ? Int(clamping: schedule.last - last) : 0
            }
            return sum + (left.min() ?? 0)
        }
    }

    private var probedRungs: [(rung: HLSRungFrames, publisher: PublisherPlan)] {
        hls.flatMap { report in
            let stream = viewerPlan(report.index).stream
            return (report.probe?.rungs ?? []).compactMap {
                rung -> (rung: HLSRungFrames, publisher: PublisherPlan)? in
                guard report.rungNames.indices.contains(rung.rung) else { return nil }
                let name = rendition(report.rungNames[rung.rung], of: stream)
                return plan.publishers.first { $0.stream == stream && $0.rendition == name }
                    .map { (rung, $0) }
            }
        }
    }

    /// Adds to the viewers' rows of HLS what the probes among them timed, and the hops before.
    func addFrames(
        _ rows: [RenditionRow], _ frames: [AdaptiveFrames], _ encoded: [String: EncodedFrames]
    ) -> [RenditionRow] {
        let ingest = frames.isEmpty ? [] : ingestDelay
        return rows.map { row in
            guard
                let mine = frames.first(where: {
                    $0.publisher.stream == row.stream && $0.publisher.rendition == row.rendition
                })
            else { return row }
            var row = row
            set(&row, mine.delay)
            row.delayUncorrectedP99Milliseconds =
                mine.uncorrectedDelay.milliseconds(atPercentile: 99)
            row.ingestDelayP50Milliseconds =
                ingest.first { $0.publisher.streamID == mine.publisher.streamID }?
                .delay.milliseconds(atPercentile: 50)
            let encoder = encoded[mine.publisher.streamKey]?.delay
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

    func adaptiveDelayRows(_ frames: [AdaptiveFrames]) -> [DelayRow] {
        frames.flatMap { item -> [DelayRow] in
            let kinds: [(String, String, String, DelayHistogram)] = [
                ("server", "packager", "corrected", item.published),
                ("viewer", "end-to-end", "corrected", item.delay),
                ("viewer", "end-to-end", "uncorrected", item.uncorrectedDelay),
            ]
            return kinds.flatMap { vantage, hop, correction, delay in
                delayRows(
                    delay, item.publisher, vantage: vantage, hop: hop, playProtocol: "hls",
                    correction: correction)
            }
        }
    }

    func adaptiveFrameSamples(_ frames: [AdaptiveFrames]) -> [MetricSample] {
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

    /// What the probes could not read, and what nobody can tell.
    func adaptiveFrameNotes(_ frames: [AdaptiveFrames]) -> [String] {
        let probes = hls.compactMap(\.probe)
        var notes: [String] = []
        let unreadable = probes.reduce(0) { $0 + $1.unreadable }
        if unreadable > 0 {
            notes.append(
                "HLS probes: \(unreadable) segments could not be read: "
                    + (probes.lazy.compactMap(\.problem).first ?? ""))
        }
        let strange = probedRungs.count {
            $0.rung.streamID != nil && $0.rung.streamID != $0.publisher.streamID
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
        if !frames.isEmpty, !hasPublication {
            notes.append(
                "the server does not say when it publishes segments: there is no packager delay")
        }
        return notes
    }
}
