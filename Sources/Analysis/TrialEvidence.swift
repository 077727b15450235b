package import Results
import Scenario
import SimulationKernel

/// What a trial measured about itself.
package struct TrialEvidence: Sendable, Hashable {
    /// Worst 99th percentile of the publishers' and the probes' lag; nil if nothing was sent.
    package var generatorLagP99Milliseconds: Double?
    /// 99th percentile of the lag of the load viewers' loops; nil if there are no load viewers.
    package var viewerLagP99Milliseconds: Double?
    /// Share of packets lost by the capture, 0…1; nil without a capture.
    package var captureDrops: Double?
    /// Share of CPU time that the hypervisor took, 0…1.
    package var steal: Double
    /// Frames sent divided by frames intended, 0…1; nil if nothing was sent.
    package var offered: Double?
    /// Range of the offset between real and monotonic time, in nanoseconds.
    package var clockStepNanoseconds: Int64
    /// 99th percentile of the lateness of packets that the packet shell released; nil without a
    /// packet shell.
    package var linkLatenessP99Milliseconds: Double?

    package init(
        generatorLagP99Milliseconds: Double?, viewerLagP99Milliseconds: Double? = nil,
        captureDrops: Double?, steal: Double,
        offered: Double?, clockStepNanoseconds: Int64
    ) {
        self.generatorLagP99Milliseconds = generatorLagP99Milliseconds
        self.viewerLagP99Milliseconds = viewerLagP99Milliseconds
        self.captureDrops = captureDrops
        self.steal = steal
        self.offered = offered
        self.clockStepNanoseconds = clockStepNanoseconds
    }
}

extension ValidityLimits {
    /// Judges a trial. A trial that exceeds a limit is void, and every reason is given.
    package func judge(_ evidence: TrialEvidence) -> Manifest.Validity {
        var reasons: [String] = []
        // Returns a percentage with enough digits to distinguish a share from its limit.
        func percent(_ share: Double) -> String {
            Quantity.share.format((share * 1e5).rounded() / 1e5)
        }
        if let lag = evidence.generatorLagP99Milliseconds {
            if lag > Double(generatorLagP99.nanoseconds) / 1e6 {
                reasons.append(
                    "the generators ran late: p99 \(CSVNumber.text(lag)) ms, limit "
                        + "\(Quantity.duration.format(Double(generatorLagP99.nanoseconds)))")
            }
        }
        if let lag = evidence.viewerLagP99Milliseconds,
            lag > Double(viewerLagP99.nanoseconds) / 1e6
        {
            reasons.append(
                "the load viewers ran late: p99 \(CSVNumber.text(lag)) ms, limit "
                    + "\(Quantity.duration.format(Double(viewerLagP99.nanoseconds))); use more "
                    + "processes, or lazy viewers")
        }
        if let late = evidence.linkLatenessP99Milliseconds,
            late > Double(linkLatenessP99.nanoseconds) / 1e6
        {
            reasons.append(
                "packets left their links late: p99 \(CSVNumber.text(late)) ms, limit "
                    + "\(Quantity.duration.format(Double(linkLatenessP99.nanoseconds))); use "
                    + "fewer viewers, or give the links a CPU of their own (cpus.links)")
        }
        if let drops = evidence.captureDrops, drops > captureDrops {
            reasons.append(
                "the capture lost \(percent(drops)) of its packets, limit \(percent(captureDrops))")
        }
        if evidence.steal > steal {
            reasons.append(
                "the host took \(percent(evidence.steal)) of the CPU time, limit \(percent(steal))")
        }
        switch evidence.offered {
        case nil: reasons.append("the publishers sent nothing")
        case let share? where share < offered:
            reasons.append(
                "only \(percent(share)) \(Manifest.Validity.fewFramesSent), least "
                    + "\(percent(offered))"
            )
        default: break
        }
        if evidence.clockStepNanoseconds > clockStep.nanoseconds {
            reasons.append(
                "real time moved by \(Double(evidence.clockStepNanoseconds) / 1e6) ms against the "
                    + "monotonic clock, limit "
                    + Quantity.duration.format(Double(clockStep.nanoseconds)))
        }
        var validity = Manifest.Validity()
        validity.valid = reasons.isEmpty
        validity.reasons = reasons
        return validity
    }
}
