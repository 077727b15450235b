/// Viewers with the same behaviour.
package struct ViewerGroup: ScenarioMapping, Codable, Hashable {
    package enum PlayProtocol: String, Codable, Sendable, CaseIterable {
        case rtmp
        case httpFLV = "http-flv"
        /// HLS with an adaptive player.
        case hls
        /// RTMP that the server itself publishes to a target of a relay.
        case rtmpPush = "rtmp-push"

        /// The protocols by which viewers of a group may play.
        static let ofGroups: [PlayProtocol] = [.rtmp, .httpFLV, .hls]
    }

    package enum Mode: String, Codable, Sendable, CaseIterable {
        /// Wakes rarely and only counts bytes: many viewers need little CPU.
        case lazy
        /// Reads at once, as a player does.
        case prompt
    }

    package enum Probes: Codable, Sendable, Hashable {
        /// Share of the viewers, 0…1. If it is above 0, each rendition has at least one probe.
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

    /// Server that adaptive viewers connect to.
    package enum Via: String, Codable, Sendable, CaseIterable {
        /// One of the edges, by turns.
        case edge
        /// The origin, across the WAN if there is one.
        case origin
    }

    package var playProtocol = PlayProtocol.rtmp
    package var count = 0
    /// Name of a rendition; nil = all renditions, spread evenly.
    package var rendition: String?
    /// Name of a stream; nil = all streams, spread evenly.
    package var stream: String?
    package var probes = Probes.share(0.05)
    package var arrival = Arrival()
    package var mode = Mode.lazy
    /// Link of each viewer in the group; nil = whatever the machine allows.
    package var link: GroupLink?
    package var churn: Churn?
    /// Player settings; only groups of HLS viewers have them.
    package var adaptive: Adaptive?
    package var playoutBuffer = Duration.seconds(1)
    /// Server that adaptive viewers connect to; nil = there are no edges.
    package var via: Via?

    package init() {}
}
