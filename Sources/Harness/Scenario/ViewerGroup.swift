/// Viewers that behave alike.
public struct ViewerGroup: Codable, Sendable, Hashable {
    public enum PlayProtocol: String, Codable, Sendable, CaseIterable {
        case rtmp
        case httpFLV = "http-flv"
    }

    public enum Mode: String, Codable, Sendable, CaseIterable {
        /// Wakes rarely and counts: many viewers for little CPU.
        case lazy
        /// Reads at once, as a player does.
        case prompt
    }

    public enum Probes: Codable, Sendable, Hashable {
        /// 0…1; above 0 each rendition gets at least one.
        case share(Double)
        case count(Int)
    }

    /// When viewers join.
    public enum Arrival: Codable, Sendable, Hashable {
        /// Poisson arrivals at a mean rate per second, whatever the server does.
        case openRate(Double)
        /// Poisson arrivals spread over a time, whatever the server does.
        case openOver(Duration)
        /// All at once; with churn a viewer that leaves is followed by the next.
        case closed
    }

    public struct Churn: Codable, Sendable, Hashable {
        /// Mean of the exponential time a viewer stays.
        public var meanWatch: Duration
    }

    public var playProtocol: PlayProtocol
    public var count: Int
    /// A rendition's name; nil = all, spread evenly.
    public var rendition: String?
    /// A stream's name; nil = all, spread evenly.
    public var stream: String?
    public var probes: Probes
    public var arrival: Arrival
    public var mode: Mode
    /// What each of its viewers is behind; nil = what the machine gives.
    public var link: GroupLink?
    public var churn: Churn?
    /// Media buffered before playing starts.
    public var playoutBuffer: Duration
}
