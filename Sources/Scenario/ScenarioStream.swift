package import SimulationKernel

/// A stream, or several streams of the same form, in one or more renditions.
package struct ScenarioStream: ScenarioMapping, Codable, Hashable {
    /// Name of the stream. `{i}` stands for the stream's number, counted from 1.
    package var name = ""
    package var count = 1
    package var renditions = ScenarioRendition.edgeLadder
    /// Source that a ladder encodes, published once under the stream's own name; nil without a
    /// ladder.
    package var source: StreamSource?
    /// Ladder that encodes the source; nil = the renditions are published as they are.
    package var ladder: EncodedLadder?

    package init() {}
    package static let fields: [Field<ScenarioStream>] = [
        .required("name", \.name, .text(.streamName), "Stream name; {i} is the stream's number."),
        .standard("count", \.count, .integer(1...1000), "How many such streams."),
        .standard(
            "renditions", \.renditions,
            .preset(ScenarioRendition.edgeLadder, or: .list(.mapping)),
            "Published as they are: the preset edge-ladder, or a list."),
        .optional("source", \.source, .mapping, "What is published once, with 'ladder'."),
        .optional(
            "ladder", \.ladder, .preset(EncodedLadder(), or: .mapping),
            "Renditions that ffmpeg makes of the source, on a stack that the run starts."),
    ]

    package static var exclusive: [[PartialKeyPath<ScenarioStream>]] {
        [[\.renditions, \.ladder], [\.renditions, \.source]]
    }

    /// Replaces the renditions of a stream with a ladder by those that the ladder makes of the
    /// source.
    mutating func deriveRenditions() {
        if let ladder, let source {
            renditions = ladder.renditions.map { .init(name: $0.name, source: source) }
        } else {
            (source, ladder) = (nil, nil)
        }
    }

    /// Names of the `count` streams.
    package var names: [String] {
        (1...max(1, count)).map { i in
            name.contains("{i}")
                ? name.replacing("{i}", with: "\(i)") : count == 1 ? name : "\(name)\(i)"
        }
    }
}

/// One encoding of a stream; its stream key is `<stream>_<rendition>`.
package struct ScenarioRendition: ScenarioMapping, Codable, Hashable {
    package var name = ""
    package var source = StreamSource()

    package init() {}

    init(name: String, source: StreamSource) { (self.name, self.source) = (name, source) }

    package static let fields: [Field<ScenarioRendition>] = [
        .required("name", \.name, .text(.name), "Rendition name; the key is <stream>_<rendition>."),
        .required("source", \.source, .mapping, "Where the media comes from."),
    ]

    /// The preset `edge-ladder`.
    package static let edgeLadder = EncodedRendition.edgeLadder.map { rendition in
        var source = GeneratedSource()
        (source.width, source.height) = (rendition.width, rendition.height)
        source.framesPerSecond = rendition.framesPerSecond
        (source.bitrate, source.audioBitrate) = (rendition.bitrate, rendition.audioBitrate)
        return ScenarioRendition(name: rendition.name, source: .synthetic(source))
    }
}

/// Origin of a stream's media.
package enum StreamSource: ScenarioMapping, Codable, Hashable {
    case synthetic(GeneratedSource)
    /// Path of a media file that is looped.
    case file(String)
    /// A clip that ffmpeg generates once.
    case ffmpeg(ClipSource)

    package init() { self = .file("") }

    package static let fields: [Field<StreamSource>] = [
        .alternative(
            "synthetic", StreamSource.synthetic, .mapping, "A generated picture and tone."),
        .alternative("file", StreamSource.file, .text(.nonEmpty), "A media file, looped."),
        .alternative(
            "ffmpeg", StreamSource.ffmpeg, .mapping,
            "A real picture, made once by ffmpeg and looped."),
    ]

    /// Facts about the media that are known beforehand; nil for a file, which is not inspected.
    var figures: (size: PictureSize, framesPerSecond: Int, bitrate: Bitrate, audio: Bitrate)? {
        switch self {
        case .synthetic(let source):
            let size = PictureSize(width: source.width, height: source.height)
            return (size, source.framesPerSecond, source.bitrate, source.audioBitrate)
        case .ffmpeg(let clip):
            return (clip.size, clip.framesPerSecond, clip.bitrate, clip.audioBitrate)
        case .file: return nil
        }
    }
}

/// A generated picture and tone.
package struct GeneratedSource: ScenarioMapping, Codable, Hashable {
    package var width = 1280
    package var height = 720
    package var framesPerSecond = 30
    package var gop = Duration.seconds(2)
    package var bitrate = Bitrate(bitsPerSecond: 0)
    package var audioBitrate = Bitrate(kilobitsPerSecond: 128)

    /// Frames from one key frame to the next.
    package var gopFrames: Int {
        max(1, Int((Double(gop.nanoseconds) / 1e9 * Double(framesPerSecond)).rounded()))
    }

    package init() {}
    package static let fields: [Field<GeneratedSource>] = [
        .standard("width", \.width, .integer(16...7680), "Picture width, pixels."),
        .standard("height", \.height, .integer(16...4320), "Picture height, pixels."),
        .standard("fps", \.framesPerSecond, .integer(1...240), "Frames per second."),
        .standard("gop", \.gop, .duration(), "Distance of key frames."),
        .required("bitrate", \.bitrate, .bitrate(), "Audio and video payload together."),
        .standard(
            "audio_bitrate", \.audioBitrate, .bitrate(zero: true), "Audio; 0kbps = none."),
    ]
}
