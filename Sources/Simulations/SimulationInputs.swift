import Scenario
import ABR
import Foundation
import Netem
import Results
import SimulationKernel

/// Turns the names in a simulation scenario into traces, algorithms and titles.
enum SimulationInputs {
    static func live(
        _ live: ResolvedObject
    ) -> (player: PlayerConfiguration.Live, timeline: LiveTimeline) {
        var player = PlayerConfiguration.Live(
            targetLatency: (live.number("target_latency") ?? 0) / 1e6)
        if let maximum = live.number("max_latency") { player.maximumLatency = maximum / 1e6 }
        player.catchUp =
            switch live.text("catch_up") {
            case "lol-plus": .sigmoid(maximumChange: 0.5)
            case "hls-js": .hlsJS(maximumRate: 1.5)
            case "media3": .media3
            default: .off
            }
        var timeline = LiveTimeline()
        timeline.delivery = .init(rawValue: live.text("delivery") ?? "") ?? .segments
        timeline.parts = live.integer("parts") ?? 1
        timeline.publishDelay = (live.number("publish_delay") ?? 0) / 1e6
        return (player, timeline)
    }

    /// Names what is computed, not when.
    static func contentID(_ kind: String, _ yaml: String, _ inputs: [Manifest.Input]) -> String {
        let parts = [MillraceVersion.current, yaml] + inputs.map(\.sha256)
        return "\(kind)-" + ContentDigest.sha256(parts.joined(separator: "\n")).prefix(12)
    }

    // MARK: Traces

    static func traces(
        _ matrix: ResolvedObject, seed: UInt64, folder: String, reader: inout ScenarioReader
    ) -> [NamedInput<LinkTrace>] {
        var result: [NamedInput<LinkTrace>] = []
        for (index, text) in matrix.texts("traces").enumerated() {
            let place = "matrix.traces[\(index)]"
            do {
                for trace in try TraceInput.traces(named: text, seed: seed, folder: folder) {
                    try TraceInput.refuseLoss(trace)
                    result.append(trace)
                }
            } catch {
                reader.report(at: place, "\(error)")
            }
        }
        return result
    }

    // MARK: Algorithms

    static func algorithms(
        _ matrix: ResolvedObject, at place: String = "matrix.algorithms",
        reader: inout ScenarioReader
    ) -> [AlgorithmName] {
        var result: [AlgorithmName] = []
        for (index, text) in matrix.texts("algorithms").enumerated() {
            if let name = AlgorithmName(parsing: text) {
                result.append(name)
            } else {
                let nearest = NameDistance.nearest(to: text, among: AlgorithmName.allNames)
                let names = AlgorithmName.allNames.joined(separator: ", ")
                reader.report(
                    at: "\(place)[\(index)]",
                    "unknown algorithm '\(text)'; "
                        + (nearest.map { "did you mean '\($0)'?" } ?? "algorithms: \(names)"))
            }
        }
        return result
    }

    // MARK: Titles

    static func titles(
        _ matrix: ResolvedObject, _ title: ResolvedObject, seed: UInt64, folder: String,
        reader: inout ScenarioReader
    ) -> [NamedInput<Title>] {
        let duration = (title.number("segment_duration") ?? 4e9) / 1e6
        let count = max(1, Int(((title.number("duration") ?? 0) / 1e6 / duration).rounded(.up)))
        var result: [NamedInput<Title>] = []
        for (index, text) in matrix.texts("ladders").enumerated() {
            do {
                if let ladder = Ladder.presets.first(where: { $0.name == text }) {
                    let made = try ladder.title(
                        segmentDuration: duration, segmentCount: count,
                        variation: title.number("variation") ?? 0, seed: seed)
                    result.append(.init(name: made.name, value: made))
                } else {
                    let path = text.hasPrefix("/") ? text : "\(folder)/\(text)"
                    guard FileManager.default.fileExists(atPath: path) else {
                        let names = Ladder.presets.map(\.name)
                        let nearest = NameDistance.nearest(to: text, among: names)
                        throw InputFault(
                            message: "there is no title file '\(text)' and no preset of that name; "
                                + (nearest.map { "did you mean '\($0)'?" }
                                    ?? "presets: \(names.joined(separator: ", "))"))
                    }
                    let bytes = try TraceReader.contents(ofFile: path)
                    result.append(
                        .init(
                            name: InputFiles.name(path),
                            value: try TitleReader.read(bytes, file: path),
                            input: InputFiles.input(path, bytes)))
                }
            } catch {
                reader.report(at: "matrix.ladders[\(index)]", "\(error)")
            }
        }
        return result
    }
}
