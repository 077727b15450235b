import Server
import SimulationKernel

/// The figures that a scenario will have. Thresholds on other figures are refused before the run.
enum ThresholdRules {
    static func check(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        var reported: Set<String> = []
        for threshold in scenario.thresholds where reported.insert(threshold.selector).inserted {
            for message in faults(threshold, scenario) {
                reader.report(
                    at: "thresholds.\(threshold.selector)", "thresholds: \(message)")
            }
        }
    }

    private static func faults(_ threshold: Threshold, _ scenario: TrialScenario) -> [String] {
        let tags = threshold.metric.tags
        var faults: [String] = []
        for (tag, value) in threshold.tags.sorted(by: { $0.key < $1.key }) {
            guard let values = tags[tag] else {
                let known = tags.isEmpty ? "none" : tags.keys.sorted().joined(separator: ", ")
                faults.append(
                    "\(threshold.metric.rawValue) has no figures by \(tag); its tags: \(known)")
                continue
            }
            let names = values.isEmpty ? scenario.names(ofTag: tag) : values
            guard !names.contains(value) else { continue }
            let nearest = NameDistance.nearest(to: value, among: names)
            faults.append(
                values.isEmpty || Metric.everyTagValue(tag).contains(value) == false
                    ? "no \(tag) is named '\(value)'"
                        + (nearest.map { "; did you mean '\($0)'?" } ?? "")
                    : "\(threshold.metric.rawValue) has no figures with \(tag):\(value); "
                        + "it has \(names.joined(separator: ", "))")
        }
        guard faults.isEmpty else { return faults }
        let vantages = threshold.tags["vantage"].map { [$0] } ?? threshold.metric.vantages
        if !vantages.isEmpty, !vantages.contains("viewer"), scenario.capture.mode == .off {
            return ["\(threshold.selector) needs the capture, which is off"]
        }
        if [
            .meanBitrateKilobits, .liveLatencyMilliseconds, .switches, .fetchMilliseconds,
        ].contains(threshold.metric),
            !scenario.viewers.contains(where: { $0.adaptive != nil })
        {
            return ["\(threshold.selector) needs viewers with protocol: hls"]
        }
        let accounting = scenario.stack.accounting
        if [.cpuSecondsPerGigabit, .viewersPerCore].contains(threshold.metric),
            scenario.stack.driver == .external, accounting == ServerAccounting()
        {
            return [
                "\(threshold.selector) needs the server's CPU: give stack.pid, pid_file, cgroup or stat"
            ]
        }
        if threshold.metric == .sustainedViewers, scenario.stack.uplink == nil {
            return ["\(threshold.selector) needs stack.uplink, such as 60Mbps"]
        }
        if threshold.metric.isOfEdges || vantages == ["edge"], scenario.stack.edges == nil {
            return ["\(threshold.selector) needs edges: add stack.edges, such as {count: 2}"]
        }
        if [.wanSegmentRatio, .originRequestsPerSegment].contains(threshold.metric),
            scenario.hasPartsThroughEdges
        {
            return [
                "\(threshold.selector) has no figure where stack.hls.part makes viewers fetch parts; "
                    + "take wan_bytes{via:edge}, or give the groups at edges parts: false"
            ]
        }
        if threshold.metric == .fetchSavedMilliseconds, scenario.pairedGroups.isEmpty {
            return [
                "\(threshold.selector) needs two HLS groups, one of them with via: origin, that agree "
                    + "in stream, rendition or algorithm, and link"
            ]
        }
        if threshold.metric.isOfEncoders {
            guard scenario.encodes(threshold.tags, isCompared: false) else {
                return ["\(threshold.selector) needs a stream with a ladder that has it"]
            }
            return !threshold.metric.isOfQuality
                || scenario.encodes(threshold.tags, isCompared: true)
                ? []
                : ["\(threshold.selector) needs the ladder's quality: {frames: 300}"]
        }
        guard tags["stream"] != nil || tags["group"] != nil,
            !scenario.hasFiguresAtTargets(threshold.metric, threshold.tags),
            !scenario.viewers.indices.contains(where: {
                scenario.hasFigures(threshold.metric, threshold.tags, ofGroup: $0)
            })
        else { return [] }
        return [
            "no viewer plays what \(threshold.selector) asks for"
                + (scenario.nearest(to: threshold).map { "; take \($0)" } ?? "")
        ]
    }
}

extension Metric {
    /// Vantage points at which the metric is measured; empty if it has no vantage point.
    var vantages: [String] {
        switch self {
        case .delayMilliseconds: ["viewer", "wire"]
        case .payloadKilobits: ["viewer", "wire", "edge"]
        case .wireKilobits: ["wire", "edge"]
        case .retransmittedBytes, .encoderDelayMilliseconds, .stampsFound: ["wire"]
        case .generatorLagMilliseconds, .serverCPUPercent, .viewerCPUPercent,
            .publisherCPUPercent, .serverRSSBytes, .edgeCPUPercent, .originRequests, .wanBytes,
            .edgeHitRatio, .wanSegmentRatio, .originRequestsPerSegment, .fetchSavedMilliseconds,
            .sustainedViewers, .encoderCPUSeconds, .ssim, .psnrDecibels, .cpuSecondsPerGigabit,
            .viewersPerCore:
            []
        case .uncorrectedDelayMilliseconds, .startupMilliseconds, .framesMissing,
            .framesDuplicate, .joinFailures, .disconnects, .stalls, .stallRatio,
            .meanBitrateKilobits, .liveLatencyMilliseconds, .switches, .fetchMilliseconds:
            ["viewer"]
        }
    }

    /// Tags of the metric's figures, each with its values. An empty list stands for names from the
    /// scenario.
    var tags: [String: [String]] {
        if self == .generatorLagMilliseconds { return ["role": Self.everyTagValue("role")] }
        switch self {
        case .originRequests, .wanBytes:
            return ["kind": Self.everyTagValue("kind"), "via": Self.everyTagValue("via")]
        case .edgeHitRatio: return ["kind": Self.everyTagValue("kind")]
        case .sustainedViewers: return ["via": Self.everyTagValue("via")]
        case .fetchMilliseconds: return ["group": [], "via": Self.everyTagValue("via")]
        default: break
        }
        if isOfEncoders { return ["stream": [], "rendition": []] }
        guard !vantages.isEmpty else { return [:] }
        switch self {
        case .meanBitrateKilobits, .liveLatencyMilliseconds, .switches:
            return ["group": [], "protocol": ["hls"]]
        case .stallRatio, .stalls, .startupMilliseconds, .joinFailures, .disconnects:
            return [
                "stream": [], "rendition": [], "protocol": [], "vantage": vantages, "group": [],
            ]
        default: break
        }
        return ["stream": [], "rendition": [], "protocol": [], "vantage": vantages]
    }

    /// Whether the metric is measured only if there are edges.
    var isOfEdges: Bool {
        switch self {
        case .edgeCPUPercent, .originRequests, .wanBytes, .edgeHitRatio, .wanSegmentRatio,
            .originRequestsPerSegment, .fetchSavedMilliseconds:
            true
        default: false
        }
    }

    /// Returns the values that a tag may have for any metric; empty if the scenario gives them.
    static func everyTagValue(_ tag: String) -> [String] {
        switch tag {
        case "role": ["publishers", "probes", "viewers"]
        case "vantage": ["viewer", "wire", "edge"]
        case "kind": EdgeKind.allCases.map(\.rawValue)
        case "via": ViewerGroup.Via.allCases.map(\.rawValue)
        default: []
        }
    }
}

extension TrialScenario {
    fileprivate func names(ofTag tag: String) -> [String] {
        switch tag {
        case "stream": streams.flatMap(\.names)
        case "rendition": streams.flatMap { $0.renditions.map(\.name) }
        case "group": viewers.indices.filter { viewers[$0].adaptive != nil }.map(String.init)
        case "protocol": ViewerGroup.PlayProtocol.allCases.map(\.rawValue)
        default: []
        }
    }

    /// Returns whether an encoder makes a rendition with these tags.
    ///
    /// - Parameter isCompared: Whether the rendition must also be compared with its source.
    fileprivate func encodes(_ tags: [String: String], isCompared: Bool) -> Bool {
        streams.contains { spec in
            spec.ladder != nil && (!isCompared || spec.ladder?.qualityFrames != nil)
                && spec.names.contains(tags["stream"] ?? spec.names[0])
                && spec.renditions.contains { $0.name == tags["rendition"] ?? $0.name }
        }
    }

    /// Returns whether the viewers of a group give a metric figures with these tags.
    fileprivate func hasFigures(
        _ metric: Metric, _ tags: [String: String], ofGroup index: Int
    ) -> Bool {
        let group = viewers[index]
        guard tags["protocol"] ?? group.playProtocol.rawValue == group.playProtocol.rawValue,
            tags["group"] ?? String(index) == String(index),
            tags["via"] ?? group.via?.rawValue == group.via?.rawValue
        else { return false }
        if group.adaptive != nil, metric.tags["group"] != nil {
            // Adaptive viewers change between renditions.
            return tags["stream"] == nil && tags["rendition"] == nil
        }
        return tags["group"] == nil
            && targets(of: group).contains { target in
                (tags["stream"] ?? target.stream) == target.stream
                    && [tags["rendition"] ?? target.rendition, "all"].contains(target.rendition)
            }
    }

    /// Returns whether the sessions at the targets of a relay give a metric figures with these tags.
    fileprivate func hasFiguresAtTargets(_ metric: Metric, _ tags: [String: String]) -> Bool {
        let push = ViewerGroup.PlayProtocol.rtmpPush.rawValue
        guard relay != nil, metric.vantages.contains("viewer"), tags["group"] == nil,
            tags["vantage"] ?? "viewer" == "viewer", tags["protocol"] ?? push == push,
            metric.tags["stream"] != nil
        else { return false }
        return streams.contains { spec in
            spec.names.contains(tags["stream"] ?? spec.names[0])
                && spec.renditions.contains { $0.name == tags["rendition"] ?? $0.name }
        }
    }

    /// Returns the selector that has figures and shares most tags with a threshold.
    fileprivate func nearest(to threshold: Threshold) -> String? {
        let wanted = threshold.tags
        let metric = threshold.metric
        let choices = viewers.indices.flatMap { index -> [[String: String]] in
            let group = viewers[index]
            if group.adaptive != nil, metric.tags["group"] != nil {
                return [["group": String(index)]]
            }
            let transport = group.playProtocol.rawValue
            return targets(of: group).map {
                ["protocol": transport, "stream": $0.stream, "rendition": $0.rendition]
                    .filter { metric.tags[$0.key] != nil && wanted[$0.key] != nil }
            }
        }
        func shared(_ choice: [String: String]) -> Int {
            choice.count { wanted[$0.key] == $0.value }
        }
        let best = choices.filter { choice in
            viewers.indices.contains { hasFigures(metric, choice, ofGroup: $0) }
        }.max { shared($0) < shared($1) }
        return best.map { tags in
            let words = tags.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }
            return metric.rawValue + (words.isEmpty ? "" : "{\(words.joined(separator: ","))}")
        }
    }
}
