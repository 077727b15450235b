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
    ) -> [SimulationScenario.Named<LinkTrace>] {
        var result: [SimulationScenario.Named<LinkTrace>] = []
        for (index, text) in matrix.texts("traces").enumerated() {
            let place = "matrix.traces[\(index)]"
            do {
                for trace in try traces(named: text, seed: seed, folder: folder) {
                    try refuseLoss(trace)
                    result.append(trace)
                }
            } catch {
                reader.report(at: place, "\(error)")
            }
        }
        return result
    }

    /// The flow level has no packets to lose: a trace that asks for losses is refused, not bent.
    static func refuseLoss(_ trace: SimulationScenario.Named<LinkTrace>) throws(InputFault) {
        guard case .schedule(let schedule) = trace.value,
            schedule.periods.contains(where: { $0.loss > 0 })
        else { return }
        throw InputFault(
            message:
                "\(trace.input?.path ?? trace.name) has a loss column; the simulator works with flows and cannot "
                + "lose packets: take the column out")
    }

    static func traces(
        named text: String, seed: UInt64, folder: String
    ) throws -> [SimulationScenario.Named<LinkTrace>] {
        if let rate = Quantity.bitrate.parse(text) {
            guard (1...Quantity.bitrate.maximum).contains(rate) else {
                throw InputFault(
                    message: "'\(text)' is no rate of a link: give 1bps to "
                        + Quantity.bitrate.format(Quantity.bitrate.maximum))
            }
            return [
                .init(
                    name: text,
                    value: .schedule(RateSchedule(constant: Bitrate(bitsPerSecond: Int(rate)))))
            ]
        }
        if LinkProfile.all.contains(where: { $0.name == text }) {
            let profile = try LinkProfile.named(text)
            return [.init(name: text, value: .schedule(profile.schedule(.down, seed: seed)))]
        }
        let path = text.hasPrefix("/") ? text : "\(folder)/\(text)"
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            let names = LinkProfile.all.map(\.name)
            let nearest = NameDistance.nearest(to: text, among: names)
            throw InputFault(
                message: "there is no file '\(text)' and no link profile of that name; "
                    + (nearest.map { "did you mean '\($0)'?" }
                        ?? "profiles: \(names.joined(separator: ", "))"))
        }
        guard isFolder.boolValue else { return [try trace(path)] }
        let files = try InputFiles.inFolder(path)
        guard !files.isEmpty else { throw InputFault(message: "the folder '\(text)' is empty") }
        return try files.map(trace)
    }

    private static func trace(_ path: String) throws -> SimulationScenario.Named<LinkTrace> {
        let bytes = try TraceReader.contents(ofFile: path)
        return .init(
            name: InputFiles.name(path), value: try TraceReader.read(bytes, file: path),
            input: InputFiles.input(path, bytes))
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
    ) -> [SimulationScenario.Named<Title>] {
        let duration = (title.number("segment_duration") ?? 4e9) / 1e6
        let count = max(1, Int(((title.number("duration") ?? 0) / 1e6 / duration).rounded(.up)))
        var result: [SimulationScenario.Named<Title>] = []
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

struct InputFault: Error, CustomStringConvertible {
    var message: String
    var description: String { message }
}

enum InputFiles {
    /// Most files taken from a folder.
    static let maximum = 10_000

    /// Regular, visible files in the order of their names.
    static func inFolder(_ path: String) throws -> [String] {
        let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        let files = names.filter { !$0.hasPrefix(".") }.map { "\(path)/\($0)" }.filter {
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: $0, isDirectory: &isFolder)
                && !isFolder.boolValue
        }
        guard files.count <= maximum else {
            throw InputFault(message: "'\(path)' has more than \(maximum) files")
        }
        return files
    }

    static func input(_ path: String, _ bytes: [UInt8]) -> Manifest.Input {
        .init(path: path, sha256: ContentDigest.sha256(bytes))
    }

    /// The file's name without folder and extension.
    static func name(_ path: String) -> String {
        let last = URL(fileURLWithPath: path).lastPathComponent
        guard let dot = last.lastIndex(of: "."), dot != last.startIndex else { return last }
        return String(last[..<dot])
    }
}
