import SimulationKernel

extension TrialScenario {
    /// The resolved scenario, a description of the plan, and the hash that identifies both.
    package var explanation: String {
        let plan = Plan(self)
        let length = warmup + duration + drain
        let published = plan.publishers.filter(\.isPublished)
        let players = plan.players
        let probes = players.count(where: \.isProbe)
        var lines = [
            "# \(name): resolved scenario, every default filled in",
            canonicalYAML,
            "# plan",
            "driver: \(stack.driver.rawValue) \(endpointWords)",
            "publishers: \(published.count) \(plan.hasEncoders ? "streams" : "renditions"), "
                + "stream keys \(Self.keys(published))",
            "viewers: \(players.count), of which \(probes) probes; the last joins at "
                + "\(Self.seconds(players.last?.joinOffsetNanoseconds ?? 0)) s",
        ]
        lines += relayWords(plan)
        let encoded = plan.publishers.filter { !$0.isPublished }
        if !encoded.isEmpty {
            lines.insert(
                "encoders: ffmpeg makes \(encoded.count) renditions, stream keys "
                    + "\(Self.keys(encoded)); the warm-up begins once all are there",
                at: lines.count - 1)
        }
        if !unsupportedSettings.isEmpty {
            lines.append(
                "not honoured by \(stack.driver.rawValue): "
                    + unsupportedSettings.joined(separator: ", "))
        }
        for process in plan.processes {
            let work =
                process.publishers.isEmpty
                ? process.viewers.isEmpty
                    ? ""
                    : ": \(process.viewers.count) \(process.role == .sinks ? "sessions" : "viewers")"
                : ": \(process.publishers.count) streams"
            let place = process.cpus.map { " on CPU \($0)" } ?? ""
            lines.append("process \(process.name)\(work)\(place)")
        }
        lines += [
            "into the server: \(Self.megabits(plan.ingressRate))\(fileWords(plan))",
            egressWords(plan),
            "duration: \(Self.seconds(length.nanoseconds)) s (warm-up "
                + "\(Self.seconds(warmup.nanoseconds)), steady window "
                + "\(Self.seconds(duration.nanoseconds)), drain "
                + "\(Self.seconds(drain.nanoseconds))) and a few seconds to start and report",
            "sha256: \(sha256)",
        ]
        if let search { lines.insert(searchWords(search), at: lines.count - 1) }
        return lines.joined(separator: "\n") + "\n"
    }

    private func searchWords(_ search: SearchSettings) -> String {
        let count = max(1, search.sweep?.values.count ?? 1) * search.repeats
        let goals = searchGoals.map(\.name).joined(separator: ", ")
        return
            "search: \(search.vary) from \(search.from.words) to \(search.to.words) for \(goals), "
            + "\(count) times at most \(Self.seconds(search.budget.nanoseconds)) s"
    }

    /// One line about the targets of a relay; none without a relay.
    private func relayWords(_ plan: Plan) -> [String] {
        guard let relay else { return [] }
        var words =
            "relay: \(plan.targetSessions.count) sessions, each stream to \(relay.targets) targets "
            + "at \(relay.sinks) sinks"
        if let link = relay.link { words += ", each read at \(link)" }
        if let faults = relay.faults, faults.stalled > 0 {
            words += ", \(faults.stalled) of them stalled at \(faults.stalledRate)"
        }
        if let requests = relay.faults?.apiRequests {
            words += "; \(Quantity.plain(requests)) requests to the server's API in a second"
        }
        if let gone = plan.publishers.first(where: { $0.gap != nil }), let gap = gone.gap {
            words +=
                "; the publisher of \(gone.streamKey) is gone for "
                + "\(Self.seconds(gap.lengthNanoseconds)) s"
        }
        return [words]
    }

    private var endpointWords: String {
        switch stack.driver {
        case .external: "at \(stack.url ?? "")" + (stack.httpURL.map { " and \($0)" } ?? "")
        case .command:
            "(\((stack.start.command ?? []).joined(separator: " "))) on 127.0.0.1, ports chosen "
                + "free at start"
        case .embedded, .srs: "on 127.0.0.1, RTMP and HTTP ports chosen free at start"
        case .nginxRTMP:
            "on 127.0.0.1, RTMP \(stack.hls == nil ? "port" : "and HTTP ports") chosen free at start"
        case .floor: "on 127.0.0.1, RTMP port chosen free at start"
        }
    }

    private func fileWords(_ plan: Plan) -> String {
        let files = plan.publishers.count { $0.isPublished && $0.bitrate == nil }
        return files == 0 ? "" : " and \(files) files whose rate is not known beforehand"
    }

    private func egressWords(_ plan: Plan) -> String {
        let rates = plan.egressRates
        let place = stack.edges == nil ? "out of the server" : "out of the server and its edges"
        return rates.lowest.bitsPerSecond == rates.highest.bitsPerSecond
            ? "\(place): \(Self.megabits(rates.highest)) once all have joined"
            : "\(place): \(Self.megabits(rates.lowest)) to \(Self.megabits(rates.highest)) once "
                + "all have joined, as the HLS viewers choose"
    }

    private static func keys(_ plans: [PublisherPlan]) -> String {
        plans.prefix(8).map(\.streamKey).joined(separator: " ") + (plans.count > 8 ? " …" : "")
    }

    private static func seconds(_ nanoseconds: Int64) -> String {
        Quantity.plain((Double(nanoseconds) / 1e7).rounded() / 100)
    }

    private static func megabits(_ rate: Bitrate) -> String {
        "\(Quantity.plain((Double(rate.bitsPerSecond) / 1e4).rounded() / 100)) Mbit/s"
    }
}
