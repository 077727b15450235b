import Media

/// The arguments of one ffmpeg that makes renditions of a stream.
package struct EncoderCommand: Sendable, Hashable {
    /// Address of the relay, as a client writes it: `127.0.0.1`, `[::1]`.
    var host: String
    var port: Int
    /// Name of the source, `<app>/<stream>`.
    var source: String
    /// Application that renditions are published into; nil = the source's.
    var outputApplication: String?
    var ladder: LadderConfiguration
    /// Renditions of this process.
    var renditions: [LadderRendition]

    package init(
        host: String, port: Int, source: String, outputApplication: String? = nil,
        ladder: LadderConfiguration, renditions: [LadderRendition]
    ) {
        self.host = host
        self.port = port
        self.source = source
        self.outputApplication = outputApplication
        self.ladder = ladder
        self.renditions = renditions
    }

    /// Seconds by which a timestamp may be early, because RTMP rounds to milliseconds.
    private static let tolerance = "0.002"

    package var arguments: [String] {
        var all = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "warning"]
        all += ["-progress", "pipe:1", "-stats_period", "1"]
        // Source timestamps are kept, so that all encoders cut at the same ones whenever they
        // joined; a clock of the process would begin at its join.
        all += ["-copyts", "-flags", "low_delay"]
        all += ["-probesize", "1000000", "-analyzeduration", "2000000", "-fpsprobesize", "0"]
        all += ["-rtmp_live", "live", "-rtmp_buffer", "0"] + target(source)
        all.insert("-i", at: all.count - 1)
        for rendition in renditions { all += output(rendition) }
        return all
    }

    /// Arguments of an output. Without them, ffmpeg would take the application's name from the
    /// URL's path by rules of its own.
    private func target(_ stream: String) -> [String] {
        let (application, key) = StreamName.split(stream)
        return [
            "-rtmp_app", application, "-rtmp_playpath", key,
            "rtmp://\(host):\(port)/\(application)",
        ]
    }

    private func output(_ rendition: LadderRendition) -> [String] {
        let rate = rendition.framesPerSecond
        let video = rendition.videoBitsPerSecond
        var all = ["-map", "0:v:0", "-vf", filters(rendition), "-pix_fmt", "yuv420p"]
        // With this option, ffmpeg repeats nothing for FLV: a gap stays a gap, and each stamp is
        // unique.
        all += ["-r", "\(rate)"]
        all += ["-c:v", "libx264", "-preset", ladder.x264Preset]
        if let tune = ladder.x264Tune { all += ["-tune", tune] }
        all += ["-threads:v", "\(ladder.threads)"]
        all += ["-b:v", "\(video)", "-maxrate", "\(video)"]
        all += ["-bufsize", "\(video / 1000 * ladder.bufferMilliseconds)"]
        // With this option, x264 places no key frame of its own before twice the distance of the
        // forced ones.
        let frames = Int((rate.doubleValue * Double(ladder.gopMilliseconds) / 1000).rounded(.up))
        all += ["-g", "\(2 * max(1, frames))", "-keyint_min", "1", "-sc_threshold", "0"]
        all += ["-bf", "0", "-flags:v", "+cgop", "-forced-idr", "1"]
        all += ["-force_key_frames", "expr:\(keyFrameExpression)"]
        // Frame stamps are SEI messages; x264 writes them again with the picture that they came
        // with.
        all += ["-udu_sei", "1"]
        if ladder.padsToBitrate { all += ["-x264-params", "nal-hrd=cbr"] }
        if rendition.audioBitsPerSecond > 0 {
            // The AAC encoder begins before its first sample. FLV has no times before 0, and ffmpeg
            // would move this rendition's timestamps.
            all += ["-map", "0:a:0?", "-af", "aselect='gte(t,0.15)'"]
            all += ["-c:a", "aac", "-b:a", "\(rendition.audioBitsPerSecond)"]
        }
        all += ["-map_metadata", "-1", "-flvflags", "no_duration_filesize", "-f", "flv"]
        return all + target(output(of: rendition))
    }

    /// Name of a rendition, `<app>/<stream>`.
    private func output(of rendition: LadderRendition) -> String {
        let (application, key) = StreamName.split(source)
        return "\(outputApplication ?? application)/\(key)_\(rendition.name)"
    }

    /// Names of everything that the process publishes.
    var outputs: [String] { renditions.map(output(of:)) }

    private static func slot(_ time: String, _ rate: FrameRate) -> String {
        "floor((\(time)+\(tolerance))*\(rate))"
    }

    /// The slowest rendition's frame rate: a picture at which one rendition cuts is one that all
    /// renditions have.
    private var slowest: FrameRate {
        ladder.renditions.map(\.framesPerSecond).min { $0.doubleValue < $1.doubleValue } ?? 30
    }

    /// Expression for the group of pictures of a time, in whole slots of the slowest rendition, so
    /// that it is exact for rates such as 30000/1001 too.
    private func group(_ time: String) -> String {
        let frames = slowest.doubleValue * Double(ladder.gopMilliseconds) / 1000
        return "floor(\(Self.slot(time, slowest))/\(max(1, Int(frames.rounded()))))"
    }

    /// Filters that take the first frame of each slot of 1/fps s, counted from time 0, and move it
    /// to the slot's beginning. Renditions with rates that divide each other keep the same
    /// pictures, with the same stamps. Unlike the filter `fps`, these filters wait for no next
    /// frame.
    ///
    /// The very first frame is one with which a group of pictures begins: ffmpeg counts the time of
    /// forced key frames from the first picture, wherever that is.
    private func filters(_ rendition: LadderRendition) -> String {
        let rate = rendition.framesPerSecond
        let isFirstOfGroup = "gt(\(group("t")),\(group("(t-1/(\(rate)))")))"
        let isFirstOfSlot = "gt(\(Self.slot("t", rate)),\(Self.slot("prev_selected_t", rate)))"
        return [
            "select='if(isnan(prev_selected_t),\(isFirstOfGroup),\(isFirstOfSlot))'",
            "setpts='\(Self.slot("T", rate))/(\(rate))/TB'",
            "settb=1/(\(rate))",
            "scale=\(rendition.width):\(rendition.height)",
            "setsar=1",
        ].joined(separator: ",")
    }

    /// Expression that is true for the first frame of each group of pictures.
    private var keyFrameExpression: String {
        "if(isnan(prev_forced_t),1,gt(\(group("t")),\(group("prev_forced_t"))))"
    }
}
