import Foundation
import Glibc
import HLS
import Media
import Processes
import Publisher
import Results
import Server
import SimulationKernel
import Sockets
import Stacks
import Trials
import Workers

/// Many adaptive HLS viewers in one process, each behind its own link: their CPU cost and their
/// punctuality. For comparison, wrk fetches segments as fast as it can and does nothing else.
package struct HLSBench: Sendable {
    package struct Options: Sendable {
        package var viewers = 1000
        /// Rate of each viewer's link in kbit/s. The rendition of 1.5 Mbit/s fits into it; the next
        /// rendition does not.
        package var linkKilobits = 2500
        package var algorithm = "throughput"
        package var seconds = 20
        package var measuresPeer = true

        package init() {}
    }

    package struct Report: Codable, Sendable {
        package var benchmark = "hls"
        package var viewers: Int
        package var algorithm: String
        /// Mean rate over the viewers in the window: received media, and nominal bit rate of what
        /// was played.
        package var mediaKilobits = 0.0
        package var meanBitrateKilobits = 0.0
        /// CPU of the viewers' process, in cores.
        package var viewerCores = 0.0
        package var cpuPerGigabit = 0.0
        package var lagP99Milliseconds = 0.0
        /// Stalled time divided by playing and stalled time together, over all viewers.
        package var stallRatio = 0.0
        /// Number of segment requests that failed for any reason, plus the number of viewers that
        /// gave up.
        package var failed = 0
        package var segments = 0
        package var serverCores = 0.0
        /// CPU seconds of wrk per gigabit; nil if wrk is not installed.
        package var wrkCPUPerGigabit: Double?
        package var wrkGigabits: Double?

        private enum CodingKeys: String, CodingKey {
            case benchmark, viewers, algorithm, failed, segments
            case mediaKilobits = "media_kbps"
            case meanBitrateKilobits = "mean_bitrate_kbps"
            case viewerCores = "viewer_cores"
            case cpuPerGigabit = "viewer_cpu_s_per_gbit"
            case lagP99Milliseconds = "lag_p99_ms"
            case stallRatio = "stall_ratio"
            case serverCores = "server_cores"
            case wrkCPUPerGigabit = "wrk_cpu_s_per_gbit"
            case wrkGigabits = "wrk_gbit"
        }
    }

    let options: Options

    package init(_ options: Options) { self.options = options }

    /// - Throws: `ScenarioErrors`, `ResultsError`, or a `StackError` if the run did not work.
    package func run() async throws -> Report {
        var report = Report(viewers: options.viewers, algorithm: options.algorithm)
        try await measure(&report)
        if options.measuresPeer { try await measurePeer(&report) }
        return report
    }

    private static let bitratesKilobits = [400, 800, 1500, 3000]

    private var scenario: String {
        let renditions = Self.bitratesKilobits.enumerated().map { i, rate in
            "      - {name: r\(rate), source: {synthetic: {width: \(320 * (i + 1)), "
                + "height: \(180 * (i + 1)), fps: 25, gop: 2s, bitrate: \(rate)kbps}}}\n"
        }.joined()
        return """
            version: 1
            name: bench-hls
            stack: {hls: {container: fmp4, segment: 2s, window: 20s}}
            streams:
              - name: live
                renditions:
            \(renditions)
            viewers:
              - protocol: hls
                count: \(options.viewers)
                algorithm: \(options.algorithm)
                arrival: {after: 8s, over: 10s}
                link: \(options.linkKilobits)kbps
            warmup: 25s
            duration: \(options.seconds)s
            drain: 1s
            capture: {enabled: false}
            validity: {generator_lag_p99: 10s, viewer_lag_p99: 10s, steal: 100%, offered: 90%}
            """
    }

    private func measure(_ report: inout Report) async throws {
        let results = try await BenchTrial.run(scenario, name: "bench hls")
        let viewers = results.viewers
        let seconds = Double(options.seconds)
        let bits = Double(results.playBytes) * 8
        report.mediaKilobits = bits / 1000 / seconds / Double(options.viewers)
        report.meanBitrateKilobits =
            viewers.compactMap(\.meanBitrateKilobits).reduce(0, +) / Double(viewers.count)
        report.viewerCores = results.cores(of: ["viewers"])
        report.serverCores = results.cores(of: ["server"])
        report.cpuPerGigabit = report.viewerCores * seconds / (bits / 1e9)
        report.lagP99Milliseconds = results.summary.health.viewerLagP99Milliseconds ?? .nan
        // Sessions that never played do not count, as in the column of viewers.csv.
        let played = viewers.filter { $0.playSeconds != nil }
        let stalled = played.reduce(0) { $0 + ($1.stalledSeconds ?? 0) }
        let wanted = played.reduce(stalled) { $0 + ($1.playSeconds ?? 0) }
        report.stallRatio = wanted > 0 ? stalled / wanted : 0
        report.segments = results.segments.count
        report.failed =
            viewers.count { !$0.error.isEmpty }
            + viewers.reduce(0) { $0 + ($1.failedRequests ?? 0) }
    }

    /// Runs wrk on one segment of the same origin.
    private func measurePeer(_ report: inout Report) async throws {
        guard let wrk = Program.find("wrk"), let curl = Program.find("curl") else { return }
        var configuration = ServerConfiguration()
        // The limits are for strangers, and a load test is not a stranger.
        configuration.limits = .none
        configuration.hls = HLSConfiguration()
        configuration.hls?.container = .fmp4
        try await BenchTrial.withTemporaryDirectory { directory in
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true)
            let driver = EmbeddedDriver(configuration, cpus: nil, logDirectory: directory)
            let endpoints = try await driver.start()
            do {
                let publisher = try await publish(endpoints, directory)
                if let segment = await firstSegment(endpoints, curl) {
                    fetch(segment, wrk, &report)
                }
                _ = await publisher.finish()
            } catch {
                await driver.stop()
                throw error
            }
            await driver.stop()
        }
    }

    /// Starts a stream of 1.5 Mbit/s to the server.
    private func publish(
        _ endpoints: StackEndpoints, _ directory: String
    ) async throws -> RoleHandle<PublisherRole> {
        let source = SyntheticSpec(
            width: 960, height: 540, framesPerSecond: 25, gopFrames: 50,
            totalBitrate: Bitrate(kilobitsPerSecond: 1500),
            audioBitrate: Bitrate(kilobitsPerSecond: 128))
        let spec = PublishSpec(
            url: "\(endpoints.rtmpBase)/peer", streamID: 1, source: .synthetic(source))
        let publisher = try RoleHandle<PublisherRole>(
            name: "publishers-0", logDirectory: directory, cpus: nil,
            config: .init(specs: [spec], options: .init()))
        do {
            _ = try await publisher.waitUntilReady()
        } catch {
            await publisher.kill()
            throw error
        }
        publisher.send(
            .start(monotonicNanoseconds: Clock.monotonicNanoseconds() + 100_000_000))
        return publisher
    }

    /// Returns the URL of the stream's first segment as soon as its playlist lists one; nil after
    /// 20 s.
    private func firstSegment(_ endpoints: StackEndpoints, _ curl: String) async -> String? {
        let base = (endpoints.hlsURL ?? "").replacing("{stream}/master.m3u8", with: "peer/")
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            // The origin answers once the first segment is complete.
            let playlist = Self.output(curl, ["-s", "-m", "15", base + "index.m3u8"])
            if playlist.hasPrefix("#EXTM3U"),
                let name = playlist.split(separator: "\n").first(where: { !$0.hasPrefix("#") })
            {
                return base + name
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
        return nil
    }

    private func fetch(_ url: String, _ wrk: String, _ report: inout Report) {
        let before = Self.childrenSeconds()
        let connections = min(1000, options.viewers)
        let text = Self.output(wrk, ["-t1", "-c\(connections)", "-d5s", url])
        let seconds = Self.childrenSeconds() - before
        guard let gigabits = Self.gigabits(text), gigabits > 0 else { return }
        report.wrkGigabits = gigabits
        report.wrkCPUPerGigabit = seconds / gigabits
    }

    /// Reads the gigabits in a line such as ` 12345 requests in 5.01s, 4.56GB read`.
    static func gigabits(_ text: String) -> Double? {
        for line in text.split(separator: "\n") where line.hasSuffix(" read") {
            guard let word = line.split(separator: " ").dropLast().last else { continue }
            for (unit, factor) in [("KB", 1024.0), ("MB", 1_048_576), ("GB", 1_073_741_824)]
            where word.hasSuffix(unit) {
                return Double(word.dropLast(2)).map { $0 * factor * 8 / 1e9 }
            }
        }
        return nil
    }

    /// Runs a program to its end and returns what it wrote to its standard output.
    private static func output(_ path: String, _ arguments: [String]) -> String {
        let outcome = try? Program.run(
            path, arguments, output: .text(limit: outputLimit), endsWithCaller: true)
        return outcome?.text ?? ""
    }

    /// Number of bytes that are kept of a program's output, which is a playlist or a page of wrk's
    /// figures.
    private static let outputLimit = 1 << 20

    /// CPU seconds of the child processes that have ended.
    private static func childrenSeconds() -> Double {
        var usage = rusage()
        getrusage(RUSAGE_CHILDREN.rawValue, &usage)
        func seconds(_ time: timeval) -> Double {
            Double(time.tv_sec) + Double(time.tv_usec) / 1e6
        }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}
