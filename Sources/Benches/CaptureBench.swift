import Capture
import Foundation
import Glibc
import Processes
import Statistics
import Workers

/// The live capture beside tcpdump, on the same packets: losses and CPU of each.
///
/// This process is in a network namespace of its own, with a loopback that carries nothing else.
package struct CaptureBench: Sendable {
    package struct Options: Sendable {
        /// Number of packets of each phase, and packets in a second.
        package var packets = 6_000_000
        package var rate = 200_000
        /// Largest number of bytes captured of a packet.
        package var snapLength = 128
        package var ringBytes = 64 << 20
        /// Number of times that all phases are measured.
        package var rounds = 1
        /// Whether each tool is also measured without the other one.
        package var measuresAlone = true
        package var measuresPeer = true
        /// Whether both tools write the packets to files in a temporary folder. Otherwise tcpdump
        /// writes to /dev/null, and the live capture only analyses.
        package var keepsPackets = false

        package init() {}
    }

    /// One capture of one phase.
    package struct Tool: Codable, Sendable, Hashable {
        package var name: String
        /// Number of packets that the tool has captured.
        package var seen = 0
        /// Delivered packets that the tool has not captured.
        package var lost = 0
        /// Packets that the kernel dropped because the tool's ring was full, as the kernel counts.
        package var kernelDrops: Int?
        /// CPU seconds of the tool's process while the packets were sent and 1.5 s longer.
        package var cpuSeconds = 0.0
        package var cpuPerMillion = 0.0

        private enum CodingKeys: String, CodingKey {
            case name, seen, lost
            case kernelDrops = "kernel_drops"
            case cpuSeconds = "cpu_s"
            case cpuPerMillion = "cpu_s_per_million"
        }
    }

    /// One sending of all packets.
    package struct Phase: Codable, Sendable, Hashable {
        /// Name of the phase: `together` or `alone`.
        package var name: String
        package var round: Int
        package var sent: Int
        /// Packets that passed the loopback interface, as the interface counts. Packets that the
        /// kernel's backlog had no room for are not among them, and no capture can see those.
        package var delivered: Int
        package var seconds: Double
        package var packetsPerSecond: Double
        package var tools: [Tool]

        func tool(_ name: String) -> Tool? { tools.first { $0.name == name } }

        private enum CodingKeys: String, CodingKey {
            case round, sent, delivered, seconds, tools
            case name = "phase"
            case packetsPerSecond = "packets_per_s"
        }
    }

    package struct Report: Codable, Sendable, Hashable {
        package var benchmark = "capture"
        package var packets: Int
        package var rate: Int
        package var snapLength: Int
        package var ringBytes: Int
        package var phases: [Phase]
        /// Packets that our capture lost in the worst phase.
        package var lost: Int
        /// Our CPU divided by tcpdump's: the median of the phases in which both ran, and the
        /// median of ours alone divided by the median of tcpdump's alone. Nil = not measured.
        package var ratioTogether: Double?
        package var ratioAlone: Double?
        package var voidReasons: [String]

        /// Largest ratio of CPU that the project permits itself.
        package static let largestRatio = 1.5

        /// Whether nothing was lost and the CPU is in its limit; nil if the figures do not tell.
        package var meetsBar: Bool? {
            guard voidReasons.isEmpty else { return nil }
            if lost > 0 { return false }
            return ratioTogether.map { $0 <= Self.largestRatio }
        }

        private enum CodingKeys: String, CodingKey {
            case benchmark, packets, rate, phases, lost
            case snapLength = "snap_length"
            case ringBytes = "ring_bytes"
            case ratioTogether = "cpu_ratio_together"
            case ratioAlone = "cpu_ratio_alone"
            case voidReasons = "void_reasons"
        }
    }

    static let ours = "millrace"
    package static let peer = "tcpdump"
    private static let settleTime = Duration.milliseconds(1500)

    let options: Options

    package init(_ options: Options) { self.options = options }

    /// Whether tcpdump is installed here.
    package static var hasPeer: Bool { Program.find(peer) != nil }

    /// - Parameter progress: Function that is called after each phase.
    /// - Throws: `BenchError` or `ProcessError` if a capture or the sender does not work.
    package func run(progress: (Phase) -> Void) async throws -> Report {
        let path = options.measuresPeer ? Program.find(Self.peer) : nil
        var phases: [Phase] = []
        func take(_ phase: Phase) {
            phases.append(phase)
            progress(phase)
        }
        for round in 1...max(1, options.rounds) {
            guard let path else {
                take(try await measure("alone", round, ours: true, peer: nil))
                continue
            }
            take(try await measure("together", round, ours: true, peer: path))
            guard options.measuresAlone else { continue }
            // The order changes from round to round.
            let order = round % 2 == 1 ? [true, false] : [false, true]
            for isOurs in order {
                take(try await measure("alone", round, ours: isOurs, peer: isOurs ? nil : path))
            }
        }
        return report(phases)
    }

    func report(_ phases: [Phase]) -> Report {
        let ours = phases.compactMap { $0.tool(Self.ours) }
        let ratios = phases.compactMap { phase -> Double? in
            guard let own = phase.tool(Self.ours), let other = phase.tool(Self.peer),
                other.cpuPerMillion > 0
            else { return nil }
            return own.cpuPerMillion / other.cpuPerMillion
        }
        func alone(_ name: String) -> Double? {
            let values = phases.filter { $0.tools.count == 1 }.compactMap { $0.tool(name) }.map {
                $0.cpuPerMillion
            }
            return values.isEmpty ? nil : Quantile.of(values, 0.5)
        }
        var ratioAlone: Double?
        if let own = alone(Self.ours), let other = alone(Self.peer), other > 0 {
            ratioAlone = own / other
        }
        return Report(
            packets: options.packets, rate: options.rate, snapLength: options.snapLength,
            ringBytes: options.ringBytes, phases: phases,
            lost: ours.map { max($0.lost, $0.kernelDrops ?? 0) }.max() ?? 0,
            ratioTogether: ratios.isEmpty ? nil : Quantile.of(ratios, 0.5), ratioAlone: ratioAlone,
            voidReasons: phases.flatMap { voidReasons($0) })
    }

    private func voidReasons(_ phase: Phase) -> [String] {
        var reasons: [String] = []
        let place = "\(phase.name), round \(phase.round)"
        if phase.sent < options.packets {
            reasons.append("\(place): the sender sent \(phase.sent) packets only")
        }
        if phase.packetsPerSecond < 0.95 * Double(options.rate) {
            reasons.append(
                "\(place): the sender reached \(Int(phase.packetsPerSecond)) packets a second; "
                    + "take a lower --rate or a quieter machine")
        }
        if Double(phase.delivered) < 0.999 * Double(phase.sent) {
            reasons.append(
                "\(place): the kernel delivered \(phase.delivered) of \(phase.sent) packets; "
                    + "take a lower --rate or a quieter machine")
        }
        return reasons
    }

    // MARK: One phase

    private func measure(
        _ name: String, _ round: Int, ours: Bool, peer: String?
    ) async throws -> Phase {
        try await BenchTrial.withTemporaryDirectory { directory in
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true)
            var own: RoleHandle<CaptureRole>?
            var other: TcpdumpProcess?
            do {
                if ours { own = try await startOwn(directory) }
                if let peer {
                    other = try await TcpdumpProcess.start(
                        peer, options, cpus: Self.cpus(isPeer: true), directory: directory)
                }
                return try await measure(name, round, own, other)
            } catch {
                await own?.kill()
                _ = await other?.process.terminate()
                throw error
            }
        }
    }

    private func measure(
        _ name: String, _ round: Int, _ own: RoleHandle<CaptureRole>?, _ other: TcpdumpProcess?
    ) async throws -> Phase {
        let pids = [own?.pid, other?.process.pid]
        let before = pids.map { Self.cpuSeconds(of: $0) }
        let packetsBefore = Self.loopbackPackets()
        let sender = LoopbackSender(
            packets: options.packets, rate: options.rate,
            cpu: Self.processors >= 2 ? 0 : nil)
        let outcome = try await sender.send()
        // tcpdump gets a block that is not full after a second.
        try await Task.sleep(for: Self.settleTime)
        let delivered = Self.loopbackPackets() - packetsBefore
        let after = pids.map { Self.cpuSeconds(of: $0) }
        var phase = Phase(
            name: name, round: round, sent: outcome.sent, delivered: delivered,
            seconds: outcome.seconds,
            packetsPerSecond: outcome.seconds > 0 ? Double(outcome.sent) / outcome.seconds : 0,
            tools: [])
        func add(_ tool: Tool, at index: Int) {
            var tool = tool
            tool.lost = max(0, delivered - tool.seen)
            tool.cpuSeconds = after[index] - before[index]
            tool.cpuPerMillion = tool.cpuSeconds / (Double(max(1, delivered)) / 1e6)
            phase.tools.append(tool)
        }
        if let own {
            guard let final = await own.finish() else {
                throw BenchError("the capture ended early: \(own.failure ?? "no report")")
            }
            if let problem = final.problem { throw BenchError("the capture: \(problem)") }
            let summary = final.report.capture
            add(
                Tool(
                    name: Self.ours, seen: summary.packets + summary.duplicates,
                    kernelDrops: final.dropped), at: 0)
        }
        if let other {
            let (seen, dropped) = try await other.stop()
            add(Tool(name: Self.peer, seen: seen, kernelDrops: dropped), at: 1)
        }
        return phase
    }

    private func startOwn(_ directory: String) async throws -> RoleHandle<CaptureRole> {
        let config = CaptureRole.Config(
            interface: "lo", serverPorts: [LoopbackFrames.serverPort],
            ringBytes: options.ringBytes, dissectedSubscribersPerStream: 1,
            dumpPath: options.keepsPackets ? "\(directory)/capture.pcap" : nil,
            snapLength: options.snapLength)
        let handle = try RoleHandle<CaptureRole>(
            name: "capture-0", logDirectory: directory, cpus: Self.cpus(isPeer: false),
            config: config)
        do {
            _ = try await handle.waitUntilReady()
        } catch {
            await handle.kill()
            throw error
        }
        return handle
    }

    private static var processors: Int { ProcessInfo.processInfo.activeProcessorCount }

    /// CPUs of a tool; nil = any. The sender has CPU 0.
    private static func cpus(isPeer: Bool) -> CPUSet? {
        switch processors {
        case ..<2: nil
        case 2: CPUSet(mask: 0b10)
        default: CPUSet(mask: isPeer ? 0b100 : 0b10)
        }
    }

    /// CPU seconds that a process has used; 0 without a process.
    private static func cpuSeconds(of pid: Int32?) -> Double {
        // User time and system time are fields 14 and 15 of proc(5), and the state is field 3.
        guard let pid, let fields = ProcFile.statFields(pid: pid), fields.count > 12,
            let user = Int(fields[11]), let system = Int(fields[12])
        else { return 0 }
        return Double(user + system) / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
    }

    /// Packets that the loopback interface has delivered.
    private static func loopbackPackets() -> Int {
        loopbackPackets(in: ProcFile.read("/proc/net/dev") ?? "")
    }

    static func loopbackPackets(in text: String) -> Int {
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].drop(while: { $0 == " " }) == "lo" else { continue }
            let fields = parts[1].split(separator: " ")
            // The columns begin with bytes and packets received.
            return fields.count > 1 ? Int(fields[1]) ?? 0 : 0
        }
        return 0
    }
}
