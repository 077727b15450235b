// The ladder and HLS of nginx-rtmp work as follows. Sources are published into the application
// `src`. Its `exec_push` runs the commands of `EncoderCommand` (one for each rendition, or one for
// all), which publish into the application `live`, in which `hls` packages. nginx reports nothing
// about its encoders. `NginxEncoders` finds them among nginx's children by the streams that they
// publish, reads the progress and the last complaint that each encoder writes into a file, and
// reports in the embedded stack's terms once a second. Encoders are in nginx's process group, so
// the guard, or any other process that ends nginx, ends them too, and accounting counts them one by
// one. nginx does not compute rates for `hls_variant`, so BANDWIDTH is the scenario's rate plus an
// allowance.

import Foundation
import Glibc
import Processes
import Server

/// The encoders that nginx-rtmp starts. nginx itself does not report on them: they are found among
/// its children, and each writes its progress and its complaints into files.
struct NginxEncoders: Sendable {
    /// One encoder across the restarts of its ffmpeg.
    private struct Encoder: Sendable {
        /// Name of the encoder's files.
        var name: String
        var renditions: [LadderRendition]
        private(set) var pid: Int32?
        private(set) var restarts = 0
        private var latest: Int32?

        init(name: String, renditions: [LadderRendition]) {
            self.name = name
            self.renditions = renditions
        }

        /// Whether the encoder ran and nginx has not started it again yet.
        var isGone: Bool { pid == nil && latest != nil }

        mutating func see(_ pid: Int32?) {
            if let pid, let latest, pid != latest { restarts += 1 }
            self.pid = pid
            latest = pid ?? latest
        }
    }

    private let ladder: LadderConfiguration
    /// The folder of nginx's workers.
    private let work: String
    private let packages: Bool
    private var sources: [(stream: String, encoders: [Encoder])]

    /// - Parameters:
    ///   - streams: Names of the sources.
    ///   - packages: Whether a rendition counts as published only once its first segment is listed.
    init(_ ladder: LadderConfiguration, streams: [String], packages: Bool, work: String) {
        self.ladder = ladder
        self.packages = packages
        self.work = work
        let groups = ladder.mode == .single ? [ladder.renditions] : ladder.renditions.map { [$0] }
        sources = streams.map { stream in
            (
                stream,
                groups.map { renditions in
                    Encoder(
                        name: NginxConfiguration.encoder(
                            of: stream, ladder.mode, renditions[0].name), renditions: renditions)
                }
            )
        }
    }

    /// Returns what the encoders do now, in the form in which the embedded stack reports it.
    ///
    /// - Parameter processGroup: Process group of nginx and its children.
    mutating func status(processGroup: Int32) -> ServerStatus {
        var running: [String: Int32] = [:]
        for pid in ProcFile.members(ofGroup: processGroup) {
            for key in Self.outputs(ofProcess: pid) { running[key] = pid }
        }
        var frames: [String: Int] = [:]
        var ladders: [LadderStatus] = []
        for i in sources.indices {
            let stream = sources[i].stream
            var renditions: [LadderStatus.Rendition] = []
            for j in sources[i].encoders.indices {
                let key = "\(stream)_\(sources[i].encoders[j].renditions[0].name)"
                sources[i].encoders[j].see(running[key])
                renditions += status(of: sources[i].encoders[j], stream: stream)
            }
            for rendition in renditions {
                guard rendition.state == .running, let made = rendition.encodedFrames,
                    !packages || hasPlaylist(stream, rendition.name)
                else { continue }
                frames[rendition.stream] = made
            }
            ladders.append(
                LadderStatus(
                    source: "\(NginxConfiguration.sourceApplication)/\(stream)", mode: ladder.mode,
                    renditions: renditions))
        }
        return ServerStatus(version: "nginx-rtmp", videoFrames: frames, ladders: ladders)
    }

    private func status(of encoder: Encoder, stream: String) -> [LadderStatus.Rendition] {
        var progress = EncoderProgress()
        let path = NginxConfiguration.progressPath(of: encoder.name, in: work)
        for line in Self.tail(path).split(separator: "\n") { _ = progress.receive(String(line)) }
        let log = NginxConfiguration.logPath(of: encoder.name, in: work)
        let complaint = Self.tail(log).split(separator: "\n").last.map(String.init)
        let hasBegun = encoder.pid != nil && (progress.frames ?? 0) > 0
        return encoder.renditions.map { rendition in
            LadderStatus.Rendition(
                name: rendition.name,
                stream: "\(NginxConfiguration.application)/\(stream)_\(rendition.name)",
                state: hasBegun ? .running : encoder.isGone ? .backingOff : .starting,
                pid: encoder.pid, restarts: encoder.restarts,
                lastError: encoder.isGone || encoder.restarts > 0
                    ? "ffmpeg ended" + (complaint.map { ": \($0)" } ?? "") : nil,
                encodedFrames: hasBegun ? progress.frames : nil,
                duplicatedFrames: progress.duplicatedFrames,
                droppedFrames: progress.droppedFrames, speed: progress.speed)
        }
    }

    private func hasPlaylist(_ stream: String, _ rendition: String) -> Bool {
        FileManager.default.fileExists(
            atPath: "\(work)/\(NginxConfiguration.hlsFolder)/\(stream)_\(rendition)/index.m3u8"
        )
    }

    /// Returns the encoders among nginx's children.
    static func processes(ofGroup group: Int32) -> [Int32] {
        ProcFile.members(ofGroup: group).filter { !outputs(ofProcess: $0).isEmpty }
    }

    /// Returns the stream keys that an ffmpeg publishes: the arguments of every `-rtmp_playpath`
    /// but the first, which is the source's.
    private static func outputs(ofProcess pid: Int32) -> [String] {
        let words = (ProcFile.read("/proc/\(pid)/cmdline") ?? "").split(separator: "\0")
        let keys = words.indices.dropLast().filter { words[$0] == "-rtmp_playpath" }
            .map { String(words[$0 + 1]) }
        return Array(keys.dropFirst())
    }

    /// Number of bytes that are read at the end of a file: several reports of an encoder.
    private static let tailLength = 4096

    private static func tail(_ path: String) -> String {
        String(decoding: WorkerFile.read(path, last: tailLength) ?? [], as: UTF8.self)
    }
}
