import Results
package import Scenario
import Server
import Statistics

/// One publisher with many viewers, or many publishers with a few viewers each: CPU of the server
/// per gigabit, and delay of the frames. A peer runs in alternation with the embedded server, under
/// the same viewers.
package struct FanoutBench: Sendable {
    package struct Options: Sendable {
        package var peer = StackSettings.Driver.nginxRTMP
        package var pairs = 5
        /// Number of published streams; the viewers are shared equally among them.
        package var streams = 1
        package var viewers = 1000
        package var probes = 20
        package var bitrateKilobits = 2000
        package var seconds = 10
        /// Flush interval of the embedded stack in milliseconds; nil = as the load is.
        package var flushInterval: Int?
        /// Further keys of the scenario's `stack`, each as `key: value`.
        package var stackKeys: [String] = []
        /// Size in bytes of the chunks that the peer sends; 4096 is nginx-rtmp's own default.
        package var peerChunkSize = 4096
        package var modes: [ViewerGroup.Mode] = [.prompt, .lazy]
        /// The scenario's `stack.threads`: a number, or the name of a model with sender threads.
        package var threads = "1"
        /// Whether the models with sender threads run beside the pool of event loops and the peer.
        package var hasModels = false
        /// Fault that the embedded stack has in one run of each pair, in the place of a peer; nil =
        /// a peer runs. The servers push.
        package var fault: RelayFault?
        /// Whether the run has the fault.
        var isFaulty = false
        /// Whether the server pushes each stream to sinks, which then take the place of the viewers:
        /// every session is a probe. Each stream has `viewers / streams` targets.
        package var pushes = false
        /// Number of sink processes, if the server pushes.
        package var sinks = 1

        package init() {}
    }

    /// One run of one server. The keys are those of the JSON output and do not change.
    package struct Measurement: Codable, Sendable {
        /// The driver, or the name of the embedded stack's model of threads if it is not the pool, or
        /// the name of its fault.
        package var server: String
        /// Reading mode of the load viewers: prompt or lazy; push = targets, which read at once.
        package var mode: String
        /// Number of the pair, from 1. Both servers run once in each pair.
        package var pair: Int
        package var gigabits: Double
        /// CPU seconds of the server per gigabit; nil if no media came.
        package var serverCPUPerGigabit: Double?
        /// CPU seconds per gigabit of load viewers, probes and sinks together.
        package var viewerCPUPerGigabit: Double?
        /// Delay over the frames of all probes or targets; nil if none came.
        package var delayP50Milliseconds: Double?
        package var delayP99Milliseconds: Double?
        package var framesMissing: Int
        package var serverRSSBytes: Int
        package var publisherLagP99Milliseconds: Double?
        package var congestionControl: String
        /// Flush interval of a server that got one; nil = as the load is, or the server's own.
        package var flushIntervalMilliseconds: Int?
        /// Most bytes in the caches for joining players in the window; nil for peers.
        package var cachedBytes: Int?
        /// Most threads of the server in the window; nil if none was accounted, as with the rates.
        package var serverThreads: Int?
        /// Context switches of the server in a second, voluntary or not.
        package var switchesPerSecond: Double?
        /// Milliseconds in a second for which threads of the server could run and had no CPU.
        package var runDelayMillisecondsPerSecond: Double?

        private enum CodingKeys: String, CodingKey {
            case server, mode, pair, gigabits
            case cachedBytes = "cached_bytes"
            case serverThreads = "server_threads"
            case switchesPerSecond = "switches_per_s"
            case runDelayMillisecondsPerSecond = "run_delay_ms_per_s"
            case serverCPUPerGigabit = "server_cpu_s_per_gbit"
            case viewerCPUPerGigabit = "viewer_cpu_s_per_gbit"
            case delayP50Milliseconds = "delay_p50_ms"
            case delayP99Milliseconds = "delay_p99_ms"
            case framesMissing = "frames_missing"
            case serverRSSBytes = "server_rss_bytes"
            case publisherLagP99Milliseconds = "publisher_lag_p99_ms"
            case congestionControl = "congestion_control"
            case flushIntervalMilliseconds = "flush_interval_ms"
        }
    }

    /// Medians over the pairs of the embedded server's figure divided by the peer's, or of the figure
    /// with a fault divided by that without it; nil if no pair has both figures.
    package struct Ratio: Codable, Sendable {
        package var mode: String
        package var cpuPerGigabit: Double?
        package var delayP99: Double?
        package var delayP50: Double?
        package var serverRSS: Double?

        private enum CodingKeys: String, CodingKey {
            case mode
            case serverRSS = "server_rss"
            case cpuPerGigabit = "cpu_per_gbit"
            case delayP99 = "delay_p99"
            case delayP50 = "delay_p50"
        }
    }

    package struct Report: Codable, Sendable {
        package var benchmark: String
        /// The peer; with a fault the embedded stack without it.
        package var against: String
        /// The fault; nil without one.
        package var fault: RelayFault?
        package var streams: Int
        package var viewers: Int
        package var bitrateKilobits: Int
        /// Nil = as the load is.
        package var flushIntervalMilliseconds: Int?
        package var measurements: [Measurement] = []
        package var ratios: [Ratio] = []
        /// Medians of each server, if models of threads or a fault were measured.
        package var medians: [ServerMedians]?

        private enum CodingKeys: String, CodingKey {
            case benchmark, against, fault, streams, viewers, measurements, ratios, medians
            case bitrateKilobits = "bitrate_kbps"
            case flushIntervalMilliseconds = "flush_interval_ms"
        }
    }

    package let options: Options

    package init(_ options: Options) { self.options = options }

    /// Runs all pairs and calls `progress` with each measurement when it is complete.
    ///
    /// - Throws: `ScenarioErrors`, `ResultsError`, or a `StackError` if a run did not work.
    package func run(_ progress: @Sendable (Measurement) -> Void) async throws -> Report {
        var report = Report(
            benchmark: options.streams > 1 ? "relay" : "fanout",
            against: options.fault == nil ? options.peer.rawValue : FrontRow.own,
            fault: options.fault, streams: options.streams, viewers: options.viewers,
            bitrateKilobits: options.bitrateKilobits,
            flushIntervalMilliseconds: options.flushInterval)
        // Targets have no reading mode.
        let modes: [ViewerGroup.Mode] = options.pushes ? [.prompt] : options.modes
        for mode in modes {
            for pair in 1...options.pairs {
                let servers: [Contender] =
                    pair % 2 == 1 ? contenders : Array(contenders.reversed())
                for server in servers {
                    let measurement = try await measure(server, mode, pair)
                    report.measurements.append(measurement)
                    progress(measurement)
                }
            }
            let name = modeName(mode)
            report.ratios.append(ratio(report.measurements.filter { $0.mode == name }, name))
        }
        if options.hasModels || options.fault != nil {
            report.medians = ServerMedians.all(of: report.measurements)
        }
        return report
    }

    /// A server that runs once in each pair.
    private struct Contender {
        var name: String
        var driver: StackSettings.Driver
        var threads: String
        var isFaulty = false
    }

    private var contenders: [Contender] {
        func contender(_ driver: StackSettings.Driver) -> Contender {
            Contender(name: driver.rawValue, driver: driver, threads: options.threads)
        }
        if let fault = options.fault {
            var faulty = contender(.embedded)
            (faulty.name, faulty.isFaulty) = (fault.rawValue, true)
            return [contender(.embedded), faulty]
        }
        let models = options.hasModels ? SenderModel.allCases : []
        return [contender(.embedded)]
            + models.map {
                Contender(name: $0.rawValue, driver: .embedded, threads: $0.rawValue)
            } + [contender(options.peer)]
    }

    private func measure(
        _ contender: Contender, _ mode: ViewerGroup.Mode, _ pair: Int
    ) async throws -> Measurement {
        var options = options
        options.threads = contender.threads
        options.isFaulty = contender.isFaulty
        var measurement = try await FanoutBench(options).measure(contender.driver, mode, pair)
        measurement.server = contender.name
        return measurement
    }

    /// Name of a mode in the measurements.
    private func modeName(_ mode: ViewerGroup.Mode) -> String {
        options.pushes ? "push" : mode.rawValue
    }

    private func ratio(_ measurements: [Measurement], _ mode: String) -> Ratio {
        let fault = options.fault?.rawValue
        let (first, second) =
            fault.map { ($0, FrontRow.own) } ?? (FrontRow.own, options.peer.rawValue)
        func median(_ value: (Measurement) -> Double?) -> Double? {
            let pairs = stride(from: 1, through: options.pairs, by: 1)
            return FrontRow.median(
                pairs.compactMap { pair -> Double? in
                    let both = measurements.filter { $0.pair == pair }
                    guard let one = both.first(where: { $0.server == first }),
                        let other = both.first(where: { $0.server == second }),
                        let above = value(one), let below = value(other), below > 0
                    else { return nil }
                    return above / below
                })
        }
        return Ratio(
            mode: mode, cpuPerGigabit: median { $0.serverCPUPerGigabit },
            delayP99: median { $0.delayP99Milliseconds },
            delayP50: median { $0.delayP50Milliseconds },
            serverRSS: median { Double($0.serverRSSBytes) })
    }

    /// Returns a scenario without a capture that has the server on CPU 0 and everything else on CPU
    /// 1.
    func scenario(_ server: StackSettings.Driver, _ mode: ViewerGroup.Mode) -> String {
        let keys = options.flushInterval.map { ["flush_interval: \($0)ms"] } ?? []
        let further = (keys + options.stackKeys + (options.fault?.stackKeys ?? [])).map {
            "\n  \($0)"
        }.joined()
        let warmup =
            options.fault?.warmupSeconds(bitrateKilobits: options.bitrateKilobits) ?? 5
        let chunk = server == .embedded ? "65536" : "\(options.peerChunkSize)"
        return """
            version: 1
            name: bench-fanout
            stack:
              driver: \(server.rawValue)
              threads: \(options.threads)\(further)
              out_chunk_size: \(chunk)B
            streams:
              - name: live{i}
                count: \(options.streams)
                renditions:
                  - name: load
                    source:
                      synthetic:
                        width: 1280
                        height: 720
                        fps: 25
                        gop: 2s
                        bitrate: \(options.bitrateKilobits)kbps
                        audio_bitrate: 128kbps
            \(audience(mode))
            warmup: \(warmup)s
            duration: \(options.seconds)s
            drain: \(1 + (options.flushInterval ?? 0) / 1000)s
            congestion_control: cubic
            capture: {enabled: false}
            cpus: {server: "0", publishers: "1", viewers: "1", probes: "1", sinks: "1"}
            validity: {generator_lag_p99: 10s, viewer_lag_p99: 10s, steal: 100%, offered: 90%}
            """
    }

    /// Returns who receives the streams, in the scenario's language.
    private func audience(_ mode: ViewerGroup.Mode) -> String {
        guard !options.pushes else {
            let targets = max(1, options.viewers / max(1, options.streams))
            let fault = options.isFaulty ? options.fault.map { ", faults: \($0.settings)" } : nil
            return "relay: {targets: \(targets), sinks: \(min(options.sinks, targets))"
                + "\(fault ?? "")}"
        }
        return """
            viewers:
              - protocol: rtmp
                count: \(options.viewers)
                probes: \(options.probes)
                mode: \(mode.rawValue)
                arrival: {over: 3s}
            """
    }

    /// Runs one server once.
    ///
    /// - Throws: `ScenarioErrors`, `ResultsError`, or a `StackError` if the run did not work.
    func measure(
        _ server: StackSettings.Driver, _ mode: ViewerGroup.Mode, _ pair: Int
    ) async throws -> Measurement {
        let (results, delays) = try await BenchTrial.runWithDelays(
            scenario(server, mode), name: "bench fanout", leavingOut: options.fault?.stream)
        let summary = results.summary
        let gigabits = Double(results.playBytes) * 8 / 1e9
        func cpu(_ roles: Set<String>) -> Double? {
            gigabits > 0
                ? results.cores(of: roles) * Double(options.seconds) / gigabits : nil
        }
        var measurement = Measurement(
            server: server.rawValue, mode: modeName(mode), pair: pair, gigabits: gigabits,
            serverCPUPerGigabit: cpu(["server"]),
            viewerCPUPerGigabit: cpu(["viewers", "probes", "sinks"]),
            delayP50Milliseconds: delays.milliseconds(atPercentile: 50),
            delayP99Milliseconds: delays.milliseconds(atPercentile: 99),
            framesMissing: summary.framesMissing,
            serverRSSBytes: summary.roles.first { $0.role == "server" }?.peakRSSBytes ?? 0,
            publisherLagP99Milliseconds: summary.health.publisherLagP99Milliseconds,
            congestionControl: results.manifest.congestionControl)
        measurement.cachedBytes = summary.serverCacheBytes
        measurement.addScheduling(of: results.processes, seconds: Double(options.seconds))
        return measurement
    }
}
