import SimulationKernel

/// Checks of what the floor sender can do. It sends generated streams over RTMP, and nothing else.
enum FloorRules {
    static func check(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        guard scenario.stack.driver == .floor else { return }
        for (i, group) in scenario.viewers.enumerated() where group.playProtocol != .rtmp {
            reader.report(
                at: "viewers[\(i)].protocol",
                "the floor sender plays RTMP only; take protocol: rtmp, or another driver")
        }
        if scenario.stack.hls != nil {
            reader.report(
                at: "stack.hls",
                "the floor sender packages no HLS; remove hls, or take driver: embedded")
        }
        if let interval = scenario.stack.flushInterval {
            check(interval, drain: scenario.drain, reader: &reader)
        }
        for (i, stream) in scenario.streams.enumerated() {
            guard stream.ladder == nil else {
                reader.report(
                    at: "streams[\(i)].ladder",
                    "the floor sender encodes nothing; publish renditions as they are, or take "
                        + "driver: embedded")
                continue
            }
            for (j, rendition) in stream.renditions.enumerated() {
                if case .synthetic = rendition.source { continue }
                reader.report(
                    at: "streams[\(i)].renditions[\(j)].source",
                    "the floor sender makes its frames itself; take a synthetic source")
            }
        }
    }

    /// Frames that come after the drain would count as missing.
    private static func check(
        _ interval: Duration, drain: Duration, reader: inout ScenarioReader
    ) {
        if interval > .seconds(10) {
            reader.report(
                at: "stack.flush_interval",
                "the floor sender keeps frames for 10s at most; take 10s or less")
        } else if interval > .zero, interval >= drain {
            reader.report(
                at: "stack.flush_interval",
                "the floor sender would send the last frames of the window after the drain of "
                    + "\(Quantity.plain(drain.seconds)) s; lengthen drain, or take a shorter "
                    + "interval")
        }
    }
}
