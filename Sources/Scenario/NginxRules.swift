import SimulationKernel

/// Checks of what nginx-rtmp can do. Its configuration has applications, not streams.
enum NginxRules {
    static func check(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        guard scenario.stack.driver == .nginxRTMP else { return }
        checkWorkers(scenario, reader: &reader)
        let streams = scenario.streams
        for (i, stream) in streams.enumerated() where stream.ladder != nil {
            guard let first = streams.first(where: { $0.ladder != nil })?.ladder else { break }
            if stream.ladder != first {
                reader.report(
                    at: "streams[\(i)].ladder",
                    "nginx-rtmp encodes all sources alike; give every stream the first one's ladder"
                )
            }
        }
        guard let hls = scenario.stack.hls else { return }
        if hls.container != .ts {
            reader.report(
                at: "stack.hls.container", "nginx-rtmp makes MPEG-TS segments; take container: ts")
        }
        if hls.part != nil {
            reader.report(
                at: "stack.hls.part",
                "nginx-rtmp makes no parts; remove part, or take driver: embedded")
        }
        let variants = streams.map(\.nginxVariants)
        for (i, stream) in streams.enumerated() {
            if variants[i].count < stream.renditions.count {
                reader.report(
                    at: "streams[\(i)]",
                    "nginx-rtmp writes rates into its multivariant playlist as it is told, and "
                        + "those of a file are not known; take source: {ffmpeg: …} or synthetic")
            } else if variants[i] != variants[0] {
                reader.report(
                    at: "streams[\(i)]",
                    "nginx-rtmp lists the same renditions for all streams; give every stream the "
                        + "first one's")
            }
        }
    }
}

extension NginxRules {
    /// A worker has the streams of its own connections only. `rtmp_auto_push` would share them, but
    /// does not work in a module that nginx loads (nginx 1.22 with nginx-rtmp 1.2.2).
    private static func checkWorkers(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        guard scenario.stack.threads > 1,
            scenario.viewers.contains(where: { $0.playProtocol == .rtmp })
                || scenario.streams.contains(where: { $0.ladder != nil })
        else { return }
        reader.report(
            at: "stack.threads",
            "a viewer or an encoder at another worker of nginx-rtmp than its publisher gets no "
                + "media; take threads: 1, or HLS viewers or relay without a ladder")
    }
}

/// One line of `hls_variant`. The module does not know the rates; it writes those of its
/// configuration.
package struct NginxVariant: Sendable, Hashable {
    /// Name of the rendition. The stream's key is `<stream>_<rendition>`.
    package var rendition: String
    package var width: Int
    package var height: Int
    package var framesPerSecond: Int
    /// Bit rate of the audio and video payload.
    package var bitsPerSecond: Int
}

extension ScenarioStream {
    /// The stream's renditions in nginx-rtmp's terms, without the renditions of files.
    package var nginxVariants: [NginxVariant] {
        if let ladder {
            return ladder.renditions.map {
                .init(
                    rendition: $0.name, width: $0.width, height: $0.height,
                    framesPerSecond: $0.framesPerSecond, bitsPerSecond: $0.bitrate.bitsPerSecond)
            }
        }
        return renditions.compactMap { rendition in
            rendition.source.figures.map {
                .init(
                    rendition: rendition.name, width: $0.size.width, height: $0.size.height,
                    framesPerSecond: $0.framesPerSecond, bitsPerSecond: $0.bitrate.bitsPerSecond)
            }
        }
    }
}
