import Analysis
import Capture
import Foundation
import Processes
import Results
import Scenario
import SimulationKernel
import Stacks
import Statistics
import Synchronization
import Workers

/// The capture process of a trial, and what the process saw in terms of the trial's plan.
final class CaptureStage: Sendable {
    private let handle: RoleHandle<CaptureRole>
    private let plan: Plan
    private let last: LastInterval

    private final class LastInterval: Sendable {
        let value = Mutex<CaptureRole.Interval?>(nil)
    }

    private init(_ handle: RoleHandle<CaptureRole>, _ plan: Plan, _ last: LastInterval) {
        self.handle = handle
        self.plan = plan
        self.last = last
    }

    var pid: Int32? { handle.pid }
    var failure: String? { handle.failure }

    /// - Throws: `ProcessError` with the capture's own words if this process may not capture.
    static func start(
        _ spec: CaptureSettings, plan: Plan, endpoints: StackEndpoints, cpus: CPUSet?,
        directory: String
    ) async throws(ProcessError) -> CaptureStage {
        var ports = [UInt16(clamping: endpoints.rtmpPort)]
        for base in [endpoints.httpFLVBase, endpoints.hlsURL].compactMap({ $0 }) {
            let port = Self.port(of: base)
            if !ports.contains(port) { ports.append(port) }
        }
        let edgePorts = endpoints.edgeURLs.map(Self.port)
        let streams = max(1, plan.publishers.count)
        let limit = min(
            spec.fullPayloadPortsLimit / streams,
            Int((spec.sample * Double(plan.sessionCount) / Double(streams)).rounded(.up)))
        // Links of real packets have a device of their own besides the loopback.
        let isSpread = plan.processes.contains(where: \.isBehindPackets)
        let config = CaptureRole.Config(
            interface: isSpread && spec.interface == "lo" ? "any" : spec.interface,
            serverPorts: ports + edgePorts, edgePorts: edgePorts, ringBytes: spec.ringBytes,
            dissectedSubscribersPerStream: max(1, limit), httpPatterns: Self.patterns(plan),
            ingressFrameLimit: plan.keepsIngressFrames ? CaptureRole.mostIngressFrames : 0,
            dumpPath: spec.keepPcap ? "\(directory)/capture.pcap" : nil)
        let last = LastInterval()
        let handle = try RoleHandle<CaptureRole>(
            name: "capture-0", logDirectory: directory, cpus: cpus, config: config
        ) { interval in last.value.withLock { $0 = interval } }
        do {
            _ = try await handle.waitUntilReady()
        } catch {
            await handle.kill()
            throw error
        }
        return CaptureStage(handle, plan, last)
    }

    /// Returns the port of a URL. `{stream}` is not valid in a URL, so a name takes its place.
    private static func port(of base: String) -> UInt16 {
        let url = URLComponents(string: base.replacing("{stream}", with: "stream"))
        return UInt16(clamping: url?.port ?? (url?.scheme == "https" ? 443 : 80))
    }

    /// Patterns that find the rendition of a file by the folder that holds the file. They are for
    /// files that are requested before a playlist lists them.
    private static func patterns(_ plan: Plan) -> [HTTPPathPattern] {
        guard plan.adaptive.contains(where: { $0 != nil }) else { return [] }
        return plan.publishers.filter { !$0.isLadderSource }.map {
            HTTPPathPattern(path: "*/\($0.streamKey)/*", rendition: "/\($0.streamKey)/")
        }
    }

    func start(atNanoseconds start: Int64) {
        handle.send(.start(monotonicNanoseconds: start))
    }

    func setWindow(_ window: Window) { handle.send(.window(window)) }

    /// - Parameters:
    ///   - runID: Identifier for the rows.
    ///   - start: The shared start time in real time, nanoseconds since 1970.
    func finish(runID: String, startNanoseconds start: Int64) async -> WireObservation {
        var wire = WireObservation()
        wire.capture.ran = true
        guard let final = await handle.finish() else {
            let interval = last.value.withLock { $0 }
            wire.capture.ran = false
            wire.isWhole = false
            wire.capture.reason = "the capture ended early: \(handle.failure ?? "no report")"
            wire.capture.received = interval?.received ?? 0
            wire.capture.dropped = interval?.dropped ?? 0
            wire.notes.append(wire.capture.reason)
            return wire
        }
        wire.capture.received = final.received
        wire.capture.dropped = final.dropped
        if let problem = final.problem { wire.notes.append("capture: \(problem)") }
        if final.isCutOff {
            wire.isWhole = false
            wire.capture.reason = final.problem ?? "the capture ended early"
        }
        wire.http = final.report.http
        wire.edgeHTTP = final.report.edgeHTTP
        for stream in final.report.streams {
            guard let publisher = plan.publishers.first(where: { $0.streamKey == stream.name })
            else { continue }
            wire.subscribers += Self.subscribers(of: stream)
            wire.ingressFrames[stream.name] = stream.ingressFrames
            if let ingress = stream.ingress, let seconds = ingress.mediaSeconds, seconds > 0 {
                wire.ingressKilobits[stream.name] = Double(ingress.payloadBytes) * 8e-3 / seconds
            }
            wire.relayDelay[stream.name] = stream.relayDelayByProtocol
            wire.series += Self.rows(of: stream, publisher, runID: runID, start: start)
        }
        let summary = final.report.capture
        if summary.undissectedFlows > 0 || summary.gaps > 0 {
            wire.notes.append(
                "capture: \(summary.undissectedFlows) connections not dissected, \(summary.gaps) gaps"
            )
        }
        wire.notes += summary.warnings.map { "capture: \($0)" }
        return wire
    }

    private static func subscribers(of stream: CapturedStreamReport) -> [WireSubscriber] {
        let frames = Dictionary(grouping: stream.frames) {
            ViewerPeer(port: Int($0.clientPort), wireAddress: $0.clientAddress)
        }
        return stream.viewers.map { viewer in
            let peer = ViewerPeer(
                port: Int(viewer.clientPort), wireAddress: viewer.clientAddress)
            return WireSubscriber(
                peer: peer, playNanoseconds: viewer.playNanoseconds,
                streamKey: stream.name,
                playProtocol: viewer.transport.rawValue,
                payloadBytes: viewer.isDissected ? viewer.payloadBytes : nil,
                wireBytes: viewer.traffic.linkBytes,
                retransmittedBytes: viewer.traffic.retransmittedBytes,
                unmatchedMessages: viewer.messages.unmatched + viewer.messages.missing,
                frames: (frames[peer] ?? []).map {
                    WireFrame(
                        frameNumber: $0.frameNumber,
                        relayDelayNanoseconds: $0.relayDelayNanoseconds,
                        egressNanoseconds: $0.egressNanoseconds)
                })
        }
    }

    private static func rows(
        of stream: CapturedStreamReport, _ publisher: PublisherPlan, runID: String, start: Int64
    ) -> [WireRow] {
        func rows(_ seconds: [TrafficSecond], _ direction: String, _ flows: Int) -> [WireRow] {
            seconds.map { second in
                var row = WireRow()
                row.runID = runID
                row.timeSeconds = Double((second.second + 1) * 1_000_000_000 - start) / 1e9
                row.stream = publisher.stream
                row.rendition = publisher.rendition
                row.direction = direction
                row.playProtocol = direction == "in" ? "rtmp" : "all"
                row.flows = flows
                row.wireBytes = second.bytes
                row.packets = second.packets
                row.retransmittedBytes = second.retransmittedBytes
                return row
            }
        }
        return rows(stream.upstream, "in", stream.publishers)
            + rows(stream.downstream, "out", stream.subscribers)
    }
}
