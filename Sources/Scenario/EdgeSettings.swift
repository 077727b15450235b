import Netem
package import SimulationKernel
import Viewer

/// HLS caches between the embedded stack and its viewers.
package struct EdgeSettings: ScenarioMapping, Codable, Hashable {
    /// The network between the origin's site and the viewers' neighbourhood.
    package struct WAN: ScenarioMapping, Codable, Hashable {
        /// Maximum rate at which each edge reads from the origin, packet headers included; nil =
        /// whatever the machine allows.
        package var rate: Bitrate?
        package var delay = Duration.zero

        package init() {}
        package static let fields: [Field<WAN>] = [
            .optional("rate", \.rate, .bitrate(), "Of each edge's way."),
            .standard("delay", \.delay, .duration(zero: true), "One way."),
        ]
    }

    package enum Driver: String, Codable, Sendable, CaseIterable {
        /// Edges that run `millrace edge`.
        case embedded
        /// Edges that run a real nginx with `proxy_cache`.
        case nginx
    }

    package var driver = Driver.embedded
    package var count = 1
    package var cacheBytes = 256 << 20
    package var failover = 2
    /// The WAN that edges cross, and that viewers cross if they connect to the origin directly; nil
    /// = no WAN.
    package var wan: WAN?

    package init() {}
    package static let fields: [Field<EdgeSettings>] = [
        .standard(
            "driver", \.driver, .choice, "millrace's own edge, or a real nginx with proxy_cache."),
        .standard("count", \.count, .integer(1...64), "How many edges, a process each."),
        .standard("cache", \.cacheBytes, .byteCount, "What each edge keeps."),
        .standard(
            "failover", \.failover, .integer(0...8),
            "Failures of a request after which a viewer goes to the next edge; 0 = never."),
        .optional(
            "wan", \.wan, .mapping,
            "The way from the origin to the edges, and to viewers that go straight to it."),
    ]
}

/// Defaults of edges that depend on the stack, and checks of edges.
enum EdgeRules {
    /// Lets HLS viewers play through the edges if the scenario has edges. HLS viewers that connect
    /// to the origin get the WAN added to their links.
    static func apply(to scenario: inout TrialScenario, reader: inout ScenarioReader) {
        if scenario.stack.restarts > 0, scenario.stack.driver != .embedded {
            reader.report(
                at: "stack.restarts", "only the embedded stack is started again by the run")
        }
        guard let edges = scenario.stack.edges else { return }
        for index in scenario.viewers.indices where scenario.viewers[index].adaptive != nil {
            let via = scenario.viewers[index].via ?? .edge
            scenario.viewers[index].via = via
            guard via == .origin, let wan = edges.wan else { continue }
            do {
                let own = scenario.viewers[index].link
                scenario.viewers[index].link = try GroupLink.across(wan, own)
            } catch {
                reader.report(at: "viewers[\(index)].via", "\(error)")
            }
        }
    }

    static func check(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        for (index, group) in scenario.viewers.enumerated() {
            let place = "viewers[\(index)].via"
            guard reader.marks[place] != nil else { continue }
            if group.adaptive == nil {
                reader.report(at: place, "'via' is for viewers with protocol: hls")
            } else if scenario.stack.edges == nil {
                reader.report(at: place, "'via' needs edges: add stack.edges, such as {count: 2}")
            }
        }
        if let uplink = scenario.stack.uplink {
            if scenario.stack.driver != .embedded {
                reader.report(at: "stack.uplink", "uplink belongs to the embedded stack")
            } else if uplink.bitsPerSecond < 100_000 {
                reader.report(at: "stack.uplink", "uplink must be 100kbps at least")
            }
        }
        guard let edges = scenario.stack.edges else { return }
        if scenario.stack.driver != .embedded {
            reader.report(
                at: "stack.edges",
                scenario.stack.driver == .external
                    ? "edges belong to the embedded stack; an external server has its own"
                    : "edges belong to the embedded stack: take driver: embedded, or remove edges")
        }
        if !scenario.viewers.contains(where: { $0.via == .edge }) {
            reader.report(
                at: "stack.edges",
                "nobody plays through the edges: give a group protocol: hls, or remove them")
        }
        if !(1 << 20...64 << 30).contains(edges.cacheBytes) {
            reader.report(at: "stack.edges.cache", "the cache must be 1MiB to 64GiB")
        }
        if let delay = edges.wan?.delay, delay > .seconds(10) {
            reader.report(at: "stack.edges.wan.delay", "the WAN's delay must be 10s at most")
        }
        if let rate = edges.wan?.rate, rate.bitsPerSecond < 8000 {
            reader.report(at: "stack.edges.wan.rate", "the WAN's rate must be 8kbps at least")
        }
    }
}

extension GroupLink {
    /// Rate of a WAN whose scenario gives no rate.
    private static let unnamedRate = Bitrate(bitsPerSecond: 10_000_000_000)

    /// Returns a viewer's link with the WAN behind it. The WAN's delay is added to the link's
    /// delay. The WAN's rate, which all viewers of an edge share, holds for each of these viewers.
    /// - Throws: `InputFault` for links of real packets, whose delay cannot be extended.
    static func across(_ wan: EdgeSettings.WAN, _ own: GroupLink?) throws -> GroupLink {
        var link = ViewerLink(rate: RateSchedule(constant: wan.rate ?? unnamedRate))
        var name = "wan"
        if let own {
            guard let socket = own.socket else {
                throw InputFault(
                    message:
                        "the WAN's delay cannot be added to a link of real packets; give the whole "
                        + "delay in 'link' and leave stack.edges.wan out")
            }
            link = socket
            name = own.name + "+wan"
            if let rate = wan.rate {
                link.rate = try link.rate.changingPeriods {
                    $0.bitsPerSecond = min($0.bitsPerSecond, Int64(rate.bitsPerSecond))
                }
            }
        }
        link.delay.nanoseconds += wan.delay.nanoseconds
        return GroupLink(name: name, link)
    }
}
