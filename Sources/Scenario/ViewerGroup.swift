/// Viewers that behave alike.
package struct ViewerGroup: ScenarioMapping, Codable, Hashable {
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

    package struct Churn: ScenarioMapping, Codable, Hashable {
        package var meanWatch = Duration.zero

        package init() {}
        package static let fields: [Field<Churn>] = [
            .required(
                "mean_watch", \.meanWatch, .duration(),
                "Mean of the exponential time a viewer stays.")
        ]
    }

    /// Whom adaptive viewers ask.
    package enum Via: String, Codable, Sendable, CaseIterable {
        /// One of the edges, by turns.
        case edge
        /// The origin, across the WAN where there is one.
        case origin
    }

    package var playProtocol = PlayProtocol.rtmp
    package var count = 0
    /// A rendition's name; nil = all, spread evenly.
    package var rendition: String?
    /// A stream's name; nil = all, spread evenly.
    package var stream: String?
    package var probes = Probes.share(0.05)
    package var arrival = Arrival()
    package var mode = Mode.lazy
    /// What each of its viewers is behind; nil = what the machine gives.
    package var link: GroupLink?
    package var churn: Churn?
    /// Of HLS viewers only.
    package var adaptive: Adaptive?
    package var playoutBuffer = Duration.seconds(1)
    /// Of adaptive viewers; nil = there are no edges.
    package var via: Via?

    package init() {}
}
