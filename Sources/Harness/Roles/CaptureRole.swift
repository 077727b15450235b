public import Capture
import CaptureLive
import Sockets
import Synchronization
import Viewer

/// Packet capture and its analysis as a child process.
public final class CaptureRole: WorkerRole {
    public struct Config: Codable, Sendable {
        public var interface: String
        public var serverPorts: [UInt16]
        /// Those of them that are edges'.
        public var edgePorts: [UInt16] = []
        public var ringBytes: Int
        /// Subscribers of a stream whose payload is dissected; the rest is counted by headers.
        /// Probes are always dissected.
        public var dissectedSubscribersPerStream: Int
        /// Whose HTTP responses are whose, where no captured playlist tells.
        public var httpPatterns: [HTTPPathPattern] = []
        /// Stamped frames kept on their way in.
        public var ingressFrameLimit = 0
        /// nil = the packets are not kept.
        public var dumpPath: String?
    }

    /// Totals so far.
    public struct Interval: Codable, Sendable {
        public var received: Int
        public var dropped: Int
    }

    public struct Final: Codable, Sendable {
        public var report: CaptureReport
        public var received: Int
        public var dropped: Int
        public var problem: String?
        /// The device failed: packets are missing from some moment on.
        public var isCutOff: Bool
    }

    public static let name = "capture"
    /// An hour of one source and four renditions.
    static let mostIngressFrames = 500_000
    private let capture: LiveCapture
    private let window = Mutex<WorkerWindow?>(nil)

    public init(_ config: Config) throws {
        var options = CaptureOptions()
        options.serverPorts = Set(config.serverPorts)
        options.edgePorts = Set(config.edgePorts)
        options.dissectedSubscribersPerStream = config.dissectedSubscribersPerStream
        options.frameAgent = ViewerSpec.probeAgent
        options.httpPatterns = config.httpPatterns
        options.ingressFrameLimit = config.ingressFrameLimit
        // Encoders begin before the window is known: nothing counts until then.
        if config.ingressFrameLimit > 0 { options.window = 0..<0 }
        capture = try LiveCapture(
            interface: config.interface,
            filter: LiveCapture.filter(serverPorts: config.serverPorts),
            ringBytes: config.ringBytes, options: options, dumpPath: config.dumpPath)
        capture.start()
    }

    public var ready: Empty { Empty() }
    public func start(atNanoseconds start: Int64) {}

    /// The window comes on the monotonic clock; packets are stamped in real time.
    public func setWindow(_ window: WorkerWindow) {
        let offset = Clock.offset().nanoseconds
        let start = window.startNanoseconds + offset
        capture.setWindow(start..<max(start, window.endNanoseconds + offset))
    }

    public func interval() -> Interval {
        let statistics = capture.counts()
        return Interval(received: statistics.received, dropped: statistics.dropped)
    }

    public func stop() -> Final {
        let snapshot = capture.stop()
        return Final(
            report: snapshot.report, received: snapshot.statistics.received,
            dropped: snapshot.statistics.dropped + snapshot.statistics.droppedByInterface,
            problem: snapshot.problem, isCutOff: snapshot.isCutOff)
    }
}
