import Media
public import Processes
import SimulationKernel

/// Renditions that ffmpeg makes of a stream and publishes back into the relay.
public struct LadderConfiguration: Sendable, Codable, Hashable {
    /// How renditions share processes.
    public enum Mode: String, Sendable, Codable, CaseIterable {
        /// One ffmpeg for each rendition: CPU time is known for each, and each decodes the source.
        case perRendition = "per-rendition"
        /// One ffmpeg for all: the source is decoded once, and one failure ends all renditions.
        case single
    }

    /// Sources, `<app>/<stream>`; a `*` stands for any run of characters. Renditions are never
    /// sources.
    public var source: String
    public var renditions: [LadderRendition]
    public var mode = Mode.perRendition
    /// Preset, one of `x264Presets`.
    public var x264Preset = "veryfast"
    /// x264's `-tune`; nil = none. With `zerolatency` no frame waits for a later one.
    public var x264Tune: String? = "zerolatency"
    /// Threads of each video encoder, 0…64; 0 = x264's choice.
    public var threads = 0
    /// Milliseconds of source time from one key frame to the next, 200…60 000. Every rendition cuts
    /// at its multiples, whenever its encoder joined.
    public var gopMilliseconds = 2_000
    /// Size of the decoder buffer that the encoder keeps to (VBV), in milliseconds of the video's
    /// bit rate, 100…10 000.
    public var bufferMilliseconds = 1_000
    /// Whether pictures that need less are padded with filler data, so that the bit rate is met
    /// whatever they show (`nal-hrd=cbr`).
    public var padsToBitrate = false
    /// CPUs that the encoders may run on; nil = all.
    public var cpus: CPUSet?
    /// Program to run; nil = `ffmpeg` of the PATH.
    public var ffmpegPath: String?
    public var restarts = RestartPolicy()
    /// Milliseconds without a frame after which an encoder is killed and started again, 1 000 or
    /// more.
    public var stallMilliseconds = 30_000
    /// Milliseconds that an encoder has to end by itself once its source is gone.
    public var drainMilliseconds = 2_000
    /// Milliseconds that it then has to obey SIGTERM before SIGKILL.
    public var terminationMilliseconds = 2_000

    public init(source: String = "live/*", renditions: [LadderRendition]) {
        self.source = source
        self.renditions = renditions
    }

    /// The preset `edge-ladder`: 720p 2500 + 128, 480p 1000 + 128, 360p 750 + 128 and 240p 200 + 64
    /// kbit/s, with the sizes and frame rates of `SyntheticSpec.edgeLadder`.
    public static var edgeLadder: LadderConfiguration {
        LadderConfiguration(
            renditions: SyntheticSpec.edgeLadder.map { name, spec in
                let audio = spec.audioBitrate?.bitsPerSecond ?? 0
                return LadderRendition(
                    name: name, width: spec.width, height: spec.height,
                    framesPerSecond: spec.framesPerSecond,
                    videoBitsPerSecond: (spec.totalBitrate?.bitsPerSecond ?? 0) - audio,
                    audioBitsPerSecond: audio)
            })
    }

    /// libx264's `-preset` names, fastest first.
    public static let x264Presets = [
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower",
        "veryslow",
    ]

    /// Largest number of renditions of one ladder.
    public static let renditionLimit = 16

    /// Whether a published stream is a source of this ladder.
    public func takes(_ stream: String) -> Bool { Glob(source).matches(stream) }

    /// - Throws: `LadderConfigurationError` that names the first setting out of its range.
    public func check() throws(LadderConfigurationError) {
        guard source.contains("/"), !source.hasPrefix("/"), !source.hasSuffix("/") else {
            throw LadderConfigurationError(
                "the ladder's source is '\(source)'; it takes <app>/<stream>, for example live/demo or live/*"
            )
        }
        guard (1...Self.renditionLimit).contains(renditions.count) else {
            throw LadderConfigurationError(
                "a ladder has 1 to \(Self.renditionLimit) renditions; this one has \(renditions.count)"
            )
        }
        for rendition in renditions { try rendition.check() }
        let names = renditions.map(\.name)
        if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw LadderConfigurationError(
                "two renditions are called '\(twice)'; give each its own name")
        }
        guard Self.x264Presets.contains(x264Preset) else {
            throw LadderConfigurationError(
                "'\(x264Preset)' is no x264 preset; it takes \(Self.x264Presets.joined(separator: ", "))"
            )
        }
        try Self.check(threads, 0...64, "threads")
        try Self.check(gopMilliseconds, 200...60_000, "milliseconds between key frames")
        try Self.check(bufferMilliseconds, 100...10_000, "milliseconds of decoder buffer")
        try Self.check(stallMilliseconds, 1_000...3_600_000, "milliseconds without a frame")
        try Self.check(drainMilliseconds, 0...60_000, "milliseconds to end by itself")
        try Self.check(terminationMilliseconds, 0...60_000, "milliseconds to obey SIGTERM")
        do throws(RestartPolicyError) {
            try restarts.check()
        } catch {
            throw LadderConfigurationError("the ladder has \(error.setting)")
        }
    }

    static func check(
        _ value: Int, _ range: ClosedRange<Int>, _ what: String
    ) throws(LadderConfigurationError) {
        guard range.contains(value) else {
            throw LadderConfigurationError(
                "the ladder has \(value) \(what); it takes \(range.lowerBound) to \(range.upperBound)"
            )
        }
    }
}

/// An error that says why a ladder cannot be encoded, and what the remedy is.
public struct LadderConfigurationError: Error, Sendable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}
