import ABR
import HLS
import Server
import SimulationKernel

/// Checks of the settings for HLS.
enum AdaptiveRules {
    static func check(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        checkStack(scenario, reader: &reader)
        for (i, group) in scenario.viewers.enumerated() {
            let place = "viewers[\(i)]"
            guard let adaptive = group.adaptive else {
                let keys = ViewerGroup.Adaptive.fields.map(\.key)
                for key in keys where reader.marks["\(place).\(key)"] != nil {
                    reader.report(
                        at: "\(place).\(key)",
                        "'\(key)' is for viewers with protocol: hls, which adapt")
                }
                continue
            }
            checkAlgorithm(adaptive.algorithm, at: place, reader: &reader)
            if adaptive.buffer < (scenario.stack.hls ?? HLSSettings()).segment {
                reader.report(at: place + ".buffer", "the buffer must hold a segment at least")
            }
            if group.rendition != nil, reader.marks[place + ".algorithm"] != nil {
                reader.report(
                    at: place + ".rendition",
                    "a fixed rendition leaves nothing to adapt; give rendition or algorithm")
            }
        }
    }

    private static func checkStack(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        let stack = scenario.stack
        let isForeign = [.external, .command].contains(stack.driver)
        if stack.hls != nil, isForeign {
            reader.report(
                at: "stack.hls",
                stack.driver == .external
                    ? "hls belongs to a stack that the run starts; an external server has hls_url"
                    : "hls belongs to a stack that the run configures; give hls_url, and the "
                        + "server's own settings in command or files")
        }
        if let hls = stack.hls, !isForeign { check(hls, reader: &reader) }
        guard isForeign, scenario.viewers.contains(where: { $0.adaptive != nil })
        else { return }
        if !(stack.hlsURL ?? "").contains("{stream}"),
            scenario.streams.flatMap(\.names).count > 1 || stack.hlsURL == nil
        {
            reader.report(
                at: "stack.hls_url",
                stack.driver == .external
                    ? "HLS viewers of an external server need stack.hls_url, such as "
                        + "http://host/hls/live/{stream}/master.m3u8"
                    : "HLS viewers of driver: command need stack.hls_url, such as "
                        + "http://127.0.0.1:{http_port}/hls/live/{stream}/master.m3u8")
        }
    }

    /// Checks what the packager requires, and that a playlist has room for three segments. With
    /// less room, the playlist would list more than the scenario asks for.
    private static func check(_ hls: HLSSettings, reader: inout ScenarioReader) {
        if let fault = HLSConfiguration(hls).fault {
            let key =
                switch fault.setting {
                case .segment: ".segment"
                case .part: ".part"
                case .window: ".window"
                case .other: ""
                }
            reader.report(at: "stack.hls" + key, fault.words)
        } else if hls.window < hls.segment * 3 {
            let least = Quantity.duration.format(Double((hls.segment * 3).nanoseconds))
            reader.report(
                at: "stack.hls.window",
                "a playlist lists three segments at least: make window \(least) or more")
        }
    }

    private static func checkAlgorithm(
        _ name: String, at place: String, reader: inout ScenarioReader
    ) {
        guard AlgorithmName(parsing: name) == nil else { return }
        let nearest = NameDistance.nearest(to: name, among: AlgorithmName.allNames)
        reader.report(
            at: place + ".algorithm",
            "'\(name)' is no adaptation algorithm"
                + (nearest.map { "; did you mean '\($0)'?" }
                    ?? "; millrace simulate --list names them"))
    }
}

extension HLSConfiguration {
    /// Takes the packager's settings from a scenario.
    package init(_ settings: HLSSettings) {
        self.init()
        container = settings.container == .ts ? .ts : .fmp4
        segmentSeconds = settings.segment.seconds
        partSeconds = settings.part?.seconds
        windowSeconds = settings.window.seconds
    }
}
