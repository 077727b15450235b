import Foundation
import NetemShell
import SimulationKernel
import Sockets

/// Checks that span several keys of a scenario.
enum ScenarioRules {
    static func check(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        checkStack(scenario, reader: &reader)
        checkStreams(scenario, reader: &reader)
        EncodedLadderRules.check(scenario, reader: &reader)
        checkViewers(scenario, reader: &reader)
        AdaptiveRules.check(scenario, reader: &reader)
        NginxRules.check(scenario, reader: &reader)
        FloorRules.check(scenario, reader: &reader)
        ServerRules.check(scenario, reader: &reader)
        EdgeRules.check(scenario, reader: &reader)
        RelayRules.check(scenario, reader: &reader)
        ThresholdRules.check(scenario, reader: &reader)
    }

    private static func checkTLS(_ stack: StackSettings, reader: inout ScenarioReader) {
        guard let tls = stack.tls else { return }
        if stack.driver != .external {
            reader.report(
                at: "stack.tls", "tls belongs to driver: external; remove it or change the driver")
        }
        guard let authorities = tls.authorities else { return }
        if !tls.verifies {
            reader.report(at: "stack.tls.ca", "with verify: false no authority counts; remove one")
        }
        do {
            _ = try tls.context()
        } catch {
            reader.report(at: "stack.tls.ca", "\(error); give a PEM file, not '\(authorities)'")
        }
    }

    private static func checkStack(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        let stack = scenario.stack
        if stack.driver == .external, stack.url == nil {
            reader.report(at: "stack", "the external driver needs stack.url: rtmp://host:port/app")
        }
        checkTLS(stack, reader: &reader)
        if !(128...65_536).contains(stack.outChunkSize) {
            reader.report(at: "stack.out_chunk_size", "out_chunk_size must be 128B to 65536B")
        }
        if !(16 << 10...1 << 30).contains(stack.queueLimitBytes) {
            reader.report(at: "stack.queue_limit", "queue_limit must be 16KiB to 1GiB")
        }
        for (i, group) in scenario.viewers.enumerated() where group.playProtocol == .httpFLV {
            let place = "viewers[\(i)].protocol"
            if stack.driver == .nginxRTMP {
                reader.report(
                    at: place,
                    "nginx-rtmp plays no HTTP-FLV; use protocol: rtmp or hls, or another driver")
            } else if [.external, .command].contains(stack.driver), stack.httpURL == nil {
                reader.report(
                    at: place,
                    stack.driver == .external
                        ? "http-flv on an external server needs stack.http_url"
                        : "http-flv on a server of driver: command needs stack.http_url, such as "
                            + "http://127.0.0.1:{http_port}/live")
            }
        }
    }

    private static func checkStreams(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        var keys: Set<String> = []
        for (i, stream) in scenario.streams.enumerated() {
            for (j, rendition) in stream.renditions.enumerated() {
                for name in stream.names where !keys.insert("\(name)_\(rendition.name)").inserted {
                    reader.report(
                        at: "streams[\(i)]",
                        "stream key \(name)_\(rendition.name) occurs twice; rename one")
                }
                guard stream.ladder == nil, case .synthetic(let source) = rendition.source else {
                    continue
                }
                check(
                    source, at: "streams[\(i)].renditions[\(j)].source.synthetic",
                    reader: &reader)
            }
        }
    }

    static func check(
        _ source: GeneratedSource, at place: String, reader: inout ScenarioReader
    ) {
        check(source.audioBitrate, of: source.bitrate, at: place, reader: &reader)
        let ticks = source.gop.nanoseconds.multipliedReportingOverflow(
            by: Int64(source.framesPerSecond))
        if ticks.overflow || ticks.partialValue % 1_000_000_000 != 0 {
            reader.report(at: place + ".gop", "gop must be a whole number of frames")
        }
    }

    static func check(
        _ audio: Bitrate, of all: Bitrate, at place: String, reader: inout ScenarioReader
    ) {
        if audio < all { return }
        reader.report(
            at: place + ".audio_bitrate", "audio_bitrate must be below bitrate, which includes it")
    }

    private static func checkViewers(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        let total = scenario.viewers.reduce(0) { $0 + $1.count }
        if total > TrialScenario.maximumViewers {
            reader.report(
                at: "viewers", "\(total) viewers in all; at most \(TrialScenario.maximumViewers)")
        }
        let sessions = scenario.viewers.map { $0.expectedSessions(in: scenario) }
        if sessions.reduce(0, +) > Double(TrialScenario.maximumViewers),
            let most = sessions.indices.max(by: { sessions[$0] < sessions[$1] }),
            scenario.viewers[most].churn != nil
        {
            reader.report(
                at: "viewers[\(most)].churn",
                "churn makes about \(Int(sessions.reduce(0, +))) sessions in all; at most "
                    + "\(TrialScenario.maximumViewers): lengthen mean_watch, shorten the run, or "
                    + "take fewer viewers")
        }
        let names = scenario.streams.flatMap(\.names)
        let renditions = scenario.streams.flatMap { $0.renditions.map(\.name) }
        for (i, group) in scenario.viewers.enumerated() {
            let place = "viewers[\(i)]"
            if let stream = group.stream, !names.contains(stream) {
                let nearest = NameDistance.nearest(to: stream, among: names) ?? names[0]
                reader.report(
                    at: place + ".stream",
                    "no stream is named '\(stream)'; did you mean '\(nearest)'?")
            } else if scenario.targets(of: group).isEmpty {
                let wanted = group.rendition ?? "all"
                let nearest = NameDistance.nearest(to: wanted, among: renditions)
                reader.report(
                    at: place + ".rendition",
                    "no rendition is named '\(wanted)'"
                        + (nearest.map { "; did you mean '\($0)'?" } ?? ""))
            }
            if case .count(let probes) = group.probes, probes > group.count {
                reader.report(at: place + ".probes", "more probes than the group's viewers")
            }
            checkArrival(group, scenario, place: place, reader: &reader)
            checkPackets(group, scenario, place: place, reader: &reader)
        }
    }

    private static func checkPackets(
        _ group: ViewerGroup, _ scenario: TrialScenario, place: String, reader: inout ScenarioReader
    ) {
        guard group.link?.packet != nil else { return }
        if scenario.stack.driver == .external {
            reader.report(
                at: place + ".link",
                "the packet shell needs a server that the run starts (any driver but external); "
                    + "put viewers of an external one behind the socket shell")
        }
        let total = scenario.viewers.reduce(0) { $0 + $1.count }
        if total > ShellNetwork.mostViewers {
            reader.report(
                at: place + ".link",
                "\(total) viewers, but the packet shell has addresses for \(ShellNetwork.mostViewers)"
            )
        }
    }

    private static func checkArrival(
        _ group: ViewerGroup, _ scenario: TrialScenario, place: String, reader: inout ScenarioReader
    ) {
        guard group.churn == nil else { return }
        let seconds = (group.arrival.after + group.arrival.span(of: group.count)).seconds
        if seconds > scenario.warmup.seconds {
            reader.report(
                at: place + ".arrival",
                "the joins take \(Quantity.plain(seconds)) s but warmup is "
                    + "\(Quantity.plain(scenario.warmup.seconds)) s; lengthen warmup, join faster, "
                    + "or set churn")
        }
    }
}

extension ViewerGroup {
    /// Shortest time that a viewer stays.
    static let leastWatch = Duration.milliseconds(100)

    /// Returns how many sessions the group's viewers will have on average.
    func expectedSessions(in scenario: TrialScenario) -> Double {
        guard let churn else { return Double(count) }
        let span = (scenario.warmup + scenario.duration + scenario.drain).seconds
        let (mean, least) = (churn.meanWatch.seconds, Self.leastWatch.seconds)
        // This is the mean of an exponential time that is at least `least`.
        let watch = least + mean * exp(-least / mean)
        return Double(count) * (1 + span / watch)
    }
}

extension TrialScenario {
    /// Returns the streams and renditions that a group's viewers are spread over.
    ///
    /// Adaptive viewers are spread over streams. Their rendition is `all`, or the fixed rendition
    /// that they play.
    func targets(of group: ViewerGroup) -> [(stream: String, rendition: String)] {
        guard group.adaptive == nil else {
            return streams.filter { stream in
                group.rendition.map { name in stream.renditions.contains { $0.name == name } }
                    ?? true
            }.flatMap(\.names).filter { (group.stream ?? $0) == $0 }
                .map { ($0, group.rendition ?? "all") }
        }
        return streams.flatMap { stream in
            stream.names.flatMap { name in stream.renditions.map { (name, $0.name) } }
        }.filter { stream, rendition in
            (group.stream ?? stream) == stream && (group.rendition ?? rendition) == rendition
        }
    }
}
