public import Results
import Statistics

/// The summary of a run as text: thresholds first, then figures per rendition.
public struct SummaryReport: Sendable {
    private let results: RunResults

    public init(_ results: RunResults) { self.results = results }

    public var text: String {
        let sections = [
            verdict, thresholds, renditions, GroupReport(results: results).text,
            AdaptiveReport(results.viewers).text, FidelityReport(results.fidelity).text,
            HLSDelayReport(results.renditions).text, RenditionNeeds(results.renditions).text,
            EdgeReport(results.edges, results.summary.edges).text,
            CapacityReport(results.summary.capacity ?? []).text,
            RelayReport(results.summary.relay).text, reconciliation,
            health, roles, EfficiencyReport(results.summary).text,
            ServerDelayReport(results.summary.serverDelays).text, notes,
        ]
        return sections.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    /// The line that says how the run ended.
    public var verdictLine: String {
        let manifest = results.manifest
        switch results.summary.outcome {
        case .passed: return "PASSED  \(manifest.scenario)"
        case .failed:
            let reason = results.summary.earlyEnd ?? "a threshold was not met"
            return "FAILED  \(manifest.scenario): \(reason)"
        case .void: return "VOID  \(manifest.scenario): no verdict on the server"
        case .interrupted: return "INTERRUPTED  \(manifest.scenario): figures are incomplete"
        }
    }

    private var verdict: String {
        let manifest = results.manifest
        var lines = [verdictLine]
        let label = results.summary.outcome == .failed ? "thresholds were not judged" : "void"
        lines += manifest.validity.reasons.map { "  \(label): \($0)" }
        lines.append("  run \(manifest.runID), stack \(manifest.stack), seed \(manifest.seed)")
        return lines.joined(separator: "\n") + "\n"
    }

    private var thresholds: String {
        let all = results.summary.thresholds
        guard !all.isEmpty else { return "THRESHOLDS\n  none set\n" }
        var table = TextTable(header: ["", "metric", "must be", "is"], leftColumns: [0, 1, 2])
        for result in all {
            table.rows.append([
                results.mark(of: result), result.metric, result.expression,
                result.observed.map { Figure.number($0, digits: 2) } ?? "no data",
            ])
        }
        return (results.judges ? "THRESHOLDS\n" : "THRESHOLDS (skipped: figures are no verdict)\n")
            + table.text
    }

    private var renditions: String {
        guard !results.renditions.isEmpty else { return "" }
        var table = TextTable(
            header: [
                "rendition", "vantage", "protocol", "viewers", "nominal kbps", "payload kbps",
                "wire kbps", "p50 ms", "p90 ms", "p99 ms", "frames", "missing", "retrans",
            ], leftColumns: [0, 1, 2])
        for row in results.renditions {
            let missing = row.framesExpected.flatMap { expected in
                row.framesReceived.map { max(0, expected - $0) }
            }
            table.rows.append([
                row.label, row.vantage, row.playProtocol,
                Figure.integer(row.viewers), Figure.number(row.nominalKilobits),
                Figure.number(row.payloadKilobits), Figure.number(row.wireKilobits),
                Figure.number(row.delayP50Milliseconds, digits: 2),
                Figure.number(row.delayP90Milliseconds, digits: 2),
                Figure.number(row.delayP99Milliseconds, digits: 2),
                Figure.integer(row.framesReceived), Figure.integer(missing),
                row.retransmittedBytes.map { Figure.bytes($0) } ?? "–",
            ])
        }
        return "RENDITIONS (viewer: from the intended time to the probe; "
            + "wire: through the server)\n" + table.text
    }

    /// Description of the quantity that is compared for HLS.
    static let reconciliationWords =
        "hls: segments and parts asked for in the window and fetched whole; the wire's with HTTP "
        + "headers"

    private var reconciliation: String {
        let all = results.summary.reconciliation
        guard !all.isEmpty else { return "" }
        var table = TextTable(header: ["rendition", "viewers saw", "wire saw", "difference"])
        for item in all {
            table.rows.append([
                "\(item.stream)_\(item.rendition)"
                    + (item.playProtocol.map { " \($0)" } ?? ""), Figure.bytes(item.viewerBytes),
                Figure.bytes(item.wireBytes),
                item.differencePercent.map { Figure.number($0, digits: 3) + " %" } ?? "–",
            ])
        }
        return "RECONCILIATION (payload of the same viewers in the same window)\n" + table.text
            + (all.contains { $0.playProtocol == "hls" } ? "  \(Self.reconciliationWords)\n" : "")
    }

    private var health: String {
        let health = results.summary.health
        let summary = results.summary
        let capture = results.manifest.capture
        let clock = results.manifest.clockOffset
        let step = Double(clock.maximumNanoseconds - clock.minimumNanoseconds) / 1e6
        return """
            GENERATOR
              viewers joined     \(summary.viewersJoined) of \(summary.viewersPlanned)
              frames offered     \(Figure.percent(health.offered)) of intended
              publisher lag p99  \(Figure.number(health.publisherLagP99Milliseconds, digits: 2)) ms
              probe lag p99      \(Figure.number(health.probeLagP99Milliseconds, digits: 2)) ms
              viewer lag p99     \(Figure.number(health.viewerLagP99Milliseconds, digits: 2)) ms
            \(linkLine(health))  steal              \(Figure.percent(health.steal))
              capture            \(captureWords(capture))
              clock offset moved \(Figure.number(step, digits: 3)) ms

            """
    }

    private func linkLine(_ health: GeneratorHealth) -> String {
        health.linkLatenessP99Milliseconds.map {
            "  link lateness p99  \(Figure.number($0, digits: 2)) ms\n"
        } ?? ""
    }

    private func captureWords(_ capture: Manifest.Capture) -> String {
        capture.ran
            ? "\(capture.received) packets, \(capture.dropped) dropped"
            : "none" + (capture.reason.isEmpty ? "" : " (\(capture.reason))")
    }

    private var roles: String {
        let all = results.summary.roles
        guard !all.isEmpty else { return "" }
        var table = TextTable(
            header: ["role", "processes", "CPU % of a core", "peak RSS", "run-queue delay ms"])
        for role in all {
            table.rows.append([
                role.role, "\(role.processes)", Figure.number(role.cpuPercent),
                Figure.bytes(role.peakRSSBytes), Figure.number(role.runDelayMilliseconds),
            ])
        }
        return "PROCESSES (steady window)\n" + table.text
    }

    private var notes: String {
        let notes = results.summary.notes
        return notes.isEmpty ? "" : "NOTES\n" + notes.map { "  \($0)\n" }.joined()
    }
}

extension RunResults {
    /// Whether thresholds were judged: an interrupted or void run gives no verdict on them.
    var judges: Bool {
        manifest.validity.valid && summary.outcome != .interrupted && summary.outcome != .void
    }

    func mark(of result: ThresholdResult) -> String {
        judges ? result.passed ? "✓" : "✗" : "–"
    }
}
