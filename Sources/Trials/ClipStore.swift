import Scenario
import Stacks
import Results
import Foundation
import Glibc
import Processes
import Server
import SimulationKernel

/// Clips that ffmpeg makes for sources of kind `ffmpeg`: made once, kept in the user's cache.
enum ClipStore {
    /// Clips kept; the ones longest unused go.
    static let limit = 16
    /// How long ffmpeg may take for one clip.
    static let timeout = Duration.seconds(300)
    /// A whole number of AAC frames and of groups of pictures, so that repetitions join.
    static let seconds = 16

    /// `$XDG_CACHE_HOME/millrace/clips`, or below `~/.cache`.
    static var directory: String {
        let environment = ProcessInfo.processInfo.environment
        let base =
            environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
            ?? NSHomeDirectory() + "/.cache"
        return base + "/millrace/clips"
    }

    /// Where a clip is, once it is made: the same for the same clip.
    static func path(of clip: ClipSource) -> String {
        let hash = ContentDigest.sha256(arguments(clip, target: "").joined(separator: "\n"))
        return "\(directory)/\(hash.prefix(32)).flv"
    }

    /// Makes the clip where it is not there yet.
    ///
    /// - Throws: `StackError` where ffmpeg is missing or fails, with the last line it wrote.
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
        // Under a name of our own until it is whole: another run may make the same.
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

    /// Closed groups of pictures of 2 s without B-frames; the audio ends with the video.
    static func arguments(_ clip: ClipSource, target: String) -> [String] {
        let (rate, size) = (clip.framesPerSecond, "\(clip.size.width)x\(clip.size.height)")
        let video = clip.bitrate.bitsPerSecond - clip.audioBitrate.bitsPerSecond
        var all = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-y"]
        let hasAudio = clip.audioBitrate.bitsPerSecond > 0
        if hasAudio {
            // Noise fills the encoders' audio rates, as music does. The AAC encoder begins with a
            // frame of its own: so many as the video lasts come out.
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
            // One picture of smoothed noise that scrolls, so that it can be predicted as a moving
            // picture can; what is new in each frame is a little noise on top.
            return test + ",format=yuv420p[test];"
                + "color=c=gray:size=\(size):rate=\(rate):duration=\(seconds),format=yuv420p,"
                + "noise=alls=90:all_seed=11,gblur=sigma=1.5,"
                + "eq=contrast=3,scroll=horizontal=0.004:vertical=0.0025[moving];"
                + "[test][moving]blend=all_mode=average,"
                + "noise=alls=6:allf=t:all_seed=5,format=yuv420p[v]"
        }
    }
}
