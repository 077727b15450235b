import Foundation
import Glibc
import Processes
import Results
import Server
import TestSupport
import Testing

@testable import Stacks
@testable import Trials

/// Checks whole runs with real encoders. The pictures are small, so that a busy machine keeps up.
@Suite(
    .enabled(if: Programs.millrace != nil, "millrace is not built"),
    .enabled(
        if: (try? FFmpegProgram.path(nil)) != nil,
        "ffmpeg is missing; install it with: apt-get install ffmpeg"),
    .serialized, .timeLimit(.minutes(3)))
struct TrialEncoderTests {
    private static let nginx = "{driver: nginx-rtmp, hls: {container: ts, segment: 1s}}"

    private static func scenario(
        duration: Int, source: String, threads: Int = 1, stack: String = "{hls: {segment: 1s}}",
        quality: String = ""
    ) -> String {
        """
        version: 1
        name: encoded
        stack: \(stack)
        streams:
          - name: cam
            source: \(source)
            ladder:
              renditions:
                - {name: hi, width: 160, height: 90, bitrate: 264kbps, audio_bitrate: 64kbps}
                - {name: lo, width: 96, height: 54, fps: 15, bitrate: 96kbps, audio_bitrate: 32kbps}
              preset: ultrafast
              threads: \(threads)
              gop: 1s\(quality)
        viewers:
          - {count: 4, probes: 2}
          - {protocol: hls, count: 2, arrival: {after: 1s}, rendition: hi}
        warmup: 4s
        duration: \(duration)s
        drain: 3s
        cpus: {encoders: "0"}
        capture:
          enabled: false
        validity:
          generator_lag_p99: 10s
          viewer_lag_p99: 10s
          steal: 100%
          offered: 0%
          clock_step: 1h
          link_lateness_p99: 10s
          capture_drops: 100%

        """
    }

    private static let synthetic =
        "{synthetic: {width: 320, height: 180, bitrate: 600kbps, audio_bitrate: 64kbps}}"

    private func read(_ trial: TrialProcess) throws -> RunResults {
        let name = try #require(try trial.directories().first, "\(trial.text)")
        return try RunResults(path: "\(trial.results)/\(name)")
    }

    /// Stamps, delays per hop, CPU and HTTP traffic are measured by rendition.
    @Test func measuresThroughTheEncoder() async throws {
        try await measure(stack: "{hls: {segment: 1s}}")
    }

    /// The same figures come from encoders and HLS of nginx-rtmp.
    @Test(.enabled(if: Programs.hasNginx, "apt-get install nginx libnginx-mod-rtmp"))
    func measuresThroughNginx() async throws {
        try await measure(stack: Self.nginx)
    }

    private func measure(stack: String) async throws {
        let captures = geteuid() == 0
        let trial = try TrialProcess(
            capture: captures ? "true" : "false",
            scenario: Self.scenario(
                duration: 6,
                source: "{ffmpeg: {size: 160x90, bitrate: 400kbps, audio_bitrate: 64kbps}}",
                stack: stack, quality: "\n      quality: {frames: 90}"))
        defer { trial.remove() }
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let results = try read(trial)
        #expect(results.summary.viewersJoined == 6)
        #expect(results.summary.roles.contains { $0.role == "encoders" && $0.processes == 2 })
        #expect(results.summary.notes.contains { $0.hasPrefix("encoders: 2 running at the end") })
        for (rendition, frames) in [("hi", 180), ("lo", 90)] {
            let encoder = results.processes.filter { $0.name == "encoder-cam_\(rendition)" }
            #expect(!encoder.isEmpty && encoder.allSatisfy { $0.role == "encoder" })
            let rows = results.renditions.filter { $0.rendition == rendition }
            #expect(!rows.isEmpty)
            #expect(rows.allSatisfy { ($0.cpuSecondsPerMediaSecond ?? 0) > 0 })
            // The comparison covers 90 frames of the source.
            let compared = try #require(rows[0].qualityFrames, "\(results.summary.notes)")
            #expect(abs(compared - frames / 2) <= 1)
            #expect(rows.allSatisfy { (0.3..<1).contains($0.ssim ?? 0) && $0.psnrDecibels != nil })
            let viewer = try #require(
                rows.first { $0.vantage == "viewer" && $0.playProtocol == "rtmp" })
            #expect(viewer.viewers == 2)
            // The rendition keeps all frames, or every second one; the window's ends may cut one.
            let expected = try #require(viewer.framesExpected)
            #expect(abs(expected - frames) <= 2 || expected < frames, "\(rendition): \(expected)")
            #expect(viewer.framesReceived == expected, "\(rendition)")
            guard captures else { continue }
            let wire = try #require(
                rows.first { $0.vantage == "wire" && $0.playProtocol == "rtmp" })
            // The recorder of the streams does not count as a viewer.
            #expect(wire.viewers == 2)
            #expect(wire.stampsFound == wire.stampsExpected)
            #expect(abs((wire.stampsExpected ?? 0) - frames) <= 2)
            #expect(try #require(wire.encoderDelayP50Milliseconds) > 0)
            let hops = Set(results.delay.filter { $0.rendition == rendition }.map(\.hop))
            // "hi" is also played over HLS; nginx does not report when it published a segment.
            let packaged = rendition == "hi" && stack != Self.nginx ? ["packager"] : []
            #expect(hops == Set(["end-to-end", "relay", "encoder", "delivery"] + packaged))
        }
        guard captures else { return }
        #expect(
            Set(results.delay.filter { $0.rendition == "source" }.map(\.hop)).contains("ingest"))
        let hls = try #require(
            results.renditions.first {
                $0.vantage == "wire" && $0.playProtocol == "hls" && $0.rendition == "hi"
            })
        let probed = try #require(
            results.renditions.first {
                $0.vantage == "viewer" && $0.playProtocol == "hls" && $0.rendition == "hi"
            })
        #expect((probed.framesExpected ?? 0) > 60)
        #expect(probed.framesReceived == probed.framesExpected)
        let way = [
            probed.ingestDelayP50Milliseconds,
            probed.packagerDelayP50Milliseconds,
            probed.delayP50Milliseconds,
        ].compactMap { $0 }
        #expect(way.count == (stack == Self.nginx ? 2 : 3))
        #expect(way[0] > 0 && way == way.sorted(), "\(way)")
        // A segment is published after its frames have passed the encoder.
        #expect(way[1] > way[0] + (probed.encoderDelayP50Milliseconds ?? 1e9) * 0.5)
        #expect(try #require(hls.wireKilobits) > 0)
        #expect(try #require(hls.wireBytes) > (hls.payloadBytes ?? 0))
        #expect(hls.muxOverhead != nil)
        #expect(results.summary.reconciliation.contains { $0.playProtocol == "hls" })
    }

    /// A killed encoder is restarted, and the results report it.
    @Test func aKilledEncoderComesBack() async throws {
        let trial = try TrialProcess(
            scenario: Self.scenario(duration: 12, source: Self.synthetic))
        defer { trial.remove() }
        let server = try #require(try await trial.waitForChildren(5)["server"])
        try await trial.waitUntilRunning(warmup: .seconds(5))
        let victim = try #require(Self.encoder("cam_lo", of: server))
        #expect(Self.cpus(of: victim) == "0")
        #expect(kill(victim, SIGKILL) == 0)
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let results = try read(trial)
        let notes = results.summary.notes
        #expect(
            notes.contains {
                $0.hasPrefix("encoder cam_lo was started again: ffmpeg was killed by signal 9")
                    && $0.contains("in the steady window")
            }, "\(notes)")
        #expect(notes.contains { $0 == "encoders: 2 running at the end, 1 restarts" }, "\(notes)")
        let pids = results.processes.filter { $0.name == "encoder-cam_lo" }.compactMap(\.pid)
        #expect(Set(pids).count == 2 && pids.contains(Int(victim)))
        let row = try #require(results.renditions.first { $0.rendition == "lo" })
        #expect((row.framesReceived ?? 0) < (row.framesExpected ?? 0))
        #expect((row.framesReceived ?? 0) > 0)
        let other = try #require(results.renditions.first { $0.rendition == "hi" })
        #expect(other.framesReceived == other.framesExpected)
    }

    /// nginx restarts a killed encoder after 5 s.
    @Test(.enabled(if: Programs.hasNginx, "apt-get install nginx libnginx-mod-rtmp"))
    func nginxStartsAKilledEncoderAgain() async throws {
        let trial = try TrialProcess(
            scenario: Self.scenario(duration: 14, source: Self.synthetic, stack: Self.nginx))
        defer { trial.remove() }
        try await trial.waitUntilRunning(warmup: .seconds(5))
        let nginx = try #require(trial.children(named: "nginx").first)
        let victim = try #require(Self.encoder("cam_lo", ofGroup: nginx))
        #expect(Self.cpus(of: victim) == "0")
        #expect(kill(victim, SIGKILL) == 0)
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let results = try read(trial)
        let notes = results.summary.notes
        for words in ["ended: ffmpeg ended", "was started again: ffmpeg ended"] {
            #expect(notes.contains { $0.hasPrefix("encoder cam_lo " + words) }, "\(notes)")
        }
        #expect(notes.contains { $0 == "encoders: 2 running at the end, 1 restarts" }, "\(notes)")
        let pids = results.processes.filter { $0.name == "encoder-cam_lo" }.compactMap(\.pid)
        #expect(Set(pids).count == 2 && pids.contains(Int(victim)))
        let other = try #require(results.renditions.first { $0.rendition == "hi" })
        #expect(other.framesReceived == other.framesExpected)
    }

    /// No encoder is left running after nginx or the run is killed.
    @Test(
        .enabled(if: Programs.hasNginx, "apt-get install nginx libnginx-mod-rtmp"),
        arguments: [false, true])
    func noEncoderOutlivesNginx(killsRun: Bool) async throws {
        let trial = try TrialProcess(
            scenario: Self.scenario(duration: 60, source: Self.synthetic, stack: Self.nginx))
        defer { trial.remove() }
        try await trial.waitUntilRunning(warmup: .seconds(1))
        let nginx = try #require(trial.children(named: "nginx").first)
        let group = ProcFile.members(ofGroup: nginx)
        // The group has a master, a worker, a cache manager, a guard and two encoders.
        #expect(group.count >= 6 && NginxEncoders.processes(ofGroup: nginx).count == 2)
        #expect(kill(killsRun ? trial.pid : nginx, SIGKILL) == 0)
        #expect(try await trial.finish() == (killsRun ? -SIGKILL : 99))
        try await trial.expectGone(group)
        guard !killsRun else { return }
        let notes = try read(trial).summary.notes
        #expect(notes.contains { $0.contains("the server ended in mid-run") }, "\(notes)")
    }

    /// An encoder that cannot begin ends the run before the warm-up, with the encoder's message.
    @Test func saysWhyEncodersDoNotBegin() async throws {
        let status = ServerStatus.self
        #expect(
            EncoderStart.waiting(for: ["cam_hi"], nil).map(\.key) == ["cam_hi"], "\(status)")
        let words = EncoderStart.lateEncoders(
            [
                .init(
                    key: "cam_hi", state: .failed,
                    lastError: "ffmpeg exited with status 1: Unknown encoder 'libx264'")
            ], hasFailed: true)
        #expect(words.contains("cam_hi (failed: ffmpeg exited with status 1: Unknown encoder"))
        #expect(words.contains("given up before the warm-up"))
    }

    private static func encoder(_ key: String, of server: pid_t) -> pid_t? {
        processes { $0[1] == "\(server)" }.first { publishes($0, key) }
    }

    private static func encoder(_ key: String, ofGroup group: pid_t) -> pid_t? {
        ProcFile.members(ofGroup: group).first { publishes($0, key) }
    }

    private static func cpus(of pid: pid_t) -> String? {
        (ProcFile.read("/proc/\(pid)/status") ?? "").split(separator: "\n")
            .first { $0.hasPrefix("Cpus_allowed_list:") }?.split(separator: "\t").last.map {
                String($0)
            }
    }

    private static func publishes(_ pid: pid_t, _ key: String) -> Bool {
        (ProcFile.read("/proc/\(pid)/cmdline") ?? "").split(separator: "\0").contains {
            $0 == key || $0.hasPrefix("\(key)?")
        }
    }

    /// Returns the processes whose fields of `/proc/PID/stat`, from the state on, match.
    private static func processes(where matches: ([Substring]) -> Bool) -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { pid in
            ProcFile.statFields(pid: pid).map { $0.count > 1 && matches($0) } ?? false
        }
    }
}
