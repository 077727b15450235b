package import Processes
import Server
import SimulationKernel

/// One load test as data: the load, its duration, and the thresholds that must be met.
package struct TrialScenario: ScenarioFile, Codable, Hashable {
    static let maximumViewers = 100_000

    package var version = 1
    package var name = ""
    package var description = ""
    /// Seed of every random draw of a run.
    package var seed: UInt64 = 1
    package var stack = StackSettings()
    package var streams: [ScenarioStream] = []
    package var viewers: [ViewerGroup] = []
    /// Targets to which the server pushes the streams; nil = none.
    package var relay: RelaySettings?
    package var warmup = Duration.seconds(5)
    package var duration = Duration.seconds(20)
    package var drain = Duration.seconds(2)
    package var congestionControl = CongestionControl.cubic
    package var capture = CaptureSettings()
    package var cpus = CPUAssignment()
    package var processes = ProcessCounts()
    package var validity = ValidityLimits()
    package var thresholds: [Threshold] = []
    /// How `millrace search` looks for the capacity; nil = not at all.
    package var search: SearchSettings?
    /// The scenario with every default filled in, which is the content of `scenario.resolved.yml`.
    package var canonicalYAML = ""

    package enum CongestionControl: String, Codable, Sendable, CaseIterable {
        case cubic, bbr, reno
    }

    package init() {}
    package static let fields = head(description: "What the scenario shows.") + own

    private static let own: [Field<TrialScenario>] = [
        .standard("stack", \.stack, .mapping, "The server under test."),
        .required("streams", \.streams, .list(.mapping), "What is published."),
        .implied(
            "viewers", \.viewers, .list(.mapping), "Who watches; may be left out with 'relay'."),
        .optional("relay", \.relay, .mapping, "Where the server pushes each stream."),
        .standard(
            "warmup", \.warmup, .duration(), "Time for viewers to join, before the window."),
        .standard(
            "duration", \.duration, .duration(), "The steady window, which results cover."),
        .standard(
            "drain", \.drain, .duration(zero: true), "Time for the last frames to arrive."),
        .standard(
            "congestion_control", \.congestionControl, .choice,
            "TCP congestion control of every socket."),
        .standard("capture", \.capture, .mapping, "Packet capture."),
        .standard("cpus", \.cpus, .mapping, "CPUs each role is pinned to."),
        .standard("processes", \.processes, .mapping, "Child processes of each role."),
        .standard("validity", \.validity, .mapping, "Limits beyond which a trial is void."),
        .standard(
            "thresholds", \.thresholds, .thresholds,
            "What must hold: metric{tag:value} to a list of expressions such as p(99)<200. "
                + "delay_ms without a vantage is the viewers'."),
        .optional(
            "search", \.search, .mapping,
            "What 'millrace search' varies; 'millrace run' only checks it."),
    ]

    package static var atLeastOne: [PartialKeyPath<TrialScenario>] { [\.viewers, \.relay] }

    package mutating func complete(_ root: inout ResolvedObject, _ reader: inout ScenarioReader) {
        for index in streams.indices { streams[index].deriveRenditions() }
        // A stack packages HLS if a group of viewers plays it.
        if stack.hls == nil, viewers.contains(where: { $0.adaptive != nil }) {
            stack.hls = HLSSettings(standardOf: stack.driver)
        }
        fillArrivals(in: &root)
        EdgeRules.apply(to: &self, reader: &reader)
        ScenarioRules.check(self, reader: &reader)
        SearchRules.check(self, root, reader: &reader)
    }

    /// Fills in the default arrival, which depends on the warm-up: all viewers join in its first 60
    /// %.
    private mutating func fillArrivals(in root: inout ResolvedObject) {
        guard case .list(var groups) = root[Self.key(\.viewers)] else { return }
        for (index, group) in groups.enumerated() {
            guard case .object(var group) = group, viewers[index].arrival.isOpen else { continue }
            let left = max(1_000_000, (warmup - viewers[index].arrival.after).nanoseconds)
            viewers[index].arrival.over = .milliseconds(
                Int64((Double(left) * 0.6 / 1e6).rounded()))
            let arrival = ResolvedValue.object(viewers[index].arrival.resolved)
            group.put(ViewerGroup.key(\.arrival), arrival, in: ViewerGroup.spec)
            groups[index] = .object(group)
        }
        root.put(Self.key(\.viewers), .list(groups), in: Self.spec)
    }
}

extension TrialScenario {
    /// Settings that differ from their defaults and that the driver cannot honour. They have no
    /// effect in runs with this driver.
    package var unsupportedSettings: [String] {
        let standard = StackSettings()
        var settings: [(name: String, isSet: Bool)] = [
            ("gop_cache", stack.gopCache != standard.gopCache),
            ("flush_interval", stack.flushInterval != standard.flushInterval),
            ("queue_limit", stack.queueLimitBytes != standard.queueLimitBytes),
            ("keys", stack.keys != standard.keys),
            ("buffers", stack.buffers != standard.buffers),
            ("threads: \(stack.senders?.rawValue ?? "")", stack.senders != nil),
        ]
        switch stack.driver {
        case .embedded: return []
        case .nginxRTMP: settings[0].name += " (joiners wait for a key frame)"
        case .floor:
            // The floor sender honours its flush interval and the limit of its queues.
            settings.removeAll { ["flush_interval", "queue_limit"].contains($0.name) }
            settings[0].name += " (joiners wait for a key frame)"
            settings += [
                ("threads", stack.threads != standard.threads),
                ("restarts", stack.restarts != standard.restarts),
            ]
        case .srs:
            settings[0] = ("gop_cache: 2 (SRS keeps one group of pictures)", stack.gopCache == 2)
            settings.remove(at: 1)
            settings.append(("threads", stack.threads != standard.threads))
        case .command:
            settings += [
                (
                    "threads (write {threads} in command, files or env)",
                    stack.threads != standard.threads && !stack.start.tells(.threads)
                ),
                ("out_chunk_size", stack.outChunkSize != standard.outChunkSize),
            ]
        case .external:
            settings += [
                ("threads", stack.threads != standard.threads),
                ("out_chunk_size", stack.outChunkSize != standard.outChunkSize),
                (
                    "congestion_control (set it on the server)",
                    congestionControl != TrialScenario().congestionControl
                ),
            ]
        }
        return settings.filter(\.isSet).map(\.name)
    }
}

/// Settings for the capture: the source of the packets, and how much of them is kept.
package struct CaptureSettings: ScenarioMapping, Codable, Hashable {
    package enum Mode: String, Codable, Sendable, CaseIterable {
        /// Capture if it is permitted; otherwise the run continues without a capture and reports
        /// that.
        case auto
        case on = "true"
        case off = "false"
    }

    package var mode = Mode.auto
    package var interface = "lo"
    package var fullPayloadPortsLimit = 200
    /// Share of subscriber connections that are captured, 0…1.
    package var sample = 1.0
    package var ringBytes = 64 << 20
    package var keepPcap = false

    package init() {}
    package static let fields: [Field<CaptureSettings>] = [
        .standard(
            "enabled", \.mode,
            .either(
                .boolean.map { $0 ? .on : .off }, .named([(Mode.auto.rawValue, .auto)])),
            "Whether to capture."),
        .standard("interface", \.interface, .text(.nonEmpty), "Network interface."),
        .standard(
            "full_payload_ports_limit", \.fullPayloadPortsLimit, .integer(0...60_000),
            "Subscriber connections captured with whole payloads."),
        .standard(
            "sample", \.sample, .share(zero: false), "Share of subscriber connections captured."),
        .standard("ring", \.ringBytes, .byteCount, "Kernel ring."),
        .standard("keep_pcap", \.keepPcap, .boolean, "Keep the packets in the results."),
    ]
}

/// CPUs by role; nil = any CPU that the kernel chooses.
package struct CPUAssignment: ScenarioMapping, Codable, Hashable {
    package var server: CPUSet?
    /// CPUs of the stack's encoders; nil = the server's CPUs.
    package var encoders: CPUSet?
    package var publishers: CPUSet?
    package var viewers: CPUSet?
    package var probes: CPUSet?
    package var capture: CPUSet?
    /// CPUs of the packet shell.
    package var links: CPUSet?
    package var edges: CPUSet?
    /// CPUs of the sinks; nil = the probes' CPUs, or the viewers'.
    package var sinks: CPUSet?

    package init() {}
    package static let fields = [
        role("server", \.server), role("encoders", \.encoders, " Default: the server's."),
        role("publishers", \.publishers), role("viewers", \.viewers), role("probes", \.probes),
        role("capture", \.capture), role("links", \.links), role("edges", \.edges),
        role("sinks", \.sinks, " Default: the probes', or the viewers'."),
    ]

    private static func role(
        _ key: String, _ path: Field<Self>.Path<CPUSet?>, _ note: String = ""
    ) -> Field<Self> {
        .optional(
            key, path, .text(.cpuList).map { CPUSet(list: $0) },
            "CPUs of the \(key), such as \"0-1,3\".\(note)")
    }
}

/// Number of child processes by role.
package struct ProcessCounts: ScenarioMapping, Codable, Hashable {
    package var publishers = 1
    package var viewers = 1
    package var probes = 1

    package init() {}
    package static let fields: [Field<ProcessCounts>] = [
        .standard("publishers", \.publishers, .integer(1...64), "Publisher processes."),
        .standard("viewers", \.viewers, .integer(1...64), "Load viewer processes."),
        .standard("probes", \.probes, .integer(1...64), "Probe processes."),
    ]
}

/// Limits within which a trial is a verdict on the server. A trial that exceeds a limit is void.
package struct ValidityLimits: ScenarioMapping, Codable, Hashable {
    /// 99th percentile of the publishers' and probes' lateness against their own schedule.
    package var generatorLagP99 = Duration.milliseconds(20)
    /// 99th percentile of the lateness of the load viewers' loops against their own ticks.
    package var viewerLagP99 = Duration.milliseconds(100)
    /// Share of packets that the capture lost, 0…1.
    package var captureDrops = 0.0
    /// Share of CPU time that the hypervisor took, 0…1.
    package var steal = 0.05
    /// Smallest share of the intended frames that must be offered, 0…1.
    package var offered = 0.99
    /// Largest change of the offset between the monotonic clock and real time.
    package var clockStep = Duration.milliseconds(1)
    /// 99th percentile of the lateness with which packet links released their packets.
    package var linkLatenessP99 = Duration.milliseconds(5)

    package init() {}
    package static let fields: [Field<ValidityLimits>] = [
        .standard(
            "generator_lag_p99", \.generatorLagP99, .duration(),
            "Lateness of publishers and probes."),
        .standard(
            "viewer_lag_p99", \.viewerLagP99, .duration(), "Lateness of the load viewers' loops."),
        .standard("capture_drops", \.captureDrops, .share(), "Packets not captured."),
        .standard("steal", \.steal, .share(), "CPU taken by the host."),
        .standard("offered", \.offered, .share(), "Least share of frames offered."),
        .standard("clock_step", \.clockStep, .duration(), "Largest step of real time."),
        .standard(
            "link_lateness_p99", \.linkLatenessP99, .duration(),
            "Lateness of packets that links release."),
    ]
}
