package import ABR
package import Netem
package import Results
package import Scenario
package import SimulationKernel

/// A checked simulation scenario with its traces and titles read.
package struct SimulationScenario: ScenarioFile {
    package var name = ""
    package var description = ""
    package var seed: UInt64 = 1
    package var traces: [NamedInput<LinkTrace>] = []
    package var algorithms: [AlgorithmName] = []
    /// Maximum buffers in milliseconds.
    package var maximumBuffers = [25_000.0]
    /// Presets or files from which titles are made.
    private var ladders = ["edge-ladder"]
    private var title = TitleShape(duration: 600_000, variation: 0)
    package var titles: [Title] = []
    /// Settings of the player, except the maximum buffer.
    package var player = PlayerConfiguration()
    private var live: LiveSettings?
    package var viewers = 1
    package var sharing = SimulationSharing.own
    package var origin: Bitrate?
    /// Time in milliseconds over which arrivals are spread.
    package var arrivalSpread = 0.0
    /// Mean length of a session in milliseconds; nil = until the end of the title.
    package var meanWatch: Double?
    /// Length of a live simulation in milliseconds.
    package var liveDuration = 600_000.0
    package var usesTCP = true
    package var writesSegments = false
    /// Files from which traces and titles were read.
    package var inputs: [Manifest.Input] = []
    package var canonicalYAML = ""

    package init() {}

    package var timeline: LiveTimeline? { live?.timeline }

    package var cells: Int {
        traces.count * algorithms.count * maximumBuffers.count * titles.count
    }

    /// Largest number of viewers over all cells.
    static let maximumSessions = 1_000_000
    /// Largest number of segment requests that a cell records.
    static let maximumSegments = 10_000_000

    package static let fields =
        head(kind: "simulation", description: "What the simulation shows.") + own

    private static let own: [Field<SimulationScenario>] = [
        .section("matrix", isRequired: true, "Every combination of these is a cell.", matrix),
        .section(
            "title", "Titles made from ladders.",
            [
                .standard(
                    "segment_duration", \.title.segmentDuration, .milliseconds(),
                    "Media per segment."),
                .standard(
                    "duration", \.title.duration, .milliseconds(), "Length of the title."),
                .standard(
                    "variation", \.title.variation, .share(),
                    "How far segment sizes stray (VBR); 0% is CBR."),
            ]),
        .section(
            "player", "What all players share.",
            [
                .optional(
                    "start_buffer", \.player.startBuffer, .milliseconds(zero: true),
                    "Playback starts with so much; a segment unless given."),
                .standard(
                    "abandonment", \.player.abandonment, .choice,
                    "Whether downloads are given up; sabre decides anew afterwards."),
            ]),
        .optional("live", \.live, .mapping, "Live instead of VOD."),
        .standard("viewers", \.viewers, .integer(1...100_000), "Viewers of each cell."),
        .standard(
            "sharing", \.sharing, .choice,
            "own: each viewer has the cell's trace as its link; common: one link for all of them."
        ),
        .optional(
            "origin", \.origin, .bitrate(),
            "Limit of the origin or edge above all viewers of a cell."),
        .section("arrivals", "When viewers come and how long they stay.", arrivals),
        .standard(
            "tcp", \.usesTCP, .boolean, "Model TCP's slow start and request round trips."),
        .standard(
            "segments", \.writesSegments, .boolean,
            "Write segments.csv, a row per request."),
    ]

    private static let matrix: [Field<SimulationScenario>] = [
        .required(
            "traces", \.traces, .traces,
            "Files, folders, link profiles such as lte, or constant rates such as 3Mbps."),
        .required(
            "algorithms", \.algorithms, .list(.algorithm),
            "Adaptation algorithms; 'millrace simulate --list' names them."),
        .standard("max_buffers", \.maximumBuffers, .list(.milliseconds()), "Maximum buffers."),
        .standard(
            "ladders", \.ladders, .list(.text(.nonEmpty)),
            "Presets edge-ladder, apple, geometric, or title files (JSON, CSV)."),
    ]

    private static let arrivals: [Field<SimulationScenario>] = [
        .standard(
            "over", \.arrivalSpread, .milliseconds(zero: true),
            "Viewers come at uniformly random times within this."),
        .optional(
            "mean_watch", \.meanWatch, .milliseconds(),
            "Mean of the exponential watch times; to the end unless given."),
        .standard(
            "live_duration", \.liveDuration, .milliseconds(),
            "How long viewers of a live title stay at most."),
    ]

    package mutating func complete(_ root: inout ResolvedObject, _ reader: inout ScenarioReader) {
        player.live = live?.player
        let read = SimulationInputs.titles(ladders, title, reader: &reader)
        titles = read.map(\.value)
        inputs = traces.compactMap(\.input) + read.compactMap(\.input)
        check(&reader)
    }

    /// Reports faults that span several fields.
    private func check(_ reader: inout ScenarioReader) {
        for (index, buffer) in maximumBuffers.enumerated() {
            for title in titles {
                var player = player
                player.maximumBuffer = buffer
                do {
                    try player.check(title)
                } catch {
                    reader.report(at: "matrix.max_buffers[\(index)]", "\(title.name): \(error)")
                }
            }
        }
        if (timeline?.parts ?? 1) > 1, sharing == .common || origin != nil {
            reader.report(
                at: "live.parts",
                "chunks and parts are simulated for viewers with a link of their own and no origin "
                    + "limit; use whole segments here")
        }
        if sharing == .common || origin != nil {
            for trace in traces where (try? trace.value.rateSchedule())?.hasOneDelay == false {
                reader.report(
                    at: "matrix.traces",
                    "\(trace.name): its delay changes; viewers that share a link or an origin limit "
                        + "are simulated with one round trip: give the trace one delay")
            }
        }
        let longest = titles.map(\.segmentCount).max() ?? 0
        if writesSegments, viewers * longest > Self.maximumSegments {
            reader.report(
                at: "segments",
                "a cell would keep \(viewers * longest) segment requests, more than "
                    + "\(Self.maximumSegments); leave it false, or take fewer viewers")
        }
        if cells * viewers > Self.maximumSessions {
            reader.report(
                at: "viewers",
                "\(cells) cells of \(viewers) viewers are more than \(Self.maximumSessions) "
                    + "sessions; make the matrix smaller")
        }
    }
}

extension RateSchedule {
    /// Whether all of the schedule's periods have the same delay.
    fileprivate var hasOneDelay: Bool {
        periods.allSatisfy { $0.delayNanoseconds == periods[0].delayNanoseconds }
    }
}

/// Whether each viewer has a link of its own with the cell's trace, or all viewers share one link.
package enum SimulationSharing: String, CaseIterable, Sendable {
    case own, common
}

/// Settings of live players and titles as a file gives them.
private struct LiveSettings: ScenarioMapping {
    var player = PlayerConfiguration.Live(targetLatency: 0)
    var timeline = LiveTimeline()

    static let fields: [Field<LiveSettings>] = [
        .required(
            "target_latency", \.player.targetLatency, .milliseconds(),
            "Distance from the live edge that players want."),
        .implied(
            "max_latency", \.player.maximumLatency, .milliseconds(),
            "Beyond this players jump to the target."),
        .standard(
            "catch_up", \.player.catchUp,
            .named([
                ("off", .off), ("lol-plus", .sigmoid(maximumChange: 0.5)),
                ("hls-js", .hlsJS(maximumRate: 1.5)), ("media3", .media3),
            ]), "How playback rate follows latency."),
        .standard(
            "delivery", \.timeline.delivery, .choice,
            "Whole segments, CMAF chunks, or LL-HLS parts."),
        .standard(
            "parts", \.timeline.parts, .integer(1...100), "Chunks or parts of a segment."),
        .standard(
            "publish_delay", \.timeline.publishDelay, .milliseconds(zero: true),
            "From a segment's end at the encoder until it can be requested."),
    ]
}
