// `ClipStore` has ffmpeg make each clip once, and keeps it in the user's cache under a hash of
// ffmpeg's arguments. A clip of 16 s is a whole number of AAC frames and of groups of pictures, so
// repetitions join.

import Foundation
import Glibc
import Processes
import Results
import Scenario
import Server
import SimulationKernel
import Stacks

/// Clips that ffmpeg makes for sources of kind `ffmpeg`. Each is made once and kept in the user's
/// cache.
enum ClipStore {
    /// Number of clips that are kept; those that were not used for the longest time are removed.
    static let limit = 16
    /// Longest time that ffmpeg may take for one clip.
    static let timeout = Duration.seconds(300)
    /// Length of a clip: a whole number of AAC frames and of groups of pictures, so that
    /// repetitions join.
    static let seconds = 16

    /// `$XDG_CACHE_HOME/millrace/clips`; if the variable is not set, `~/.cache/millrace/clips`.
    static var directory: String {
        let environment = ProcessInfo.processInfo.environment
        let base =
            environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
            ?? NSHomeDirectory() + "/.cache"
        return base + "/millrace/clips"
    }

    /// Returns the path that a clip has once it is made. Equal clips have equal paths.
    static func path(of clip: ClipSource) -> String {
        let hash = ContentDigest.sha256(arguments(clip, target: "").joined(separator: "\n"))
        return "\(directory)/\(hash.prefix(32)).flv"
    }

    /// Makes the clip if it does not exist yet.
    ///
    /// - Throws: `StackError` if ffmpeg is missing or fails, with the last line that ffmpeg wrote.
    static func prepare(_ clip: ClipSource) async throws(StackError) {
        let target = path(of: clip)
        let files = FileManager.default
        if files.fileExists(atPath: target) {
            try? files.setAttributes([.modificationDate: Date()], ofItemAtPath: target)
            return
        }
        do {
            try files.createDirectory(
                atPath: directory, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw failure("cannot make \(directory): \(error.localizedDescription)")
        }
        tidy()
        // The clip has a name of this process's own until it is whole: another run may make the
        // same clip.
        let partial = "\(target).\(getpid())"
        let log = partial + ".log"
        defer { for path in [partial, log] { unlink(path) } }
        let child: ChildProcess
        do {
            child = try ChildProcess(
                name: "clip",
                .init(
                    path: try FFmpegProgram.path(nil), arguments: arguments(clip, target: partial),
                    logPath: log))
        } catch let error as ProcessError {
            throw failure(error.message)
        } catch {
            throw failure("\(error)")
        }
        let killer = Task {
            try await Task.sleep(for: timeout)
            child.send(signal: SIGKILL)
        }
        let status = await child.wait()
        killer.cancel()
        guard status.isSuccess, rename(partial, target) == 0 else {
            let last =
                ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")
                .split(separator: "\n").last.map { ": \($0)" } ?? ""
            throw failure("ffmpeg cannot make the clip \(target): \(status)\(last)")
        }
    }

    private static func failure(_ message: String) -> StackError {
        StackError(driver: "source", message: message)
    }

    private static func tidy() {
        let files = FileManager.default
        let clips = ((try? files.contentsOfDirectory(atPath: directory)) ?? []).map {
            "\(directory)/\($0)"
        }.compactMap { path -> (path: String, used: Date)? in
            guard let used = try? files.attributesOfItem(atPath: path)[.modificationDate] as? Date
            else { return nil }
            return (path, used)
        }.sorted { $0.used > $1.used }
        for clip in clips.dropFirst(limit - 1) { unlink(clip.path) }
    }

    /// Returns ffmpeg's arguments for closed groups of pictures of 2 s without B-frames, with audio
    /// that ends with the video.
    static func arguments(_ clip: ClipSource, target: String) -> [String] {
        let (rate, size) = (clip.framesPerSecond, "\(clip.size.width)x\(clip.size.height)")
        let video = clip.bitrate.bitsPerSecond - clip.audioBitrate.bitsPerSecond
        var all = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-y"]
        let hasAudio = clip.audioBitrate.bitsPerSecond > 0
        if hasAudio {
            // Noise fills the encoders' audio rates, as music does. The AAC encoder begins with a
            // frame of its own, so the input is one frame shorter than the video.
            let samples = (seconds * 48_000 / 1024 - 1) * 1024
            let noise = "anoisesrc=color=pink:amplitude=0.4:sample_rate=48000:seed=7"
            let microseconds = (samples * 1_000_000 + 24_000) / 48_000
            all += ["-f", "lavfi", "-i", "\(noise):duration=\(microseconds)us"]
        }
        all += ["-filter_complex", picture(clip.pattern, size: size, rate: rate), "-map", "[v]"]
        if hasAudio {
            all += ["-map", "0:a", "-c:a", "aac", "-ac", "2"]
            all += ["-b:a", "\(clip.audioBitrate.bitsPerSecond)"]
        }
        all += ["-r", "\(rate)", "-pix_fmt", "yuv420p"]
        all += ["-c:v", "libx264", "-preset", "fast", "-b:v", "\(video)", "-maxrate", "\(video)"]
        all += ["-bufsize", "\(video)", "-bf", "0", "-g", "\(2 * rate)"]
        all += ["-keyint_min", "\(2 * rate)", "-sc_threshold", "0", "-flags:v", "+cgop"]
        return all + ["-map_metadata", "-1", "-f", "flv"] + (target.isEmpty ? [] : [target])
    }

    private static func picture(_ pattern: ClipSource.Pattern, size: String, rate: Int) -> String {
        let test = "testsrc2=size=\(size):rate=\(rate):duration=\(seconds)"
        switch pattern {
        case .testsrc: return test + ",format=yuv420p[v]"
        case .texture:
            // A picture of smoothed noise scrolls, so that encoders can predict it as they predict
            // a moving camera's pictures. Only a little noise on top is new in each frame.
            return test + ",format=yuv420p[test];"
                + "color=c=gray:size=\(size):rate=\(rate):duration=\(seconds),format=yuv420p,"
                + "noise=alls=90:all_seed=11,gblur=sigma=1.5,"
                + "eq=contrast=3,scroll=horizontal=0.004:vertical=0.0025[moving];"
                + "[test][moving]blend=all_mode=average,"
                + "noise=alls=6:allf=t:all_seed=5,format=yuv420p[v]"
        }
    }
}
