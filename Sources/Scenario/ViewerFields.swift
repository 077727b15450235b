import Netem
import SimulationKernel

extension ViewerGroup {
    /// The fields of a group. The protocol comes first, so that the defaults it implies do not
    /// replace the values of later fields.
    package static let fields: [Field<ViewerGroup>] =
        own + Adaptive.fields.map { Field($0, of: \.player) } + [
            .optional(
                "via", \.via, .choice,
                "Whom HLS viewers ask; default edge where stack.edges is there.")
        ]

    private static let own: [Field<ViewerGroup>] = [
        .standard(
            "protocol", \.protocolAndDefaults,
            .named(PlayProtocol.ofGroups.map { ($0.rawValue, $0) }), "How the stream is played."),
        .required(
            "count", \.count, .integer(1...TrialScenario.maximumViewers), "How many viewers."),
        .standard("rendition", \.rendition, .nameOrAll(.name), "A rendition's name, or all."),
        .standard("stream", \.stream, .nameOrAll(.streamName), "A stream's name, or all."),
        .implied(
            "probes", \.probes,
            .either(
                .integer(0...TrialScenario.maximumViewers).map { .count($0) },
                .share().map { .share($0) }),
            "Viewers that time each frame: a share (at least one a rendition) or a count; "
                + "default 5%, of HLS viewers 1."),
        .implied(
            "arrival", \.arrival, .mapping,
            "When viewers join; default: over 60 % of warmup."),
        .standard("mode", \.mode, .choice, "How load viewers read."),
        .optional(
            "rate_limit", \.rateLimit, .bitrate(),
            "Viewers read so much at most; 'link' is the whole model."),
        .optional(
            "link", \.link, .link,
            "What each viewer is behind: a profile such as lte, a rate, or a trace file."),
        .optional("churn", \.churn, .mapping, "Viewers leave and are replaced."),
        .standard(
            "playout_buffer", \.playoutBuffer, .duration(zero: true),
            "Media buffered before playing."),
    ]

    package static var exclusive: [[PartialKeyPath<ViewerGroup>]] { [[\.rateLimit, \.link]] }

    /// The protocol. Setting it to HLS also sets the defaults of adaptive viewers: only one probe,
    /// because there are many viewers and a probe must decode everything that it reads.
    private var protocolAndDefaults: PlayProtocol {
        get { playProtocol }
        set {
            playProtocol = newValue
            guard newValue == .hls else { return }
            (probes, adaptive) = (.count(1), Adaptive())
        }
    }

    /// The player of adaptive viewers. Viewers with another protocol have no player, even if their
    /// keys are given.
    private var player: Adaptive {
        get { adaptive ?? Adaptive() }
        set { if adaptive != nil { adaptive = newValue } }
    }

    /// A plain limit, which is kept as a link.
    private var rateLimit: Bitrate? {
        get { nil }
        set { link = newValue.map(GroupLink.rateLimit) }
    }

    /// Times at which viewers join.
    package struct Arrival: ScenarioMapping, Codable, Hashable {
        package enum Model: String, Codable, Sendable, CaseIterable {
            /// Poisson arrivals, independent of the server's behaviour.
            case open
            /// All viewers join at once. With churn, a viewer that leaves is followed by the next
            /// one.
            case closed
        }

        package var model = Model.open
        /// Mean arrivals per second.
        package var rate: Double?
        package var over: Duration?
        /// Time before which nobody joins.
        package var after = Duration.zero

        package init() {}
        package static let fields: [Field<Arrival>] = [
            .standard("model", \.model, .choice, "Load model."),
            .optional("rate", \.rate, .quantity(.rate), "Mean arrivals, open model."),
            .optional("over", \.over, .duration(), "Time all arrivals take, open model."),
            .standard(
                "after", \.after, .duration(zero: true), "Nobody joins before; in the warmup."),
        ]

        package static var exclusive: [[PartialKeyPath<Arrival>]] { [[\.rate, \.over]] }

        /// Whether the model is open and neither a rate nor a time is given.
        var isOpen: Bool { model == .open && rate == nil && over == nil }

        /// Returns the time in which `count` viewers begin to join, from the first viewer on.
        func span(of count: Int) -> Duration {
            guard model == .open else { return .zero }
            return rate.map { .nanoseconds(Int64(Double(count) / $0 * 1e9)) } ?? over ?? .zero
        }
    }

    /// How adaptive viewers play.
    package struct Adaptive: ScenarioMapping, Codable, Hashable {
        /// Name that `AlgorithmName(parsing:)` accepts.
        package var algorithm = "hls-js"
        package var buffer = Duration.seconds(30)
        /// Maximum height in pixels; nil = the device imposes no limit.
        package var maximumHeight: Int?
        /// Distance from the live edge; nil = the distance that the playlist asks for.
        package var latency: Duration?
        /// Whether parts are played if the playlist has them.
        package var usesParts = true
        package var abandons = true

        package init() {}

        private static let standard = Adaptive()

        package static let fields: [Field<Adaptive>] = [
            .implied(
                "algorithm", \.algorithm, .text(.nonEmpty),
                "Adaptation of HLS viewers; default \(standard.algorithm)."),
            .implied(
                "buffer", \.buffer, .duration(),
                "Media an HLS player holds at most; default "
                    + "\(Quantity.duration.format(Double(standard.buffer.nanoseconds)))."),
            .optional(
                "device", \.maximumHeight,
                .named(DeviceProfile.allCases.map { ($0.rawValue, $0.maximumHeight) }),
                "Caps the picture's height; HLS only."),
            .optional(
                "latency", \.latency, .duration(), "Distance of HLS viewers from the live edge."),
            .implied(
                "parts", \.usesParts, .boolean,
                "Whether HLS viewers play parts; default \(standard.usesParts)."),
            .implied(
                "abandon", \.abandons, .boolean,
                "Whether downloads may be given up; default \(standard.abandons)."),
        ]
    }
}

extension ValueKind where Value == String? {
    /// A name, or the word `all`, which stands for no particular name.
    fileprivate static func nameOrAll(_ rule: TextRule) -> Self {
        text(rule).map(
            { .some($0 == "all" ? nil : $0) }, back: { $0 ?? "all" })
    }
}
