/// A fault that a relay has in one of two runs, so that the runs show what it does to the sessions
/// that have nothing to do with it.
package enum RelayFault: String, Codable, Sendable, CaseIterable {
    /// The last target of the first stream reads 8 kbit/s.
    case stalledTarget = "stalled-target"
    /// The publisher of the first stream is gone for 3 s.
    case lostPublisher = "lost-publisher"
    /// The server's API is asked 1,000 times a second.
    case floodedAPI = "flooded-api"

    /// The fault as the scenario's `relay.faults`.
    var settings: String {
        switch self {
        case .stalledTarget: "{stalled: 1, stalled_rate: 8kbps}"
        case .lostPublisher: "{publisher_gap: {stream: 1, at: 1s, for: 3s}}"
        case .floodedAPI: "{api_requests: 1000/s}"
        }
    }

    /// The stream that has the fault, whose delays do not count; nil if no stream has it.
    var stream: String? { self == .floodedAPI ? nil : "live1" }

    /// Keys that the scenario's `stack` has with the fault and without it.
    var stackKeys: [String] { self == .stalledTarget ? ["queue_limit: 512KiB"] : [] }

    /// Returns the seconds of warm-up with the fault and without it: the kernel holds up to 2.6 MB
    /// for a stalled session before the server's own queue of 512 KiB fills.
    func warmupSeconds(bitrateKilobits: Int) -> Int {
        self == .stalledTarget ? 5 + 26_000 / max(1, bitrateKilobits) : 5
    }
}
