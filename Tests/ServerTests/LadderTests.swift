import Foundation
import Glibc
import Media
import NIOCore
import Processes
import Publisher
import RTMP
import SimulationKernel
import Sockets
import TestServer
import TestSupport
import Testing

@testable import Server

/// Real encoders run on a real relay, with small pictures, so that a busy machine keeps up.
@Suite(
    .enabled(if: Shell.has("ffmpeg", "ffprobe"), "apt-get install ffmpeg"), .serialized,
    .timeLimit(.minutes(3)))
struct LadderTests {
    private static let renditions = [
        LadderRendition(
            name: "a", width: 160, height: 90, framesPerSecond: 30, videoBitsPerSecond: 200_000,
            audioBitsPerSecond: 64_000),
        LadderRendition(
            name: "b", width: 128, height: 72, framesPerSecond: 30, videoBitsPerSecond: 150_000,
            audioBitsPerSecond: 64_000),
        LadderRendition(
            name: "c", width: 96, height: 54, framesPerSecond: 30, videoBitsPerSecond: 100_000,
            audioBitsPerSecond: 64_000),
        LadderRendition(
            name: "d", width: 64, height: 36, framesPerSecond: 15, videoBitsPerSecond: 50_000,
            audioBitsPerSecond: 32_000),
    ]

    /// Runs a relay with encoders and a source `live/s` with key frames at other times than theirs.
    private func withLadder(
        _ mode: LadderConfiguration.Mode = .perRendition, stopsPublisher: Bool = true,
        _ change: (inout LadderConfiguration) -> Void = { _ in },
        _ body: (RelayServer, PublisherPool) async throws -> Void
    ) async throws {
        try await withServer {
            var ladder = LadderConfiguration(renditions: Self.renditions)
            ladder.mode = mode
            ladder.x264Preset = "ultrafast"
            ladder.threads = 1
            ladder.gopMilliseconds = 1_000
            change(&ladder)
            $0.ladders = [ladder]
            // Encoders are admitted although they have no key.
            $0.streamKeys = ["s"]
        } _: { server in
            let spec = SyntheticSpec(
                width: 160, height: 90, framesPerSecond: 30, gopFrames: 20,
                totalBitrate: Bitrate(kilobitsPerSecond: 400),
                audioBitrate: Bitrate(kilobitsPerSecond: 64))
            let pool = try await PublisherPool(
                [
                    PublishSpec(
                        url: "rtmp://127.0.0.1:\(server.rtmpPort)/live/s", streamID: 3,
                        source: .synthetic(spec))
                ], options: .init())
            do {
                try await pool.connect()
                pool.start(atNanoseconds: Clock.monotonicNanoseconds() + 50_000_000)
                try await body(server, pool)
            } catch {
                try? await pool.stop()
                throw error
            }
            if stopsPublisher { try await pool.stop() }
        }
    }

    struct Frame: Hashable {
        var timestamp: UInt32
        var isKey: Bool
        var stamp: FrameStamp?
    }

    /// Returns the video frames of a stream up to its `count`th key frame.
    private func frames(
        _ server: RelayServer, _ name: String, keys count: Int
    ) async throws -> [Frame] {
        let peer = try await RTMPPeer(server)
        try await peer.play(name)
        var frames: [Frame] = []
        var keys = 0
        while keys < count, let message = try await peer.media() {
            guard message.type == .video, let header = VideoTagHeader.parse(message.payload),
                !header.isSequenceHeader
            else { continue }
            if header.isKeyFrame { keys += 1 }
            frames.append(
                Frame(
                    timestamp: message.timestamp, isKey: header.isKeyFrame,
                    stamp: FrameStamp.find(
                        inVideoPayload: message.payload, nalUnitLengthSize: 4)))
        }
        try #require(keys == count, "the stream ended")
        return frames
    }

    private func ladder(_ server: RelayServer) async throws -> LadderStatus? {
        try await server.status().ladders.first
    }

    @Test(arguments: LadderConfiguration.Mode.allCases)
    func renditionsAreAlignedAndStamped(mode: LadderConfiguration.Mode) async throws {
        try await withLadder(mode) { _ in
        } _: { server, _ in
            try await withThrowingTaskGroup(of: (Int, [Frame]).self) { group in
                for (index, rendition) in Self.renditions.enumerated() {
                    group.addTask {
                        (index, try await frames(server, "s_\(rendition.name)", keys: 4))
                    }
                }
                let all = try await group.reduce(into: [Int: [Frame]]()) { $0[$1.0] = $1.1 }
                for (index, frames) in all { check(frames, of: Self.renditions[index]) }
                // The first key frame is at the time when an encoder joined; afterwards all
                // encoders cut at the same times.
                let cuts = all.mapValues { frames in
                    Set(frames.filter(\.isKey).dropFirst().compactMap { $0.stamp?.frameNumber })
                }
                for (index, own) in cuts {
                    for other in cuts.values {
                        let first = max(own.min() ?? 0, other.min() ?? 0)
                        let last = min(own.max() ?? 0, other.max() ?? 0)
                        #expect(first <= last, "\(own) and \(other) share no time")
                        let isShared = { (cut: UInt64) in cut >= first && cut <= last }
                        #expect(own.filter(isShared) == other.filter(isShared))
                    }
                    #expect(own.allSatisfy { $0 % 30 == 0 }, "\(index): \(own)")
                }
                #expect(cuts.values.reduce(cuts[0]!) { $0.intersection($1) }.count >= 1)
            }
            let status = try #require(try await ladder(server))
            #expect(status.source == "live/s")
            #expect(status.renditions.map(\.stream) == ["a", "b", "c", "d"].map { "live/s_\($0)" })
            #expect(status.renditions.allSatisfy { $0.restarts == 0 && $0.pid != nil })
            #expect(Set(status.renditions.map(\.pid)).count == (mode == .single ? 1 : 4))
            for pid in status.renditions.compactMap(\.pid) { #expect(getpgid(pid) == pid) }
            try await checkPictures(server)
        }
    }

    /// Expects that every frame has its stamp, in order, at the source's time.
    private func check(_ frames: [Frame], of rendition: LadderRendition) {
        let numbers = frames.compactMap { $0.stamp?.frameNumber }
        #expect(numbers.count == frames.count, "\(rendition.name): stamps lost")
        let step = UInt64(30 / rendition.framesPerSecond.numerator)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $1 == $0 + step })
        #expect(frames.allSatisfy { $0.stamp?.streamID == 3 })
        for frame in frames {
            let time = Double(frame.stamp?.frameNumber ?? 0) / 30 * 1000
            #expect(abs(Double(frame.timestamp) - time) < 2)
        }
    }

    private func checkPictures(_ server: RelayServer) async throws {
        for rendition in Self.renditions {
            let probe = try await Shell.run([
                "ffprobe", "-v", "error", "-select_streams", "v", "-show_entries",
                "stream=codec_name,width,height,r_frame_rate", "-of", "csv=p=0",
                "rtmp://127.0.0.1:\(server.rtmpPort)/live/s_\(rendition.name)",
            ])
            #expect(
                probe.output.split(separator: "\n").first ?? ""
                    == "h264,\(rendition.width),\(rendition.height),\(rendition.framesPerSecond)/1")
        }
    }

    @Test func aKilledEncoderComesBackAndTheOthersGoOn() async throws {
        try await withLadder { _ in
        } _: { server, _ in
            try await eventually("all run") {
                try await ladder(server)?.renditions.allSatisfy { $0.state == .running } ?? false
            }
            let before = try #require(try await ladder(server)).renditions
            let peer = try await RTMPPeer(server)
            try await peer.play("s_b")
            let victim = try #require(before[1].pid)
            kill(victim, SIGKILL)
            try await eventually("it is back") {
                let now = try await ladder(server)?.renditions[1]
                return now?.restarts == 1 && now?.state == .running && now?.pid != victim
            }
            let after = try #require(try await ladder(server)).renditions
            #expect(after[1].lastError?.contains("killed by signal 9") == true)
            for index in [0, 2, 3] {
                #expect(after[index].pid == before[index].pid)
                #expect(after[index].restarts == 0)
            }
            // Its players see a gap in the source's time, and a key frame after it.
            var last: (timestamp: UInt32, number: UInt64)?
            var hasSeenGap = false
            var laterKeys = 0
            while laterKeys < 3, let message = try await peer.media() {
                guard message.type == .video, let header = VideoTagHeader.parse(message.payload),
                    !header.isSequenceHeader,
                    let stamp = FrameStamp.find(
                        inVideoPayload: message.payload, nalUnitLengthSize: 4)
                else { continue }
                if let last {
                    #expect(message.timestamp > last.timestamp)
                    if stamp.frameNumber != last.number + 1 {
                        hasSeenGap = true
                        #expect(header.isKeyFrame)
                    }
                }
                // It cuts at the same times as the others, whenever it joined.
                if hasSeenGap, header.isKeyFrame {
                    laterKeys += 1
                    #expect(stamp.frameNumber % 30 == 0, "\(stamp.frameNumber)")
                }
                last = (message.timestamp, stamp.frameNumber)
            }
            #expect(hasSeenGap)
        }
    }

    @Test func encodersEndWithTheirSource() async throws {
        try await withLadder(stopsPublisher: false) { _ in
        } _: { server, pool in
            try await eventually("all run") {
                try await ladder(server)?.renditions.allSatisfy { $0.state == .running } ?? false
            }
            let pids = try #require(try await ladder(server)).renditions.compactMap(\.pid)
            try await pool.stop()
            try await eventually("none is left") {
                let status = try await server.status()
                return status.ladders.isEmpty && status.streams.isEmpty
            }
            for pid in pids { #expect(kill(pid, 0) == -1) }
        }
    }

    /// A killed server cannot notify its encoders, and they end nevertheless.
    @Test(.enabled(if: Shell.millrace != nil, "millrace is not built"))
    func noEncoderOutlivesAKilledServer() async throws {
        let server = Process()
        server.executableURL = URL(fileURLWithPath: try #require(Shell.millrace))
        server.arguments = [
            "serve", "--rtmp-port", "0", "--no-http", "--ladder", "a:64x36@15:50+0",
            "--ladder-preset", "ultrafast",
        ]
        let output = Pipe()
        server.standardInput = FileHandle.nullDevice
        server.standardOutput = output
        server.standardError = FileHandle.nullDevice
        try server.run()
        defer { kill(server.processIdentifier, SIGKILL) }
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while read(output.fileHandleForReading.fileDescriptor, &byte, 1) == 1, byte != 0x0A {
            line.append(byte)
        }
        let url = String(decoding: line, as: UTF8.self)
        let pool = try await PublisherPool(
            [
                PublishSpec(
                    url: url.replacing("<stream>", with: "s"), streamID: 1,
                    source: .synthetic(
                        SyntheticSpec(
                            width: 64, height: 36, totalBitrate: Bitrate(kilobitsPerSecond: 200))))
            ], options: .init())
        try await pool.connect()
        pool.start(atNanoseconds: Clock.monotonicNanoseconds())
        let children = { Self.children(of: server.processIdentifier) }
        try await eventually("ffmpeg runs") { !children().isEmpty }
        let encoders = children()
        kill(server.processIdentifier, SIGKILL)
        try await eventually("none is left") { encoders.allSatisfy { !Self.isAlive($0) } }
        try await pool.stop()
    }

    /// Returns the fields of /proc/PID/stat after the name: state, parent (proc(5)).
    private static func stat(_ pid: pid_t) -> [Substring] {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        return text.split(separator: ")").last?.split(separator: " ") ?? []
    }

    private static func children(of parent: pid_t) -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { pid in
            let fields = stat(pid)
            return fields.count > 1 && fields[1] == "\(parent)"
        }
    }

    private static func isAlive(_ pid: pid_t) -> Bool {
        stat(pid).first.map { $0 != "Z" } ?? false
    }

    @Test func whatFFmpegComplainsOfIsShown() async throws {
        try await withLadder {
            $0.x264Tune = "nonsense"
            $0.restarts.firstDelayMilliseconds = 10
            $0.restarts.longestDelayMilliseconds = 20
            $0.restarts.limit = 1
        } _: { server, _ in
            try await eventually("given up") {
                try await ladder(server)?.renditions.allSatisfy { $0.state == .failed } ?? false
            }
            for rendition in try #require(try await ladder(server)).renditions {
                #expect(rendition.lastError?.contains("ffmpeg exited with status") == true)
                #expect(rendition.pid == nil)
                #expect(rendition.restarts == 1)
            }
        }
    }
}
