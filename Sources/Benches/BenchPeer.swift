import Processes
import Scenario

/// A server of somebody else beside which the embedded stack is measured.
package struct BenchPeer: Sendable, Hashable {
    /// Name of the peer on the command line and in tables.
    package var name: String
    var driver: StackSettings.Driver
    /// Program that has to be installed.
    var program: String
    /// Keys that the scenario's `stack` has for the peer, each as `key: value`.
    var stackKeys: [String]

    private static let all: [(name: String, driver: String, program: String, keys: [String])] = [
        ("nginx-rtmp", "nginx-rtmp", "nginx", []),
        ("srs", "srs", "srs", ["profile: real-time"]),
        ("srs-default", "srs", "srs", ["profile: default"]),
    ]

    /// The peers for which there is a driver.
    package static var known: [BenchPeer] {
        all.compactMap { peer in
            StackSettings.Driver(rawValue: peer.driver).map {
                BenchPeer(
                    name: peer.name, driver: $0, program: peer.program, stackKeys: peer.keys)
            }
        }
    }

    /// The peers whose programs are installed here.
    package static var atHand: [BenchPeer] {
        known.filter { Program.find($0.program) != nil }
    }
}
