import Foundation
import Gate
import Results

@testable import Comparisons

/// Results directories and verdicts with figures that a test chooses.
enum SmallResults {
    static func temporaryFolder() -> String {
        NSTemporaryDirectory() + "millrace-compare-\(UUID().uuidString)"
    }

    /// A run with a delay of `delay` ms, 2 s of server CPU for each gigabit and 1 Gbit/s.
    static func results(delay: Double, void reason: String? = nil) -> RunResults {
        var summary = Summary()
        var efficiency = ServerEfficiency()
        efficiency.cpuSecondsPerGigabit = 2
        efficiency.deliveredGigabitsPerSecond = 1
        summary.efficiency = efficiency
        summary.roles = [
            RoleUsage(
                role: "viewers", processes: 1, cpuPercent: 30, peakRSSBytes: 0,
                runDelayMilliseconds: 0),
            RoleUsage(
                role: "probes", processes: 1, cpuPercent: 20, peakRSSBytes: 0,
                runDelayMilliseconds: 0),
            RoleUsage(
                role: "publishers", processes: 1, cpuPercent: 90, peakRSSBytes: 0,
                runDelayMilliseconds: 0),
        ]
        var manifest = Manifest()
        if let reason {
            summary.outcome = .void
            manifest.validity.valid = false
            manifest.validity.reasons = [reason]
        }
        var results = RunResults(manifest: manifest, summary: summary)
        var viewer = RenditionRow()
        viewer.vantage = "viewer"
        viewer.delayP99Milliseconds = delay
        var better = viewer
        better.delayP99Milliseconds = delay / 2
        var wire = viewer
        wire.vantage = "wire"
        wire.delayP99Milliseconds = delay * 10
        results.renditions = [better, viewer, wire]
        return results
    }

    /// Writes a run into `folder`.
    ///
    /// - Returns: The path of its results directory.
    static func write(
        delay: Double, void reason: String? = nil, to folder: String
    ) throws -> String {
        let results = results(delay: delay, void: reason)
        let id = RunID(secondsSince1970: 0, entropy: .random(in: 0 ... .max))
        let writer = try ResultsWriter(parent: folder, runID: id)
        try writer.write(json: results.manifest, to: "manifest.json")
        try writer.write(json: results.summary, to: "summary.json")
        try writer.write(results.renditions)
        try writer.commit()
        return writer.finalPath
    }

    /// A record in which the head's delay is the base's times each of the factors.
    static func record(
        _ factors: [Double], scenario: String = "small", overrides: [String] = []
    ) throws -> ComparisonRecord {
        let settings = GateSettings(
            metrics: GateMetric.declared(allowedChange: 0.05), blocks: factors.count, seed: 3)
        let schedule = try BlockSchedule(blocks: factors.count, seed: 3)
        let blocks = factors.indices.map { index in
            GateBlock(
                block: index + 1, order: schedule.orders[index],
                base: [RunFigures.Name.delay: 10],
                head: [RunFigures.Name.delay: 10 * factors[index]])
        }
        let verdict = try GateVerdict(comparing: settings, blocks: blocks, voidTrials: 0)
        return ComparisonRecord(
            runID: "run", scenario: scenario, base: .init(program: "/old/millrace"),
            head: .init(program: "/new/millrace", overrides: overrides), verdict: verdict,
            trials: [
                .init(
                    GateTrial(
                        block: 1, side: .head,
                        figures: ["delay_p99_ms": .nan, "stall_ratio": .infinity]),
                    directory: "d", seconds: 3)
            ])
    }

    static let alike = [Double](repeating: 1, count: 8)
    static let worse = [1.5, 1.49, 1.51, 1.5, 1.52, 1.48, 1.5, 1.5]
    static let mixed = [0.8, 1.4, 0.9, 1.2, 0.8, 1.4, 0.9, 1.2]
}
