/// Viewers that behave alike.
public struct ViewerGroup: Codable, Sendable, Hashable {
    public enum PlayProtocol: String, Codable, Sendable, CaseIterable {
        case rtmp
        case httpFLV = "http-flv"
        /// Adaptive, with a player's algorithm.
        case hls
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

    /// How adaptive viewers play.
    public struct Adaptive: Codable, Sendable, Hashable {
        /// A name that `AlgorithmName(parsing:)` takes.
        public var algorithm: String
        /// Media that the player holds at most.
        public var buffer: Duration
        /// Pixels; nil = no device caps it.
        public var maximumHeight: Int?
        /// Distance from the live edge; nil = what the playlist asks for.
        public var latency: Duration?
        /// Whether parts are played where there are any.
        public var usesParts: Bool
        /// Whether downloads may be given up for a lower rung.
        public var abandons: Bool
    }

    public var playProtocol: PlayProtocol
    public var count: Int
    /// A rendition's name; nil = all, spread evenly.
    public var rendition: String?
    /// A stream's name; nil = all, spread evenly.
    public var stream: String?
    public var probes: Probes
    public var arrival: Arrival
    /// Before which nobody joins.
    public var arrivalDelay: Duration
    public var mode: Mode
    /// What each of its viewers is behind; nil = what the machine gives.
    public var link: GroupLink?
    public var churn: Churn?
    /// Of HLS viewers only.
    public var adaptive: Adaptive?
    /// Media buffered before playing starts.
    public var playoutBuffer: Duration
    /// Of adaptive viewers; nil = there are no edges.
    public var via: Via?
}
