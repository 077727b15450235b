/// Viewers that behave alike.
package struct ViewerGroup: Codable, Sendable, Hashable {
    package enum PlayProtocol: String, Codable, Sendable, CaseIterable {
        case rtmp
        case httpFLV = "http-flv"
        /// Adaptive, with a player's algorithm.
        case hls
    }

    package enum Mode: String, Codable, Sendable, CaseIterable {
        /// Wakes rarely and counts: many viewers for little CPU.
        case lazy
        /// Reads at once, as a player does.
        case prompt
    }

    package enum Probes: Codable, Sendable, Hashable {
        /// 0…1; above 0 each rendition gets at least one.
        case share(Double)
        case count(Int)
    }

    /// When viewers join.
    package enum Arrival: Codable, Sendable, Hashable {
        /// Poisson arrivals at a mean rate per second, whatever the server does.
        case openRate(Double)
        /// Poisson arrivals spread over a time, whatever the server does.
        case openOver(Duration)
        /// All at once; with churn a viewer that leaves is followed by the next.
        case closed
    }

    package struct Churn: Codable, Sendable, Hashable {
        /// Mean of the exponential time a viewer stays.
        package var meanWatch: Duration
    }

    /// How adaptive viewers play.
    package struct Adaptive: Codable, Sendable, Hashable {
        /// A name that `AlgorithmName(parsing:)` takes.
        package var algorithm: String
        /// Media that the player holds at most.
        package var buffer: Duration
        /// Pixels; nil = no device caps it.
        package var maximumHeight: Int?
        /// Distance from the live edge; nil = what the playlist asks for.
        package var latency: Duration?
        /// Whether parts are played where there are any.
        package var usesParts: Bool
        /// Whether downloads may be given up for a lower rung.
        package var abandons: Bool
    }

    package var playProtocol: PlayProtocol
    package var count: Int
    /// A rendition's name; nil = all, spread evenly.
    package var rendition: String?
    /// A stream's name; nil = all, spread evenly.
    package var stream: String?
    package var probes: Probes
    package var arrival: Arrival
    /// Before which nobody joins.
    package var arrivalDelay: Duration
    package var mode: Mode
    /// What each of its viewers is behind; nil = what the machine gives.
    package var link: GroupLink?
    package var churn: Churn?
    /// Of HLS viewers only.
    package var adaptive: Adaptive?
    /// Media buffered before playing starts.
    package var playoutBuffer: Duration
    /// Of adaptive viewers; nil = there are no edges.
    package var via: Via?
}
