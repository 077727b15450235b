package import SimulationKernel

/// Targets to which the server under test pushes each published stream. Sinks of the run are the
/// targets: RTMP servers that only count and time.
package struct RelaySettings: ScenarioMapping, Codable, Hashable {
    /// Largest number of targets of one stream.
    package static let targetLimit = 64
    /// Largest number of sessions, which is the number of streams times that of the targets.
    package static let sessionLimit = 10_000
    /// Smallest rate at which a sink may read.
    package static let leastRate = Bitrate(bitsPerSecond: 1000)
    /// Largest number of requests to the API in a second.
    package static let apiRequestLimit = 10_000.0

    /// A publisher that loses its connection and comes back.
    package struct Gap: ScenarioMapping, Codable, Hashable {
        /// Number of the published stream, from 1, in the order of the plan.
        package var stream = 1
        /// Time from the beginning of the steady window until the connection breaks.
        package var begin = Duration.zero
        package var length = Duration.zero

        package init() {}
        package static let fields: [Field<Gap>] = [
            .standard(
                "stream", \.stream, .integer(1...RelaySettings.sessionLimit),
                "Number of the published stream, from 1."),
            .required("at", \.begin, .duration(), "When it breaks, from the window's beginning."),
            .required("for", \.length, .duration(), "How long the publisher is gone."),
        ]
    }

    /// Targets and publishers that do not do what they should.
    package struct Faults: ScenarioMapping, Codable, Hashable {
        /// Number of sessions whose sink reads only at `stalledRate`.
        package var stalled = 0
        package var stalledRate = Bitrate(bitsPerSecond: 8000)
        package var publisherGap: Gap?
        /// Requests to the server's API in a second, over the steady window; nil = none.
        package var apiRequests: Double?

        package init() {}
        package static let fields: [Field<Faults>] = [
            .standard(
                "stalled", \.stalled, .integer(0...RelaySettings.sessionLimit),
                "Sessions at the last targets whose sink reads slowly."),
            .standard(
                "stalled_rate", \.stalledRate, .bitrate(), "What the sink reads of such a session."
            ),
            .optional(
                "publisher_gap", \.publisherGap, .mapping,
                "A publisher whose connection breaks, and that comes back."),
            .optional(
                "api_requests", \.apiRequests, .quantity(.rate),
                "Requests to the server's API in the window, embedded only."),
        ]
    }

    package var targets = 2
    /// Number of sink processes. Target k of each stream is at sink k modulo this number.
    package var sinks = 1
    /// Rate at which a sink reads each session; nil = as fast as it can.
    package var link: Bitrate?
    package var faults: Faults?

    package init() {}
    package static let fields: [Field<RelaySettings>] = [
        .standard(
            "targets", \.targets, .integer(1...RelaySettings.targetLimit),
            "Servers to which each stream is pushed."),
        .standard(
            "sinks", \.sinks, .integer(1...RelaySettings.targetLimit),
            "Processes that are those servers, by turns."),
        .optional(
            "link", \.link, .bitrate(),
            "What a sink reads of each session at most; no packet is delayed."),
        .optional(
            "faults", \.faults, .mapping,
            "Targets that read slowly, a publisher that goes, a flooded API."),
    ]

    /// Name of the RTMP application of a target, from 0.
    package static func application(ofTarget target: Int) -> String { "relay\(target)" }
}

/// Checks of a relay.
enum RelayRules {
    static func check(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        guard let relay = scenario.relay else { return }
        if ![.embedded, .nginxRTMP].contains(scenario.stack.driver) {
            reader.report(
                at: "relay",
                "the run tells only driver: embedded and nginx-rtmp where to push; take one of "
                    + "them, or remove relay")
        }
        if let place = scenario.streams.firstIndex(where: { $0.ladder != nil }) {
            reader.report(
                at: "streams[\(place)].ladder",
                "relay pushes published streams, and not what encoders make of them; remove "
                    + "ladder, or relay")
        }
        if relay.sinks > relay.targets {
            reader.report(
                at: "relay.sinks",
                "\(relay.sinks) sinks share \(relay.targets) targets; give \(relay.targets) sinks "
                    + "at most")
        }
        let streams = scenario.streams.reduce(0) { $0 + $1.names.count * $1.renditions.count }
        let sessions = streams * relay.targets
        if sessions > RelaySettings.sessionLimit {
            reader.report(
                at: "relay.targets",
                "\(streams) streams to \(relay.targets) targets are \(sessions) sessions; at most "
                    + "\(RelaySettings.sessionLimit)")
        }
        checkRates(relay, sessions: sessions, reader: &reader)
        check(apiRequests: relay.faults?.apiRequests, scenario, reader: &reader)
        if let gap = relay.faults?.publisherGap {
            check(gap, scenario, streams: streams, reader: &reader)
        }
    }

    private static func check(
        _ gap: RelaySettings.Gap, _ scenario: TrialScenario, streams: Int,
        reader: inout ScenarioReader
    ) {
        let place = "relay.faults.publisher_gap"
        if gap.stream > streams {
            reader.report(
                at: place + ".stream", "there is no stream \(gap.stream); the last is \(streams)")
        }
        if gap.begin + gap.length > scenario.duration {
            reader.report(
                at: place,
                "the publisher must be back before the window ends; shorten 'for', or lengthen "
                    + "duration")
        }
    }

    private static func check(
        apiRequests: Double?, _ scenario: TrialScenario, reader: inout ScenarioReader
    ) {
        guard let apiRequests else { return }
        let place = "relay.faults.api_requests"
        if scenario.stack.driver != .embedded {
            reader.report(
                at: place,
                "only driver: embedded has this API; take it, or remove api_requests")
        }
        if apiRequests > RelaySettings.apiRequestLimit {
            reader.report(
                at: place,
                "\(Quantity.plain(apiRequests)) requests in a second are too many; give "
                    + "\(Quantity.plain(RelaySettings.apiRequestLimit))/s at most")
        }
    }

    private static func checkRates(
        _ relay: RelaySettings, sessions: Int, reader: inout ScenarioReader
    ) {
        let least = RelaySettings.leastRate
        if let link = relay.link, link < least {
            reader.report(at: "relay.link", "the link must be \(least) at least")
        }
        guard let faults = relay.faults else { return }
        if faults.stalledRate < least {
            reader.report(
                at: "relay.faults.stalled_rate", "stalled_rate must be \(least) at least")
        }
        if faults.stalled > sessions {
            reader.report(
                at: "relay.faults.stalled",
                "\(faults.stalled) stalled sessions, but the relay has \(sessions) in all")
        }
    }
}
