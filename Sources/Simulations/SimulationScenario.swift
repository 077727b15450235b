package import Scenario
package import ABR
import Foundation
package import Netem
package import Results
package import SimulationKernel

/// A checked simulation scenario with its traces and titles read.
package struct SimulationScenario: Sendable {
    package var name: String
    package var seed: UInt64
    package var traces: [NamedInput<LinkTrace>]
    package var algorithms: [AlgorithmName]
    /// ms
    package var maximumBuffers: [Double]
    package var titles: [Title]
    /// Everything but the maximum buffer.
    package var player: PlayerConfiguration
    package var timeline: LiveTimeline?
    package var viewers: Int
    package var sharing: SimulationSharing
    package var origin: Bitrate?
    /// ms
    package var arrivalSpread: Double
    /// ms
    package var meanWatch: Double?
    /// ms
    package var liveDuration: Double
    package var usesTCP: Bool
    package var writesSegments: Bool
    /// Files that traces and titles were read from.
    package var inputs: [Manifest.Input]
    /// Canonical YAML with the defaults filled in.
    package var canonicalYAML: String

    package var cells: Int {
        traces.count * algorithms.count * maximumBuffers.count * titles.count
    }

    /// Largest number of viewers over all cells.
    static let maximumSessions = 1_000_000
    /// Largest number of segment requests that a cell keeps.
    static let maximumSegments = 10_000_000

    /// Reads and checks a scenario file and the files it names, which are relative to it.
    /// - Parameter seed: instead of the scenario's own.
    /// - Throws: every fault found, with file, line and column.
    package static func load(
        path: String, seed: Int? = nil
    ) throws(ScenarioErrors) -> SimulationScenario {
        try parse(try SpecFile.text(path), file: path, seed: seed)
    }

    /// Checks the text of a scenario.
    /// - Parameter file: name that faults carry; other files are relative to its folder.
    package static func parse(
        _ text: String, file: String, seed: Int? = nil
    ) throws(ScenarioErrors) -> SimulationScenario {
        var (reader, resolved) = try SpecFile.read(
            text, file: file, spec: SimulationSpec.root, seed: seed)
        let scenario = SimulationScenario(resolved, file: file, reader: &reader)
        scenario.check(&reader)
        guard reader.diagnostics.isEmpty else {
            throw SpecFile.sorted(reader)
        }
        return scenario
    }

    private init(_ root: ResolvedObject, file: String, reader: inout ScenarioReader) {
        let matrix = root.object("matrix") ?? ResolvedObject()
        name = root.text("name") ?? ""
        seed = UInt64(root.integer("seed") ?? 1)
        canonicalYAML = root.yaml(indent: 0)
        viewers = root.integer("viewers") ?? 1
        sharing = SimulationSharing(rawValue: root.text("sharing") ?? "") ?? .own
        origin = root.number("origin").map { Bitrate(bitsPerSecond: Int($0)) }
        usesTCP = root.boolean("tcp") ?? true
        writesSegments = root.boolean("segments") ?? false
        let arrivals = root.object("arrivals") ?? ResolvedObject()
        arrivalSpread = (arrivals.number("over") ?? 0) / 1e6
        meanWatch = arrivals.number("mean_watch").map { $0 / 1e6 }
        liveDuration = (arrivals.number("live_duration") ?? 0) / 1e6
        maximumBuffers = (matrix.list("max_buffers") ?? []).compactMap {
            if case .quantity(_, let value) = $0 { value / 1e6 } else { nil }
        }
        var player = PlayerConfiguration()
        let given = root.object("player") ?? ResolvedObject()
        player.startBuffer = given.number("start_buffer").map { $0 / 1e6 }
        player.abandonment = .init(rawValue: given.text("abandonment") ?? "") ?? .published
        let live = root.object("live").map(SimulationInputs.live)
        player.live = live?.player
        self.player = player
        timeline = live?.timeline
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent().path
        traces = SimulationInputs.traces(matrix, seed: seed, folder: folder, reader: &reader)
        algorithms = SimulationInputs.algorithms(matrix, reader: &reader)
        let titles = SimulationInputs.titles(
            matrix, root.object("title") ?? ResolvedObject(), seed: seed, folder: folder,
            reader: &reader)
        self.titles = titles.map(\.value)
        inputs = traces.compactMap(\.input) + titles.compactMap(\.input)
    }

    /// What no single field tells.
    private func check(_ reader: inout ScenarioReader) {
        for (index, buffer) in maximumBuffers.enumerated() {
            for title in titles {
                var player = player
                player.maximumBuffer = buffer
                do {
                    try player.check(title)
                } catch {
                    reader.report(at: "matrix.max_buffers[\(index)]", "\(title.name): \(error)")
                }
            }
        }
        if (timeline?.parts ?? 1) > 1, sharing == .common || origin != nil {
            reader.report(
                at: "live.parts",
                "chunks and parts are simulated for viewers with a link of their own and no origin "
                    + "limit; use whole segments here")
        }
        if sharing == .common || origin != nil {
            for trace in traces where (try? trace.value.rateSchedule())?.hasOneDelay == false {
                reader.report(
                    at: "matrix.traces",
                    "\(trace.name): its delay changes; viewers that share a link or an origin limit "
                        + "are simulated with one round trip: give the trace one delay")
            }
        }
        let longest = titles.map(\.segmentCount).max() ?? 0
        if writesSegments, viewers * longest > Self.maximumSegments {
            reader.report(
                at: "segments",
                "a cell would keep \(viewers * longest) segment requests, more than "
                    + "\(Self.maximumSegments); leave it false, or take fewer viewers")
        }
        if cells * viewers > Self.maximumSessions {
            reader.report(
                at: "viewers",
                "\(cells) cells of \(viewers) viewers are more than \(Self.maximumSessions) "
                    + "sessions; make the matrix smaller")
        }
    }
}

extension RateSchedule {
    /// Whether all of its periods have the same delay.
    fileprivate var hasOneDelay: Bool {
        periods.allSatisfy { $0.delayNanoseconds == periods[0].delayNanoseconds }
    }
}
