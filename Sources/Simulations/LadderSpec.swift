import Scenario
import ABR
import Netem

/// The language of ladder problems, version 1: `millrace ladder`.
enum LadderSpec {
    static let root = ObjectSpec(fields: [
        .required("version", .constant(1), "Version of the scenario language."),
        .required("kind", .choice(["ladder"]), "Tells it from a scenario for 'millrace run'."),
        .required("name", .text(.name), "Short name, part of reports."),
        .standard("description", .text(.any), "\"\"", "What is to be chosen."),
        .standard("seed", .integer(0...Int(Int32.max)), "1", "Seed of every random draw."),
        .required(
            "candidates", .list(.object(candidate), minimum: 1),
            "Renditions to choose from, at most \(LadderProblem.maximumCandidates)."),
        .required(
            "population", .list(.object(audience), minimum: 1), "Who watches: links and devices."),
        .required("limits", .object(limits), "What the ladder may cost."),
        .standard("players", .object(players), "{}", "Settings to choose among."),
        .standard("objective", .object(objective), "{}", "What is made large."),
        .standard("title", .object(title), "{}", "What is watched."),
        .standard("viewers", .integer(1...100_000), "24", "Viewers of each seed."),
        .standard(
            "seeds", .integer(1...1000), "8",
            "Draws of viewers and segment sizes to search with; as many others judge."),
        .standard("tcp", .boolean, "true", "Model TCP's slow start and request round trips."),
    ])

    static let candidate = ObjectSpec(fields: [
        .required(
            "bitrate", .quantity(.bitrate, allowsZero: false), "Average bit rate, audio included."),
        .required("height", .integer(16...16_384), "Picture height in pixels."),
        .optional(
            "cpu", .quantity(.cores, allowsZero: true),
            "What its encoder needs; renditions.csv of a run has cpu_s_per_media_s."),
        .optional(
            "quality", .text(.decimal),
            "On any scale of which more is better, such as VMAF; all candidates or none."),
    ])

    static let audience = ObjectSpec(fields: [
        .optional("name", .text(.name), "In reports; link and device unless given."),
        .required("share", .quantity(.share, allowsZero: false), "Of all viewers."),
        .required(
            "link", .text(.nonEmpty),
            "A link profile such as lte, a constant rate such as 3Mbps, or a trace file."),
        .standard(
            "device", .choice(DeviceProfile.allCases.map(\.rawValue)), "pc",
            "Its screen limits which renditions are worth fetching."),
    ])

    static let limits = ObjectSpec(fields: [
        .required(
            "rungs", .integer(1...LadderProblem.maximumCandidates), "Most rungs of the ladder."),
        .optional("cpu", .quantity(.cores, allowsZero: false), "Of all encoders together."),
        .optional(
            "egress", .quantity(.bitrate, allowsZero: false), "Mean per viewer."),
    ])

    static let players = ObjectSpec(fields: [
        .standard(
            "algorithms", .list(.text(.nonEmpty), minimum: 1), "[throughput, bola-e, dynamic]",
            "Adaptation algorithms; 'millrace simulate --list' names them."),
        .standard(
            "max_buffers", .list(.quantity(.duration, allowsZero: false), minimum: 1), "[25s]",
            "Maximum buffers."),
        .standard(
            "device_caps", .list(.choice(["fitted", "none"]), minimum: 1), "[fitted, none]",
            "fitted: no rendition taller than the screen."),
        .standard(
            "abandonment", .choice(["off", "published", "sabre"]), "published",
            "Whether downloads are given up."),
    ])

    static let objective = ObjectSpec(fields: [
        .standard(
            "qoe", .choice(LadderQoE.allCases.map(\.rawValue)), "log",
            "Yin's QoE per segment with Mbit/s, with ln(bit rate), or with the candidates' quality."
        ),
        .standard(
            "statistic", .choice(["mean", "p5", "p10", "p25", "p50"]), "mean",
            "Over viewers: the mean, or a low percentile."),
    ])

    static let title = ObjectSpec(fields: [
        .standard(
            "segment_duration", .quantity(.duration, allowsZero: false), "4s", "Media per segment."),
        .standard(
            "duration", .quantity(.duration, allowsZero: false), "3min", "How long viewers watch."),
        .standard(
            "variation", .quantity(.share, allowsZero: true), "20%",
            "How far segment sizes stray (VBR); 0% is CBR."),
    ])
}
