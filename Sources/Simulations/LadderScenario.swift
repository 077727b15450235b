package import ABR
import Netem
package import Results
package import Scenario
import SimulationKernel

/// A checked ladder problem.
package struct LadderScenario: ScenarioFile {
    package var name = ""
    package var description = ""
    package var seed: UInt64 {
        get { problem.seed }
        set { problem.seed = newValue }
    }
    package var problem = LadderProblem(
        candidates: [], audiences: [], settings: [], maximumRungs: 0)
    private var population: [Audience] = []
    private var algorithms: [AlgorithmName] = [.throughput, .bolaE, .dynamic]
    /// Maximum buffers in milliseconds.
    private var maximumBuffers = [25_000.0]
    /// Whether players leave out renditions that are taller than their screens.
    private var deviceCaps = [true, false]
    private var title = TitleShape(duration: 180_000, variation: 0.2)
    /// Trace files that the scenario was read from.
    package var inputs: [Manifest.Input] { population.compactMap(\.link?.input) }
    package var canonicalYAML = ""

    package init() {}

    /// Largest number of segments over all seeds. Each seed has its own title.
    static let maximumSegments = 10_000_000

    package static let fields = head(kind: "ladder", description: "What is to be chosen.") + own

    private static let own: [Field<LadderScenario>] = [
        .required(
            "candidates", \.problem.candidates, .list(.mapping),
            "Renditions to choose from, at most \(LadderProblem.maximumCandidates)."),
        .required(
            "population", \.population, .list(.mapping), "Who watches: links and devices."),
        .section("limits", isRequired: true, "What the ladder may cost.", limits),
        .section("players", "Settings to choose among.", players),
        .section("objective", "What is made large.", objective),
        .section("title", "What is watched.", titleFields),
        .standard(
            "viewers", \.problem.viewers, .integer(1...100_000), "Viewers of each seed."),
        .standard(
            "seeds", \.problem.seeds, .integer(1...1000),
            "Draws of viewers and segment sizes to search with; as many others judge."),
        .standard(
            "tcp", \.problem.tcp,
            .boolean.map({ .some($0 ? TCPModel() : nil) }, back: { $0 != nil }),
            "Model TCP's slow start and request round trips."),
    ]

    private static let limits: [Field<LadderScenario>] = [
        .required(
            "rungs", \.problem.maximumRungs, .integer(1...LadderProblem.maximumCandidates),
            "Most rungs of the ladder."),
        .implied(
            "cpu", \.problem.maximumCores, .quantity(.cores), "Of all encoders together."),
        .implied("egress", \.problem.maximumEgress, .kilobits, "Mean per viewer."),
    ]

    private static let players: [Field<LadderScenario>] = [
        .standard(
            "algorithms", \.algorithms, .list(.algorithm),
            "Adaptation algorithms; 'millrace simulate --list' names them."),
        .standard("max_buffers", \.maximumBuffers, .list(.milliseconds()), "Maximum buffers."),
        .standard(
            "device_caps", \.deviceCaps, .list(.named([("fitted", true), ("none", false)])),
            "fitted: no rendition taller than the screen."),
        .standard(
            "abandonment", \.problem.player.abandonment, .choice,
            "Whether downloads are given up."),
    ]

    private static let objective: [Field<LadderScenario>] = [
        .standard(
            "qoe", \.problem.qoe, .choice,
            "Yin's QoE per segment with Mbit/s, with ln(bit rate), or with the candidates' quality."
        ),
        .standard(
            "statistic", \.problem.statistic,
            .named(
                [("mean", .mean)] + [5, 10, 25, 50].map { ("p\($0)", .percentile(Double($0))) }),
            "Over viewers: the mean, or a low percentile."),
    ]

    private static let titleFields: [Field<LadderScenario>] = [
        .standard(
            "segment_duration", \.title.segmentDuration, .milliseconds(), "Media per segment."),
        .standard("duration", \.title.duration, .milliseconds(), "How long viewers watch."),
        .standard(
            "variation", \.title.variation, .share(),
            "How far segment sizes stray (VBR); 0% is CBR."),
    ]

    package mutating func complete(_ root: inout ResolvedObject, _ reader: inout ScenarioReader) {
        problem.audiences = population.compactMap(\.audience)
        problem.settings = deviceCaps.flatMap { cap in
            maximumBuffers.flatMap { buffer in
                algorithms.map {
                    LadderSetting(algorithm: $0, maximumBuffer: buffer, fitsDevice: cap)
                }
            }
        }
        problem.segmentDuration = title.segmentDuration
        problem.segmentCount = title.segmentCount
        problem.variation = title.variation
        check(&reader)
        guard reader.diagnostics.isEmpty else { return }
        do {
            try problem.check()
        } catch {
            reader.report(at: "candidates", "\(error)")
        }
    }

    private func check(_ reader: inout ScenarioReader) {
        for (index, setting) in problem.settings.enumerated()
        where setting.maximumBuffer < problem.segmentDuration {
            reader.report(
                at: "players.max_buffers",
                "setting \(index) has a buffer of \(setting.maximumBuffer / 1000) s, less than a "
                    + "segment of \(problem.segmentDuration / 1000) s; give it at least one")
            break
        }
        if problem.segmentDuration < 1 {
            reader.report(at: "title.segment_duration", "is shorter than 1ms; take longer segments")
        }
        let (segments, viewers) = (
            problem.segmentCount.multipliedReportingOverflow(by: problem.seeds),
            problem.viewers.multipliedReportingOverflow(by: problem.seeds)
        )
        if segments.overflow || segments.partialValue > Self.maximumSegments {
            reader.report(
                at: "title.duration",
                "\(problem.seeds) seeds of \(problem.segmentCount) segments are more than "
                    + "\(Self.maximumSegments); take a shorter title, longer segments or fewer seeds"
            )
        }
        if viewers.overflow || viewers.partialValue > SimulationScenario.maximumSessions {
            reader.report(
                at: "viewers",
                "\(problem.seeds) seeds of \(problem.viewers) viewers are more than "
                    + "\(SimulationScenario.maximumSessions); take fewer")
        }
        if problem.viewers < problem.audiences.count {
            reader.report(
                at: "viewers",
                "\(problem.viewers) viewers are fewer than the \(problem.audiences.count) "
                    + "audiences; give each at least one")
        }
    }
}

extension LadderCandidate: ScenarioMapping {
    package init() { self.init(bitrate: 0, height: 0) }

    package static let fields: [Field<LadderCandidate>] = [
        .required("bitrate", \.bitrate, .kilobits, "Average bit rate, audio included."),
        .required("height", \.height, .integer(16...16_384), "Picture height in pixels."),
        .implied(
            "cpu", \.cores, .quantity(.cores, zero: true),
            "What its encoder needs; renditions.csv of a run has cpu_s_per_media_s."),
        .optional(
            "quality", \.quality, .text(.decimal).map { Double($0) },
            "On any scale of which more is better, such as VMAF; all candidates or none."),
    ]
}

/// A part of the viewers as a file gives it.
private struct Audience: ScenarioMapping {
    var name: String?
    var share = 0.0
    /// Link of these viewers; nil if the link could not be read, which is reported.
    var link: NamedInput<LinkTrace>?
    var device = DeviceProfile.pc

    static let fields: [Field<Audience>] = [
        .optional(
            "name", \.name, .text(.name), "In reports; link and device unless given."),
        .required("share", \.share, .share(zero: false), "Of all viewers."),
        .required(
            "link", \.link,
            .text(.nonEmpty).reading { text, reader -> NamedInput<LinkTrace>? in
                try TraceInput.trace(named: text, seed: reader.seed, folder: reader.folder)
            },
            "A link profile such as lte, a constant rate such as 3Mbps, or a trace file."),
        .standard(
            "device", \.device, .choice,
            "Its screen limits which renditions are worth fetching."),
    ]

    var audience: LadderAudience? {
        link.map {
            LadderAudience(
                name: name ?? "\($0.name)/\(device.rawValue)", share: share, link: $0.value,
                screenHeight: device.maximumHeight)
        }
    }
}
