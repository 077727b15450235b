import Media
package import Server
package import SimulationKernel

/// Renditions that the stack's encoders make of one source.
package struct EncodedLadder: Codable, Sendable, Hashable {
    /// Published once, under the stream's own name.
    package var source: StreamSource
    package var renditions: [EncodedRendition]
    /// One of `LadderConfiguration.x264Presets`.
    package var preset: String
    /// Threads of each encoder, 0...64; 0 = x264's choice.
    package var threads: Int
    package var mode: LadderConfiguration.Mode
    /// Filler data where pictures need less than the bit rate.
    package var pads: Bool
    /// Distance of key frames, 200 ms to 60 s.
    package var gop: Duration
    /// Frames of the source, from the start of the steady window, with which each rendition is
    /// compared; nil = none.
    package var qualityFrames: Int?

    /// In the server's terms.
    ///
    /// - Parameter source: `<app>/<stream>`.
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

/// One rung of an encoded ladder.
package struct EncodedRendition: Codable, Sendable, Hashable {
    package var name: String
    /// Pixels, even.
    package var width: Int
    package var height: Int
    /// At most: a source with fewer frames keeps its own.
    package var framesPerSecond: Int
    /// Audio and video message payload together.
    package var bitrate: Bitrate
    /// 0 = no audio.
    package var audioBitrate: Bitrate

    var ladderRendition: LadderRendition {
        LadderRendition(
            name: name, width: width, height: height, framesPerSecond: .init(framesPerSecond),
            videoBitsPerSecond: bitrate.bitsPerSecond - audioBitrate.bitsPerSecond,
            audioBitsPerSecond: audioBitrate.bitsPerSecond)
    }

    /// The preset `edge-ladder`, as the server has it.
    static let edgeLadder = LadderConfiguration.edgeLadder.renditions.map { rung in
        EncodedRendition(
            name: rung.name, width: rung.width, height: rung.height,
            framesPerSecond: Int(rung.framesPerSecond.doubleValue.rounded()),
            bitrate: Bitrate(bitsPerSecond: rung.videoBitsPerSecond + rung.audioBitsPerSecond),
            audioBitrate: Bitrate(bitsPerSecond: rung.audioBitsPerSecond))
    }
}

/// A clip that ffmpeg makes with its own generators.
package struct ClipSource: Codable, Sendable, Hashable {
    package enum Pattern: String, Codable, Sendable, CaseIterable {
        /// A moving texture under a test picture, with a little noise of its own in each frame.
        case texture
        /// The test picture alone: easy to encode.
        case testsrc
    }

    package var pattern: Pattern
    package var size: PictureSize
    package var framesPerSecond: Int
    /// Audio and video together, about: of what the encoder is asked for.
    package var bitrate: Bitrate
    /// 0 = no audio.
    package var audioBitrate: Bitrate
}

/// Width and height in pixels.
package struct PictureSize: Codable, Sendable, Hashable {
    package var width: Int
    package var height: Int

    /// Reads `1280x720`; nil for sides that are odd or not in 16...4096.
    init?(_ text: String) {
        let sides = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
        guard sides.count == 2, let width = sides[0], let height = sides[1],
            [width, height].allSatisfy({ (16...4096).contains($0) && $0 % 2 == 0 })
        else { return nil }
        (self.width, self.height) = (width, height)
    }
}

extension EncodedLadder {
    init(_ object: ResolvedObject?, source: StreamSource) {
        let list = (object?.objects("renditions") ?? []).map(EncodedRendition.init)
        self.init(
            source: source, renditions: list.isEmpty ? EncodedRendition.edgeLadder : list,
            preset: object?.text("preset") ?? "veryfast", threads: object?.integer("threads") ?? 0,
            mode: object?.text("mode").flatMap(LadderConfiguration.Mode.init) ?? .perRendition,
            pads: object?.boolean("padding") ?? false, gop: object?.duration("gop") ?? .seconds(2),
            qualityFrames: object?.object("quality")?.integer("frames"))
    }
}

extension EncodedRendition {
    init(_ object: ResolvedObject) {
        self.init(
            name: object.text("name")!, width: object.integer("width")!,
            height: object.integer("height")!, framesPerSecond: object.integer("fps")!,
            bitrate: Bitrate(bitsPerSecond: Int(object.number("bitrate")!)),
            audioBitrate: Bitrate(bitsPerSecond: Int(object.number("audio_bitrate")!)))
    }
}

extension ClipSource {
    init(_ object: ResolvedObject) {
        self.init(
            pattern: Pattern(rawValue: object.text("pattern")!)!,
            size: PictureSize(object.text("size")!)!, framesPerSecond: object.integer("fps")!,
            bitrate: Bitrate(bitsPerSecond: Int(object.number("bitrate")!)),
            audioBitrate: Bitrate(bitsPerSecond: Int(object.number("audio_bitrate")!)))
    }
}
