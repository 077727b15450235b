import SimulationKernel
import Glibc
public import Netem
import NetemShell
public import Statistics

/// The packet shell of a trial as a child process: it makes a network namespace for the viewers and
/// forwards their packets to and from the run's own.
public final class LinkRole: WorkerRole {
    public struct Viewer: Codable, Sendable {
        /// In the plan; its address follows from it.
        public var index: Int
        /// One of the configuration's links.
        public var link: Int
        /// Where in the link's course it begins.
        public var placeNanoseconds: Int64
        public var seed: UInt64
    }

    public struct Config: Codable, Sendable {
        public var links: [LinkDescription]
        public var viewers: [Viewer]
        /// Of the profiles' courses.
        public var seed: UInt64
        /// Of what the server sends into the links; nil = the system's.
        public var congestionControl: String?
    }

    public struct Ready: Codable, Sendable {
        /// A path to the viewers' namespace, while this process lives.
        public var namespacePath: String
    }

    /// Packets of one viewer that its link took, both directions together.
    public struct Losses: Codable, Sendable {
        public var index: Int
        /// By the loss model.
        public var lost: Int
        /// By the queue.
        public var dropped: Int
    }

    public struct Final: Codable, Sendable {
        public var viewers: [Losses]
        /// How long after its time each packet was released.
        public var releaseLateness: DelayHistogram
        /// Beyond the lateness, why the trial does not count.
        public var voidReasons: [String]
    }

    public static let name = "links"
    /// Few viewers get each packet at its time; with many, packets of one wake-up are sent together.
    private static let fewViewers = 8
    private static let quantumNanoseconds: Int64 = 500_000

    private let network: ShellNetwork
    private let indices: [UInt32: Int]

    public init(_ config: Config) throws {
        let links = try config.links.map { link in
            (
                try link.spec(.down, seed: config.seed),
                try link.spec(.up, seed: config.seed)
            )
        }
        let viewers = try config.viewers.map { viewer in
            let (down, up) = links[viewer.link]
            return PacketShell.Viewer(
                address: ShellNetwork.viewer(viewer.index),
                down: try down.beginning(at: viewer.placeNanoseconds),
                up: try up.beginning(at: viewer.placeNanoseconds), seed: viewer.seed)
        }
        var options = PacketShell.Options()
        options.quantumNanoseconds = viewers.count > Self.fewViewers ? Self.quantumNanoseconds : 0
        options.largestPackets = min(1 << 20, max(options.largestPackets, 256 * viewers.count))
        network = try ShellNetwork(
            viewers: viewers, outside: try NetworkNamespace.current(), options: options)
        indices = Dictionary(
            config.viewers.map { (ShellNetwork.viewer($0.index).rawValue, $0.index) },
            uniquingKeysWith: { a, _ in a })
        if let name = config.congestionControl { try NetworkIsolation.setForLinks(name) }
    }

    public var ready: Ready {
        Ready(namespacePath: "/proc/\(getpid())/fd/\(network.inside.descriptor)")
    }
    public func start(atNanoseconds start: Int64) {}
    public func setWindow(_ window: Window) {}
    public func interval() -> Empty { Empty() }

    public func stop() throws -> Final {
        let report = try network.stop()
        return Final(
            viewers: report.viewers.map { viewer in
                let both = [viewer.down.counters, viewer.up.counters]
                return Losses(
                    index: indices[viewer.address.rawValue] ?? -1,
                    lost: both.reduce(0) { $0 + $1.lost.packets },
                    dropped: both.reduce(0) { $0 + $1.dropped.packets })
            }, releaseLateness: report.releaseLateness, voidReasons: report.lossReasons)
    }
}
