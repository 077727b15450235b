import Publisher
import Results
import Scenario
import Statistics
import Viewer

/// What a trial measured about itself: the generators, the capture and the machine.
struct GeneratorFigures {
    let record: TrialRecord

    var evidence: TrialEvidence {
        var evidence = TrialEvidence(
            generatorLagP99Milliseconds: generatorLag,
            viewerLagP99Milliseconds: record.viewerLag.milliseconds(atPercentile: 99),
            captureDrops: captureDrops, steal: record.usage?.steal ?? 0, offered: offered,
            clockStepNanoseconds: record.clockOffset.stepNanoseconds)
        evidence.linkLatenessP99Milliseconds = linkLateness
        return evidence
    }

    var health: GeneratorHealth {
        var health = GeneratorHealth()
        health.publisherLagP99Milliseconds =
            record.publisherLateness.milliseconds(atPercentile: 99)
        health.probeLagP99Milliseconds = record.probeLag.milliseconds(atPercentile: 99)
        health.viewerLagP99Milliseconds = record.viewerLag.milliseconds(atPercentile: 99)
        health.linkLatenessP99Milliseconds = linkLateness
        health.steal = record.usage?.steal ?? 0
        health.offered = offered
        return health
    }

    private var linkLateness: Double? {
        record.links?.releaseLateness.milliseconds(atPercentile: 99)
    }

    private var generatorLag: Double? {
        [record.publisherLateness, record.probeLag].compactMap { $0.milliseconds(atPercentile: 99) }
            .max()
    }

    private var captureDrops: Double? {
        guard record.wire.capture.ran else { return nil }
        let all = record.wire.capture.received + record.wire.capture.dropped
        return all == 0 ? 0 : Double(record.wire.capture.dropped) / Double(all)
    }

    var offered: Double? {
        let sent = record.streams.reduce(0) { $0 + $1.framesSent }
        // Nothing can be offered while the server is down, or while a publisher is to be gone, and
        // that is not the generator's fault.
        let all = record.streams.reduce(sent) {
            $0 + $1.framesNotSent
                - (record.hasRestarted ? $1.framesWhileAway : $1.framesInGap ?? 0)
        }
        return all == 0 ? nil : Double(sent) / Double(all)
    }

    var samples: [MetricSample] {
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

    /// Notes on what a restart of the server cost.
    var restartNotes: [String] {
        guard record.hasRestarted else { return [] }
        let frames = record.streams.reduce(0) { $0 + $1.framesWhileAway }
        let cut =
            record.load.count { $0.failure != nil } + record.probes.count { $0.failure != nil }
        return [
            "\(frames) frames were due while the server was away and before the next key frame",
            cut > 0
                ? "\(cut) RTMP and HTTP-FLV viewers were cut off; such viewers do not come back"
                : nil,
        ].compactMap { $0 }
    }
}
