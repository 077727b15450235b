import Scenario
import Results
import Statistics
import Viewer

/// A trial's figures as thresholds see them.
struct MetricSamples {
    let record: TrialRecord
    let groups: [RenditionGroup]
    let renditions: [RenditionRow]
    var encoded: [String: EncodedFrames] = [:]
    var adaptive: [AdaptiveFrames] = []

    var all: [MetricSample] {
        groups.flatMap(viewerSamples) + groups.flatMap(wireSamples) + renditionSamples
            + machineSamples + encoderSamples + record.adaptiveSamples
            + record.adaptiveFrameSamples(adaptive) + record.edgeSamples
            + record.capacitySamples
    }

    private func viewerSamples(_ group: RenditionGroup) -> [MetricSample] {
        var tags = group.tags
        tags["vantage"] = "viewer"
        func number(_ metric: Metric, _ value: Int) -> MetricSample {
            MetricSample(metric: metric, tags: tags, value: .number(Double(value)))
        }
        var samples = [
            number(.joinFailures, joinFailures(group)),
            number(.disconnects, disconnects(group)),
        ]
        // What only probes can tell has no figure without one: "no data" passes no threshold.
        if let missing = group.framesMissing {
            samples.append(number(.framesMissing, missing))
            samples.append(
                number(.framesDuplicate, group.probes.reduce(0) { $0 + $1.duplicateFrames }))
        }
        if group.probes.contains(where: { $0.firstFrameNanoseconds != nil }) {
            samples.append(number(.stalls, group.probes.reduce(0) { $0 + $1.stallCount }))
        }
        if group.delay.count > 0 {
            samples.append(
                .init(metric: .delayMilliseconds, tags: tags, value: .distribution(group.delay)))
        }
        if group.uncorrectedDelay.count > 0 {
            samples.append(
                .init(
                    metric: .uncorrectedDelayMilliseconds, tags: tags,
                    value: .distribution(group.uncorrectedDelay)))
        }
        var startup = DelayHistogram()
        for probe in group.probes {
            if let first = probe.firstMediaNanoseconds { startup.record(nanoseconds: first) }
        }
        for viewer in group.load {
            if let first = viewer.firstMediaNanoseconds { startup.record(nanoseconds: first) }
        }
        if startup.count > 0 {
            samples.append(
                .init(metric: .startupMilliseconds, tags: tags, value: .distribution(startup)))
        }
        for ratio in group.probes.compactMap(\.stallRatio) {
            samples.append(.init(metric: .stallRatio, tags: tags, value: .number(ratio)))
        }
        return samples
    }

    private func joinFailures(_ group: RenditionGroup) -> Int {
        let planned = record.plan.viewers.filter {
            $0.streamKey == group.publisher.streamKey
                && $0.playProtocol.rawValue == group.playProtocol
        }.count
        let sessions =
            group.load.map { ($0.index, $0.firstMediaNanoseconds != nil, $0.failure != nil) }
            + group.probes.map { ($0.index, $0.firstFrameNanoseconds != nil, $0.failure != nil) }
        // A session that was refused counts even where another one of the same viewer was not;
        // one that left before anything came does not.
        let refused = sessions.filter { !$0.1 && $0.2 }
        let settled = Set(sessions.filter { $0.1 || $0.2 }.map { $0.0 % Plan.sessionStride })
        return refused.count + max(0, planned - settled.count)
    }

    private func disconnects(_ group: RenditionGroup) -> Int {
        group.load.count { $0.firstMediaNanoseconds != nil && $0.failure != nil }
            + group.probes.count { $0.firstFrameNanoseconds != nil && $0.failure != nil }
    }

    private func wireSamples(_ group: RenditionGroup) -> [MetricSample] {
        guard record.wire.capture.ran else { return [] }
        var tags = group.tags
        tags["vantage"] = "wire"
        var samples: [MetricSample] = []
        let delay = group.relayDelay
        if delay.count > 0 {
            samples.append(
                .init(metric: .delayMilliseconds, tags: tags, value: .distribution(delay)))
        }
        let retransmitted = group.wire.reduce(0) { $0 + $1.retransmittedBytes }
        samples.append(
            .init(metric: .retransmittedBytes, tags: tags, value: .number(Double(retransmitted))))
        return samples
    }

    private var renditionSamples: [MetricSample] {
        renditions.flatMap { row -> [MetricSample] in
            let tags = [
                "stream": row.stream, "rendition": row.rendition, "protocol": row.playProtocol,
                "vantage": row.vantage,
            ]
            return [
                (Metric.payloadKilobits, row.payloadKilobits), (.wireKilobits, row.wireKilobits),
            ]
            .compactMap { metric, value in
                value.map { MetricSample(metric: metric, tags: tags, value: .number($0)) }
            }
        }
    }

    private var encoderSamples: [MetricSample] {
        record.plan.publishers.filter { !$0.isPublished }.flatMap {
            publisher -> [MetricSample] in
            let tags = ["stream": publisher.stream, "rendition": publisher.rendition]
            var samples: [MetricSample] = []
            if let cpu = record.encoderCPU(
                of: publisher, encoded[publisher.streamKey])
            {
                samples.append(
                    .init(metric: .encoderCPUSeconds, tags: tags, value: .number(cpu)))
            }
            if let quality = record.quality[publisher.streamKey] {
                samples += [
                    .init(metric: .ssim, tags: tags, value: .number(quality.ssim)),
                    .init(
                        metric: .psnrDecibels, tags: tags,
                        value: .number(min(quality.psnrDecibels ?? 100, 100))),
                ]
            }
            guard let frames = encoded[publisher.streamKey] else { return samples }
            if frames.delay.count > 0 {
                samples.append(
                    .init(
                        metric: .encoderDelayMilliseconds, tags: tags,
                        value: .distribution(frames.delay)))
            }
            if let share = frames.share {
                samples.append(.init(metric: .stampsFound, tags: tags, value: .number(share)))
            }
            return samples
        }
    }

    private var machineSamples: [MetricSample] {
        var samples = [
            MetricSample(
                metric: .generatorLagMilliseconds, tags: ["role": "publishers"],
                value: .distribution(record.publisherLateness)),
            MetricSample(
                metric: .generatorLagMilliseconds, tags: ["role": "probes"],
                value: .distribution(record.probeLag)),
            MetricSample(
                metric: .generatorLagMilliseconds, tags: ["role": "viewers"],
                value: .distribution(record.viewerLag)),
        ]
        for usage in record.usage?.roleUsage ?? [] {
            let metric: Metric
            switch usage.role {
            case "server":
                metric = .serverCPUPercent
                samples.append(
                    .init(metric: .serverRSSBytes, value: .number(Double(usage.peakRSSBytes))))
            case "viewers": metric = .viewerCPUPercent
            case "publishers": metric = .publisherCPUPercent
            case "edge": metric = .edgeCPUPercent
            default: continue
            }
            samples.append(.init(metric: metric, value: .number(usage.cpuPercent)))
        }
        return samples
    }
}
