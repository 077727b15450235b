package import Capture
import CaptureLive
package import SimulationKernel
import Sockets
import Synchronization
import Viewer

/// Packet capture and its analysis as a child process.
package final class CaptureRole: WorkerRole {
    package struct Config: Codable, Sendable {
        package var interface: String
        package var serverPorts: [UInt16]
        /// Server ports that belong to edges.
        package var edgePorts: [UInt16] = []
        package var ringBytes: Int
        /// Number of subscribers per stream whose payload is dissected. Other subscribers are
        /// counted by headers. Probes are always dissected.
        package var dissectedSubscribersPerStream: Int
        /// Patterns that assign HTTP responses to renditions if no captured playlist does.
        package var httpPatterns: [HTTPPathPattern] = []
        /// Maximum number of stamped frames that are kept as they enter the server.
        package var ingressFrameLimit = 0
        /// Path of the file for the captured packets; nil = the packets are not kept.
        package var dumpPath: String?
        /// Largest number of bytes captured of a packet; nil = packets are captured whole, as
        /// dissection needs them.
        package var snapLength: Int?

        package init(
            interface: String, serverPorts: [UInt16], edgePorts: [UInt16] = [], ringBytes: Int,
            dissectedSubscribersPerStream: Int, httpPatterns: [HTTPPathPattern] = [],
            ingressFrameLimit: Int = 0, dumpPath: String? = nil, snapLength: Int? = nil
        ) {
            self.interface = interface
            self.serverPorts = serverPorts
            self.edgePorts = edgePorts
            self.ringBytes = ringBytes
            self.dissectedSubscribersPerStream = dissectedSubscribersPerStream
            self.httpPatterns = httpPatterns
            self.ingressFrameLimit = ingressFrameLimit
            self.dumpPath = dumpPath
            self.snapLength = snapLength
        }
    }

    /// Totals since the start of the capture.
    package struct Interval: Codable, Sendable {
        package var received: Int
        package var dropped: Int
    }

    package struct Final: Codable, Sendable {
        package var report: CaptureReport
        package var received: Int
        package var dropped: Int
        package var problem: String?
        /// Whether the device failed, so that packets are missing from some time on.
        package var isCutOff: Bool
    }

    package static let name = "capture"
    /// This number suffices for an hour of one source and four renditions.
    package static let mostIngressFrames = 500_000
    private let capture: LiveCapture
    private let window = Mutex<Window?>(nil)

    package init(_ config: Config) throws {
        var options = CaptureOptions()
        options.serverPorts = Set(config.serverPorts)
        options.edgePorts = Set(config.edgePorts)
        options.dissectedSubscribersPerStream = config.dissectedSubscribersPerStream
        options.frameAgent = ViewerSpec.probeAgent
        options.httpPatterns = config.httpPatterns
        options.ingressFrameLimit = config.ingressFrameLimit
        // Encoders begin before the window is known, so nothing is counted until then.
        if config.ingressFrameLimit > 0 {
            options.window = Window(startNanoseconds: 0, endNanoseconds: 0)
        }
        capture = try LiveCapture(
            interface: config.interface,
            filter: CaptureRole.filter(serverPorts: config.serverPorts),
            snapLength: config.snapLength ?? LiveCapture.wholePacketBytes,
            ringBytes: config.ringBytes, options: options, dumpPath: config.dumpPath)
        capture.start()
    }

    /// Filter of the capture in the language of pcap-filter(7).
    package static func filter(serverPorts: [UInt16]) -> String {
        LiveCapture.filter(serverPorts: serverPorts)
    }

    package var ready: Empty { Empty() }
    package func start(atNanoseconds start: Int64) {}

    /// Sets the window. It is given on the monotonic clock, and packets are stamped in real time.
    package func setWindow(_ window: Window) {
        let offset = Clock.offset().nanoseconds
        let start = window.startNanoseconds + offset
        capture.setWindow(
            Window(
                startNanoseconds: start,
                endNanoseconds: max(start, window.endNanoseconds + offset)))
    }

    package func interval() -> Interval {
        let statistics = capture.counts()
        return Interval(received: statistics.received, dropped: statistics.dropped)
    }

    package func stop() -> Final {
        let snapshot = capture.stop()
        return Final(
            report: snapshot.report, received: snapshot.statistics.received,
            dropped: snapshot.statistics.dropped + snapshot.statistics.droppedByInterface,
            problem: snapshot.problem, isCutOff: snapshot.isCutOff)
    }
}
