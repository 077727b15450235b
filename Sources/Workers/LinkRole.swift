import Glibc
package import Netem
import NetemShell
package import SimulationKernel
package import Statistics

/// The packet shell of a trial as a child process. It makes a network namespace for the viewers and
/// forwards packets between that namespace and the run's own.
package final class LinkRole: WorkerRole {
    package struct Viewer: Codable, Sendable {
        /// The viewer's index in the plan. The viewer's address is derived from it.
        package var index: Int
        /// Index of one of the configuration's links.
        package var link: Int
        /// Offset in the link's trace at which the viewer begins.
        package var placeNanoseconds: Int64
        package var seed: UInt64

        package init(index: Int, link: Int, placeNanoseconds: Int64, seed: UInt64) {
            self.index = index
            self.link = link
            self.placeNanoseconds = placeNanoseconds
            self.seed = seed
        }
    }

    package struct Config: Codable, Sendable {
        package var links: [LinkDescription]
        package var viewers: [Viewer]
        /// Seed of the profiles' traces.
        package var seed: UInt64
        /// Congestion control of what the server sends into the links; nil = the system's.
        package var congestionControl: String?

        package init(
            links: [LinkDescription], viewers: [Viewer], seed: UInt64,
            congestionControl: String? = nil
        ) {
            self.links = links
            self.viewers = viewers
            self.seed = seed
            self.congestionControl = congestionControl
        }
    }

    package struct Ready: Codable, Sendable {
        /// Path of the viewers' namespace. It is valid as long as this process lives.
        package var namespacePath: String
    }

    /// Packets of one viewer that were lost on its link, in both directions together.
    package struct Losses: Codable, Sendable {
        package var index: Int
        /// Number of packets that the loss model removed.
        package var lost: Int
        /// Number of packets that the queue dropped.
        package var dropped: Int
    }

    package struct Final: Codable, Sendable {
        package var viewers: [Losses]
        /// Lateness of the release of each packet.
        package var releaseLateness: DelayHistogram
        /// Reasons besides the lateness why the trial is void.
        package var voidReasons: [String]
    }

    package static let name = "links"
    /// Maximum number of viewers for which each packet is sent at its exact time. With more
    /// viewers, the packets of one wake-up are sent together.
    private static let fewViewers = 8
    private static let quantumNanoseconds: Int64 = 500_000

    private let network: ShellNetwork
    private let indices: [UInt32: Int]

    package init(_ config: Config) throws {
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

    package var ready: Ready {
        Ready(namespacePath: "/proc/\(getpid())/fd/\(network.inside.descriptor)")
    }
    package func start(atNanoseconds start: Int64) {}
    package func setWindow(_ window: Window) {}
    package func interval() -> Empty { Empty() }

    package func stop() throws -> Final {
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
