import Media
package import Server
package import SimulationKernel

/// Renditions that the stack's encoders make of one source.
package struct EncodedLadder: ScenarioMapping, Codable, Hashable {
    package var renditions = EncodedRendition.edgeLadder
    /// Encoder preset: one of `LadderConfiguration.x264Presets`.
    package var preset = "veryfast"
    package var threads = 0
    package var mode = LadderConfiguration.Mode.perRendition
    package var pads = false
    package var gop = Duration.seconds(2)
    /// Number of source frames, from the start of the steady window, with which each rendition is
    /// compared; nil = no comparison.
    package var qualityFrames: Int?

    package init() {}
    package static let fields: [Field<EncodedLadder>] = [
        .standard(
            "renditions", \.renditions,
            .preset(EncodedRendition.edgeLadder, or: .list(.mapping)),
            "The preset edge-ladder, or a list."),
        .standard(
            "preset", \.preset, .choice(among: LadderConfiguration.x264Presets), "x264's preset."),
        .standard(
            "threads", \.threads, .integer(0...64),
            "Threads of each encoder; 0 = x264's choice."),
        .standard(
            "mode", \.mode, .choice,
            "One ffmpeg for each rendition, whose CPU time can be told apart, or a single one."),
        .standard("padding", \.pads, .boolean, "Filler data where pictures need less bits."),
        .standard("gop", \.gop, .duration(), "Distance of key frames; 200ms to 60s."),
        .optional(
            "quality", \.qualityFrames, ValueKind<Quality>.mapping.map { $0.frames },
            "SSIM and PSNR of each rendition against the source, by ffmpeg after the run."),
    ]

    private struct Quality: ScenarioMapping {
        var frames = 300

        static let fields: [Field<Quality>] = [
            .standard(
                "frames", \.frames, .integer(1...3000),
                "Frames of the source, from the start of the steady window.")
        ]
    }

    /// Returns the ladder in the server's terms.
    ///
    /// - Parameter source: Name of the source, `<app>/<stream>`.
    package func configuration(source: String) -> LadderConfiguration {
        var ladder = LadderConfiguration(
            source: source, renditions: renditions.map(\.ladderRendition))
        ladder.mode = mode
        ladder.x264Preset = preset
        ladder.threads = threads
        ladder.padsToBitrate = pads
        ladder.gopMilliseconds = Int(gop.nanoseconds / 1_000_000)
        return ladder
    }
}

/// One rendition of an encoded ladder.
package struct EncodedRendition: ScenarioMapping, Codable, Hashable {
    package var name = ""
    package var width = 0
    package var height = 0
    /// Maximum frame rate. A source with a lower rate keeps its own.
    package var framesPerSecond = 30
    package var bitrate = Bitrate(bitsPerSecond: 0)
    package var audioBitrate = Bitrate(kilobitsPerSecond: 128)

    package init() {}
    package static let fields: [Field<EncodedRendition>] = [
        .required("name", \.name, .text(.name), "Rendition name; the key is <stream>_<rendition>."),
        .required("width", \.width, .integer(16...7680), "Picture width, pixels, even."),
        .required("height", \.height, .integer(16...4320), "Picture height, pixels, even."),
        .standard("fps", \.framesPerSecond, .integer(1...240), "Frames per second at most."),
        .required("bitrate", \.bitrate, .bitrate(), "Audio and video payload together."),
        .standard(
            "audio_bitrate", \.audioBitrate, .bitrate(zero: true), "Audio; 0kbps = none."),
    ]

    var ladderRendition: LadderRendition {
        LadderRendition(
            name: name, width: width, height: height, framesPerSecond: .init(framesPerSecond),
            videoBitsPerSecond: bitrate.bitsPerSecond - audioBitrate.bitsPerSecond,
            audioBitsPerSecond: audioBitrate.bitsPerSecond)
    }

    /// The server's preset `edge-ladder`.
    static let edgeLadder = LadderConfiguration.edgeLadder.renditions.map { other in
        var rendition = EncodedRendition()
        (rendition.name, rendition.width, rendition.height) = (
            other.name, other.width, other.height
        )
        rendition.framesPerSecond = Int(other.framesPerSecond.doubleValue.rounded())
        rendition.bitrate = Bitrate(
            bitsPerSecond: other.videoBitsPerSecond + other.audioBitsPerSecond)
        rendition.audioBitrate = Bitrate(bitsPerSecond: other.audioBitsPerSecond)
        return rendition
    }
}

/// A clip that ffmpeg generates.
package struct ClipSource: ScenarioMapping, Codable, Hashable {
    package enum Pattern: String, Codable, Sendable, CaseIterable {
        /// A moving texture under a test picture, with a little new noise in each frame.
        case texture
        /// The test picture alone, which is easy to encode.
        case testsrc
    }

    package var pattern = Pattern.texture
    package var size = PictureSize(width: 1280, height: 720)
    package var framesPerSecond = 30
    /// Approximate bit rate of audio and video together: the rate that the encoder is asked for.
    package var bitrate = Bitrate(kilobitsPerSecond: 6000)
    package var audioBitrate = Bitrate(kilobitsPerSecond: 128)

    package init() {}
    package static let fields: [Field<ClipSource>] = [
        .standard(
            "pattern", \.pattern, .choice,
            "texture: a moving texture with noise, as busy as camera pictures."),
        .standard(
            "size", \.size,
            .text(.pictureSize).map(
                { PictureSize($0) }, back: { "\($0.width)x\($0.height)" }),
            "Width and height, pixels, even."),
        .standard("fps", \.framesPerSecond, .integer(1...60), "Frames per second."),
        .standard("bitrate", \.bitrate, .bitrate(), "Audio and video together, about."),
        .standard(
            "audio_bitrate", \.audioBitrate, .bitrate(zero: true), "Audio; 0kbps = none."),
    ]
}

/// Width and height in pixels.
package struct PictureSize: Codable, Sendable, Hashable {
    package var width: Int
    package var height: Int

    init(width: Int, height: Int) { (self.width, self.height) = (width, height) }

    /// Reads `1280x720`; nil if a side is odd or not in 16...4096.
    init?(_ text: String) {
        let sides = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
        guard sides.count == 2, let width = sides[0], let height = sides[1],
            [width, height].allSatisfy({ (16...4096).contains($0) && $0 % 2 == 0 })
        else { return nil }
        (self.width, self.height) = (width, height)
    }
}
