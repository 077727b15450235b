import Analysis
import Foundation
import Glibc
import NIOCore
import Processes
import Server

/// Lets ffmpeg compare a rendition with its source. The frames are paired by their stamps.
struct QualityComparison {
    let pair: PairedRecordings
    /// An existing directory for temporary files.
    let directory: String
    /// Name that distinguishes this comparison's files in the directory.
    let name: String

    /// Longest time that one comparison may take.
    static let timeout = Duration.seconds(300)

    /// - Throws: `QualityError` with ffmpeg's last line if ffmpeg fails.
    func run() async throws -> RenditionQuality {
        let paths = ["source", "rendition", "log"].map { "\(directory)/\(name).\($0)" }
        defer { for path in paths { unlink(path) } }
        for (bytes, path) in [(pair.source, paths[0]), (pair.rendition, paths[1])] {
            try Data(bytes.readableBytesView).write(to: URL(fileURLWithPath: path))
        }
        var options = ChildProcess.Options(
            path: try FFmpegProgram.path(nil),
            arguments: arguments(source: paths[0], rendition: paths[1]), logPath: paths[2])
        // ffmpeg decodes data that strangers may have sent.
        options.isWorker = true
        let child = try ChildProcess(name: "ffmpeg", options)
        let killer = Task {
            try await Task.sleep(for: Self.timeout)
            child.send(signal: SIGKILL)
        }
        // The filter for SSIM writes a line for each frame.
        var count = 0
        let status = await withTaskCancellationHandler {
            for await case .line(let line) in child.lines() where line.starts(with: "n:".utf8) {
                count += 1
            }
            return await child.wait()
        } onCancel: {
            child.send(signal: SIGKILL)
        }
        killer.cancel()
        let log = (try? String(contentsOfFile: paths[2], encoding: .utf8)) ?? ""
        guard status.isSuccess else {
            let last = log.split(separator: "\n").last.map { ": \($0)" } ?? ""
            throw QualityError(description: "ffmpeg \(status)\(last)")
        }
        guard count == pair.frameCount else {
            throw QualityError(
                description: "ffmpeg compared \(count) frames instead of \(pair.frameCount)")
        }
        return try Self.figures(log, frames: count)
    }

    /// Returns ffmpeg's arguments. The rendition is the first input: each of its frames is compared
    /// with the source's latest frame that is not later, which is the one with the same time.
    func arguments(source: String, rendition: String) -> [String] {
        let (from, to) = (pair.span.lowerBound, pair.span.upperBound + 1)
        let filter =
            "[0:v]trim=start_pts=\(from):end_pts=\(to),"
            + "scale=\(pair.width):\(pair.height):flags=bicubic,format=yuv420p,split[a][b];"
            + "[1:v]format=yuv420p,split[c][d];"
            + "[a][c]ssim=shortest=1:stats_file=-[s];[b][d]psnr=shortest=1[p]"
        return ["-hide_banner", "-nostdin", "-nostats", "-copyts"]
            + ["-f", "mp4", "-i", rendition, "-f", "mp4", "-i", source]
            + ["-filter_complex", filter]
            + ["-map", "[s]", "-fps_mode", "passthrough", "-f", "null", "-"]
            + ["-map", "[p]", "-fps_mode", "passthrough", "-f", "null", "-"]
    }

    /// Reads the figures from the lines that the filters write at their end.
    static func figures(_ log: String, frames: Int) throws -> RenditionQuality {
        func value(_ filter: String, _ key: String) -> Double? {
            for line in log.split(separator: "\n").reversed() where line.contains(" \(filter) ") {
                for word in line.split(separator: " ") where word.hasPrefix(key) {
                    return Double(word.dropFirst(key.count))
                }
            }
            return nil
        }
        guard let ssim = value("SSIM", "All:"), let psnr = value("PSNR", "average:") else {
            throw QualityError(description: "ffmpeg gave no SSIM and PSNR")
        }
        return RenditionQuality(
            ssim: ssim, psnrDecibels: psnr.isFinite ? psnr : nil, frames: frames)
    }
}
