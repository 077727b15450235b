public import ArgumentParser
public import Server

/// Options for the renditions that the embedded stack makes.
struct LadderOptions: ParsableArguments {
    @Option(
        help:
            "Make renditions: edge-ladder, or NAME:WIDTHxHEIGHT@FPS:VIDEO+AUDIO,… with rates in kbit/s."
    )
    var ladder: String?
    @Option(help: "Streams to make them of, <app>/<stream>; * stands for any characters.")
    var ladderSource = "live/*"
    @Option(
        help: "One ffmpeg for each rendition (per-rendition), or one for all (single).")
    var ladderMode = LadderConfiguration.Mode.perRendition
    @Option(
        help: "x264 preset, from ultrafast to veryslow: less CPU time against a better picture.")
    var ladderPreset = "veryfast"
    @Option(help: "Threads of each video encoder; 0 = as x264 chooses.")
    var ladderThreads = 0
    @Option(help: "Seconds of source time between key frames, the same ones in all renditions.")
    var ladderGOP = 2.0
    @Flag(help: "Meet the bit rate with filler data where the pictures need less.")
    var ladderPadding = false

    func validate() throws { _ = try configuration() }

    /// Returns the configuration of the ladder; nil if no ladder is asked for.
    ///
    /// - Throws: `ValidationError` that says which values an option takes.
    func configuration() throws -> LadderConfiguration? {
        guard let ladder else { return nil }
        do {
            var configuration = LadderConfiguration.edgeLadder
            if ladder != "edge-ladder" {
                guard ladder.contains(":") else {
                    throw LadderConfigurationError(
                        "there is no ladder '\(ladder)'; it takes edge-ladder, or renditions as 480p:854x480@30:1000+128,240p:426x240@15:200+64"
                    )
                }
                configuration.renditions = []
                for part in ladder.split(separator: ",") {
                    configuration.renditions.append(
                        try LadderRendition(notation: String(part)))
                }
            }
            try check(ladderGOP, in: 0.2...60, "--ladder-gop")
            configuration.source = ladderSource
            configuration.mode = ladderMode
            configuration.x264Preset = ladderPreset
            configuration.threads = ladderThreads
            configuration.gopMilliseconds = Int((ladderGOP * 1000).rounded())
            configuration.padsToBitrate = ladderPadding
            try configuration.check()
            return configuration
        } catch let error as LadderConfigurationError {
            throw ValidationError(error.description)
        }
    }
}

extension LadderConfiguration.Mode: ExpressibleByArgument {}
