import Publisher
package import Results
import Scenario
import SimulationKernel
import Statistics

/// All figures of a trial, a pure function of its record.
struct TrialFigures {
    let record: TrialRecord
    let encoders: EncoderFigures
    let renditions: RenditionFigures
    let relay: RelayFigures
    let adaptive: AdaptiveFigures
    let wire: WireFigures
    let edges: EdgeFigures
    let capacity: CapacityFigures
    let efficiency: EfficiencyFigures
    let viewers: ViewerFigures
    let generators: GeneratorFigures
    let hops: HopDelays
    let matched: MatchedFrames
    /// Rows of renditions.csv.
    let rows: [RenditionRow]

    init(_ observed: TrialRecord) {
        var record = observed
        let recorders = Set(record.recorderPeers ?? [])
        record.wire.subscribers.removeAll { recorders.contains($0.peer) }
        self.record = record
        encoders = EncoderFigures(record)
        renditions = RenditionFigures(record, encoders)
        relay = RelayFigures(record, renditions.groups)
        adaptive = AdaptiveFigures(record)
        wire = WireFigures(record)
        edges = EdgeFigures(record: record)
        capacity = CapacityFigures(record: record)
        efficiency = EfficiencyFigures(record: record)
        viewers = ViewerFigures(record)
        generators = GeneratorFigures(record: record)
        hops = HopDelays(record: record)
        matched = MatchedFrames(record)
        let seen = renditions.rows + adaptive.rows(encoders, hops) + wire.rows(encoders)
        rows = seen + encoders.rows(besides: seen)
    }

    /// The figures in the form that thresholds are evaluated on.
    private var samples: [MetricSample] {
        renditions.samples + rateSamples + generators.samples + encoders.samples + adaptive.samples
            + edges.samples + capacity.samples + efficiency.samples
    }

    private var rateSamples: [MetricSample] {
        rows.flatMap { row -> [MetricSample] in
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

    private var notes: [String] {
        viewers.joinNotes + viewers.breakNotes + record.notes + generators.restartNotes
            + edges.notes + encoders.notes + record.qualityNotes + record.wire.notes
            + relay.notes + matched.notes + negativeDelayNote + adaptive.notes
            + viewers.playlistNotes
    }

    /// Note about frames that came before their intended time. The cause is a wrong clock, not a
    /// delay.
    private var negativeDelayNote: [String] {
        let count =
            renditions.groups.reduce(0) {
                $0 + $1.delay.negativeCount + $1.relayDelay.negativeCount
            }
            + adaptive.frames.reduce(0) { $0 + $1.delay.negativeCount + $1.published.negativeCount }
        guard count > 0 else { return [] }
        return [
            "\(count) frames have a delay below zero (a clock disagreement): counted in delay.csv, in no percentile"
        ]
    }

    private var summary: Summary {
        var summary = Summary()
        let samples = samples
        summary.thresholds = record.setup.thresholds.map { $0.evaluate(samples) }
        summary.reconciliation = renditions.reconciliation + wire.reconciliation(encoders)
        summary.roles = record.usage?.roleUsage ?? []
        summary.efficiency = efficiency.figures
        summary.busiestThreads = record.usage?.busiestThreads
        summary.health = generators.health
        summary.edges = edges.summary
        summary.capacity = capacity.figures
        summary.serverDelays = record.serverDelays?.figures
        summary.serverCacheBytes = record.serverCacheBytes
        summary.relay = relay.summary
        summary.viewersPlanned = record.plan.viewers.count
        summary.viewersJoined = viewers.joined.count
        summary.joinFailures = viewers.joinFailures.isEmpty ? nil : viewers.joinFailures
        summary.framesMissing =
            renditions.groups.reduce(0) { $0 + ($1.framesMissing ?? 0) }
            + adaptive.frames.reduce(0) { $0 + $1.expected - $1.received }
        summary.notes = notes
        return summary
    }

    /// The verdict and the rows of every file.
    var results: RunResults {
        var manifest = record.manifest
        manifest.validity = record.setup.validity.judge(generators.evidence)
        manifest.clockOffset = record.clockOffset
        manifest.capture = record.wire.capture
        manifest.end = record.end
        manifest.window.endSeconds =
            Double(record.window.endNanoseconds - record.startNanoseconds) / 1e9
        var summary = summary
        Verdict(record: record, joinFailures: viewers.joinFailures).decide(&summary, &manifest)
        var results = RunResults(manifest: manifest, summary: summary)
        let viewerRows = ViewerRows(record: record)
        results.renditions = rows
        results.viewers = viewerRows.all
        results.delay =
            renditions.delayRows + hops.rows(renditions.groups, encoders) + adaptive.delayRows
        results.processes = record.usage?.rows ?? []
        results.wire = record.wire.series
        results.probeFrames = matched.rows
        results.segments = viewerRows.segments
        results.edges = record.edges.isEmpty ? [] : edges.rows
        return results
    }
}

extension TrialRecord {
    /// The verdict and the rows of every file.
    package var results: RunResults { TrialFigures(self).results }

    /// Figures in the middle of the run: the sum of the children's intervals. There are no final
    /// reports yet, so nothing is judged.
    ///
    /// - Parameter now: Time on CLOCK_MONOTONIC in nanoseconds.
    package func interimResults(at now: Int64) -> RunResults {
        var partial = self
        partial.publisherLateness = live.publisherLateness
        partial.probeLag = live.probeLag
        partial.viewerLag = live.viewerLag
        let renditions = RenditionFigures(partial, EncoderFigures(partial))
        var manifest = manifest
        manifest.clockOffset = clockOffset
        manifest.end = end
        manifest.window.endSeconds = min(
            manifest.window.endSeconds, Double(now - startNanoseconds) / 1e9)
        var summary = Summary()
        summary.roles = usage?.roleUsage ?? []
        summary.health = GeneratorFigures(record: partial).health
        summary.viewersPlanned = plan.viewers.count
        summary.viewersJoined = live.playingViewers
        summary.notes = notes
        Verdict(record: self, joinFailures: []).decide(&summary, &manifest)
        var results = RunResults(manifest: manifest, summary: summary)
        results.renditions = renditions.rows
        results.delay = renditions.delayRows
        results.processes = usage?.rows ?? []
        return results
    }

    // MARK: What figures ask of a record

    var runID: String { manifest.runID }
    var windowSeconds: Double { window.seconds }

    /// The viewer that a session belongs to.
    func viewerPlan(_ session: Int) -> ViewerPlan { plan.viewers[session % Plan.sessionStride] }

    /// Returns which frames were meant for the window; nil if no frame was.
    func schedule(of publisher: PublisherPlan) -> FrameSchedule? {
        streams.first { $0.streamID == publisher.streamID }.flatMap(FrameSchedule.init)
    }
}
