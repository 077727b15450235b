import Foundation
import Server
import SimulationKernel

/// Checks of streams whose renditions the stack's encoders make.
enum EncodedLadderRules {
    /// Maximum number of sources that the stack encodes at the same time.
    static let mostSources = 64

    static func check(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        var keys: Set<String> = []
        for stream in scenario.streams {
            keys.formUnion(
                stream.names.flatMap { name in
                    stream.renditions.map { "\(name)_\($0.name)" }
                })
        }
        var sources = 0
        for (i, stream) in scenario.streams.enumerated() {
            let place = "streams[\(i)]"
            let hasSource = reader.marks[place + ".source"] != nil
            let hasLadder = reader.marks[place + ".ladder"] != nil
            if hasSource != hasLadder {
                reader.report(
                    at: place,
                    hasSource
                        ? "source is what a ladder encodes: add ladder: edge-ladder, or move the "
                            + "source into a list of renditions"
                        : "a ladder encodes one source: add source, such as "
                            + "source: {ffmpeg: {pattern: texture}}")
            }
            guard let ladder = stream.ladder, let source = stream.source else { continue }
            sources += stream.names.count
            if [.external, .command, .srs].contains(scenario.stack.driver) {
                reader.report(
                    at: place + ".ladder",
                    "an external server's encoders are its own; take driver: embedded or "
                        + "nginx-rtmp, or publish renditions as they are")
            }
            for name in stream.names where !keys.insert(name).inserted {
                reader.report(
                    at: place + ".name",
                    "the source's stream key \(name) is another stream's as well; rename one")
            }
            check(source, at: place + ".source", reader: &reader)
            check(ladder, at: place + ".ladder", reader: &reader)
            checkQuality(ladder, of: source, scenario, at: place, reader: &reader)
        }
        if sources > mostSources {
            reader.report(
                at: "streams", "\(sources) streams have encoders; at most \(mostSources)")
        }
    }

    private static func checkQuality(
        _ ladder: EncodedLadder, of source: StreamSource, _ scenario: TrialScenario,
        at place: String, reader: inout ScenarioReader
    ) {
        guard let frames = ladder.qualityFrames, let rate = source.figures?.framesPerSecond
        else { return }
        // Renditions arrive later than the source.
        let room = Int((scenario.duration.seconds - 2) * Double(rate))
        if frames > room {
            reader.report(
                at: place + ".ladder.quality",
                "the steady window has room for \(max(0, room)) frames; ask for fewer, or make "
                    + "duration longer")
        }
    }

    private static func check(
        _ source: StreamSource, at place: String, reader: inout ScenarioReader
    ) {
        switch source {
        case .synthetic(let source):
            ScenarioRules.check(source, at: place + ".synthetic", reader: &reader)
        case .ffmpeg(let clip):
            ScenarioRules.check(
                clip.audioBitrate, of: clip.bitrate, at: place + ".ffmpeg", reader: &reader)
        case .file(let path):
            if !FileManager.default.isReadableFile(atPath: path) {
                reader.report(
                    at: place + ".file",
                    "\(path) cannot be read; give a media file with H.264 and AAC or MP3")
            }
        }
    }

    private static func check(
        _ ladder: EncodedLadder, at place: String, reader: inout ScenarioReader
    ) {
        for (j, rendition) in ladder.renditions.enumerated() where rendition.name == "source" {
            reader.report(
                at: place + ".renditions[\(j)].name",
                "'source' is what results call the source itself; name the rendition otherwise")
        }
        for (j, rendition) in ladder.renditions.enumerated()
        where rendition.audioBitrate >= rendition.bitrate {
            ScenarioRules.check(
                rendition.audioBitrate, of: rendition.bitrate, at: place + ".renditions[\(j)]",
                reader: &reader)
            return
        }
        do {
            try ladder.configuration(source: "live/x").check()
        } catch {
            reader.report(at: place, "\(error)")
        }
    }
}
