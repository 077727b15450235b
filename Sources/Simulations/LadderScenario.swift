package import Scenario
package import ABR
import Foundation
import Netem
package import Results
import SimulationKernel

/// A checked ladder problem.
package struct LadderScenario: Sendable {
    package var name: String
    package var problem: LadderProblem
    /// Trace files that it was read from.
    package var inputs: [Manifest.Input]
    /// Canonical YAML with the defaults filled in.
    package var canonicalYAML: String

    /// Largest number of segments over all seeds, each of which has a title of its own.
    static let maximumSegments = 10_000_000

    /// - Parameter seed: instead of the file's own.
    /// - Throws: every fault found, with file, line and column.
    package static func load(
        path: String, seed: Int? = nil
    ) throws(ScenarioErrors) -> LadderScenario {
        try parse(try SpecFile.text(path), file: path, seed: seed)
    }

    package static func parse(
        _ text: String, file: String, seed: Int? = nil
    ) throws(ScenarioErrors) -> LadderScenario {
        var (reader, root) = try SpecFile.read(text, file: file, spec: LadderSpec.root, seed: seed)
        let scenario = LadderScenario(root, file: file, reader: &reader)
        if reader.diagnostics.isEmpty {
            do {
                try scenario.problem.check()
            } catch {
                reader.report(at: "candidates", "\(error)")
            }
        }
        guard reader.diagnostics.isEmpty else {
            throw SpecFile.sorted(reader)
        }
        return scenario
    }

    private init(_ root: ResolvedObject, file: String, reader: inout ScenarioReader) {
        name = root.text("name") ?? ""
        canonicalYAML = root.yaml(indent: 0)
        let seed = UInt64(root.integer("seed") ?? 1)
        let limits = root.object("limits") ?? ResolvedObject()
        let players = root.object("players") ?? ResolvedObject()
        let objective = root.object("objective") ?? ResolvedObject()
        let title = root.object("title") ?? ResolvedObject()
        var inputs: [Manifest.Input] = []
        let audiences = Self.audiences(root, seed: seed, file: file, &inputs, &reader)
        self.inputs = inputs
        problem = LadderProblem(
            candidates: Self.candidates(root), audiences: audiences,
            settings: Self.settings(players, reader: &reader),
            maximumRungs: limits.integer("rungs") ?? 1)
        problem.maximumCores = limits.number("cpu") ?? .infinity
        problem.maximumEgress = limits.number("egress").map { $0 / 1000 } ?? .infinity
        problem.qoe = LadderQoE(rawValue: objective.text("qoe") ?? "") ?? .log
        let statistic = objective.text("statistic") ?? "mean"
        problem.statistic =
            Double(statistic.dropFirst()).map { .percentile($0) } ?? .mean
        problem.viewers = root.integer("viewers") ?? 24
        problem.seeds = root.integer("seeds") ?? 8
        problem.seed = seed
        problem.tcp = root.boolean("tcp") ?? true ? TCPModel() : nil
        problem.segmentDuration = (title.number("segment_duration") ?? 4e9) / 1e6
        let duration = (title.number("duration") ?? 180e9) / 1e6
        problem.segmentCount = max(1, Int((duration / problem.segmentDuration).rounded(.up)))
        problem.variation = title.number("variation") ?? 0
        problem.player.abandonment =
            .init(rawValue: players.text("abandonment") ?? "") ?? .published
        check(&reader)
    }

    private func check(_ reader: inout ScenarioReader) {
        for (index, setting) in problem.settings.enumerated()
        where setting.maximumBuffer < problem.segmentDuration {
            reader.report(
                at: "players.max_buffers",
                "setting \(index) has a buffer of \(setting.maximumBuffer / 1000) s, less than a "
                    + "segment of \(problem.segmentDuration / 1000) s; give it at least one")
            break
        }
        if problem.segmentDuration < 1 {
            reader.report(at: "title.segment_duration", "is shorter than 1ms; take longer segments")
        }
        let (segments, viewers) = (
            problem.segmentCount.multipliedReportingOverflow(by: problem.seeds),
            problem.viewers.multipliedReportingOverflow(by: problem.seeds)
        )
        if segments.overflow || segments.partialValue > Self.maximumSegments {
            reader.report(
                at: "title.duration",
                "\(problem.seeds) seeds of \(problem.segmentCount) segments are more than "
                    + "\(Self.maximumSegments); take a shorter title, longer segments or fewer seeds"
            )
        }
        if viewers.overflow || viewers.partialValue > SimulationScenario.maximumSessions {
            reader.report(
                at: "viewers",
                "\(problem.seeds) seeds of \(problem.viewers) viewers are more than "
                    + "\(SimulationScenario.maximumSessions); take fewer")
        }
        if problem.viewers < problem.audiences.count {
            reader.report(
                at: "viewers",
                "\(problem.viewers) viewers are fewer than the \(problem.audiences.count) "
                    + "audiences; give each at least one")
        }
    }

    private static func candidates(_ root: ResolvedObject) -> [LadderCandidate] {
        root.objects("candidates").map { candidate in
            LadderCandidate(
                bitrate: (candidate.number("bitrate") ?? 0) / 1000,
                height: candidate.integer("height") ?? 0, cores: candidate.number("cpu") ?? 0,
                quality: candidate.text("quality").flatMap(Double.init))
        }
    }

    private static func audiences(
        _ root: ResolvedObject, seed: UInt64, file: String, _ inputs: inout [Manifest.Input],
        _ reader: inout ScenarioReader
    ) -> [LadderAudience] {
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent().path
        var result: [LadderAudience] = []
        for (index, audience) in root.objects("population").enumerated() {
            let link = audience.text("link") ?? ""
            let device = audience.text("device") ?? "pc"
            do {
                let traces = try TraceInput.traces(named: link, seed: seed, folder: folder)
                guard traces.count == 1, let trace = traces.first else {
                    throw InputFault(message: "'\(link)' is a folder; name one trace file")
                }
                try TraceInput.refuseLoss(trace)
                if let input = trace.input { inputs.append(input) }
                result.append(
                    LadderAudience(
                        name: audience.text("name") ?? "\(trace.name)/\(device)",
                        share: audience.number("share") ?? 0, link: trace.value,
                        screenHeight: DeviceProfile(rawValue: device)?.maximumHeight ?? .max))
            } catch {
                reader.report(at: "population[\(index)].link", "\(error)")
            }
        }
        return result
    }

    private static func settings(
        _ players: ResolvedObject, reader: inout ScenarioReader
    ) -> [LadderSetting] {
        let algorithms = SimulationInputs.algorithms(
            players, at: "players.algorithms", reader: &reader)
        let buffers = (players.list("max_buffers") ?? []).compactMap { value -> Double? in
            if case .quantity(_, let held) = value { held / 1e6 } else { nil }
        }
        let caps = (players.list("device_caps") ?? []).compactMap { value -> Bool? in
            if case .text(let name) = value { name == "fitted" } else { nil }
        }
        return caps.flatMap { cap in
            buffers.flatMap { buffer in
                algorithms.map {
                    LadderSetting(algorithm: $0, maximumBuffer: buffer, fitsDevice: cap)
                }
            }
        }
    }
}
