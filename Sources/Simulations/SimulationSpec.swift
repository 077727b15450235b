import Scenario
package /// The language of simulation scenarios, version 1: `millrace simulate`.
    enum SimulationSpec
{
    static let root = ObjectSpec(fields: [
        .required("version", .constant(1), "Version of the scenario language."),
        .required("kind", .choice(["simulation"]), "Tells it from a scenario for 'millrace run'."),
        .required("name", .text(.name), "Short name, part of reports."),
        .standard("description", .text(.any), "\"\"", "What the simulation shows."),
        .standard("seed", .integer(0...Int(Int32.max)), "1", "Seed of every random draw."),
        .required("matrix", .object(matrix), "Every combination of these is a cell."),
        .standard("title", .object(title), "{}", "Titles made from ladders."),
        .standard("player", .object(player), "{}", "What all players share."),
        .optional("live", .object(live), "Live instead of VOD."),
        .standard("viewers", .integer(1...100_000), "1", "Viewers of each cell."),
        .standard(
            "sharing", .choice(SimulationSharing.allCases.map(\.rawValue)), "own",
            "own: each viewer has the cell's trace as its link; common: one link for all of them."),
        .optional(
            "origin", .quantity(.bitrate, allowsZero: false),
            "Limit of the origin or edge above all viewers of a cell."),
        .standard(
            "arrivals", .object(arrivals), "{}", "When viewers come and how long they stay."),
        .standard("tcp", .boolean, "true", "Model TCP's slow start and request round trips."),
        .standard("segments", .boolean, "false", "Write segments.csv, a row per request."),
    ])

    static let matrix = ObjectSpec(fields: [
        .required(
            "traces", .list(.text(.nonEmpty), minimum: 1),
            "Files, folders, link profiles such as lte, or constant rates such as 3Mbps."),
        .required(
            "algorithms", .list(.text(.nonEmpty), minimum: 1),
            "Adaptation algorithms; 'millrace simulate --list' names them."),
        .standard(
            "max_buffers", .list(.quantity(.duration, allowsZero: false), minimum: 1), "[25s]",
            "Maximum buffers."),
        .standard(
            "ladders", .list(.text(.nonEmpty), minimum: 1), "[edge-ladder]",
            "Presets edge-ladder, apple, geometric, or title files (JSON, CSV)."),
    ])

    static let title = ObjectSpec(fields: [
        .standard(
            "segment_duration", .quantity(.duration, allowsZero: false), "4s",
            "Media per segment."),
        .standard(
            "duration", .quantity(.duration, allowsZero: false), "10min", "Length of the title."),
        .standard(
            "variation", .quantity(.share, allowsZero: true), "0%",
            "How far segment sizes stray (VBR); 0% is CBR."),
    ])

    static let player = ObjectSpec(fields: [
        .optional(
            "start_buffer", .quantity(.duration, allowsZero: true),
            "Playback starts with so much; a segment unless given."),
        .standard(
            "abandonment", .choice(["off", "published", "sabre"]), "published",
            "Whether downloads are given up; sabre decides anew afterwards."),
    ])

    static let live = ObjectSpec(fields: [
        .required(
            "target_latency", .quantity(.duration, allowsZero: false),
            "Distance from the live edge that players want."),
        .optional(
            "max_latency", .quantity(.duration, allowsZero: false),
            "Beyond this players jump to the target."),
        .standard(
            "catch_up", .choice(["off", "lol-plus", "hls-js", "media3"]), "off",
            "How playback rate follows latency."),
        .standard(
            "delivery", .choice(["segments", "chunks", "parts"]), "segments",
            "Whole segments, CMAF chunks, or LL-HLS parts."),
        .standard("parts", .integer(1...100), "1", "Chunks or parts of a segment."),
        .standard(
            "publish_delay", .quantity(.duration, allowsZero: true), "0s",
            "From a segment's end at the encoder until it can be requested."),
    ])

    static let arrivals = ObjectSpec(fields: [
        .standard(
            "over", .quantity(.duration, allowsZero: true), "0s",
            "Viewers come at uniformly random times within this."),
        .optional(
            "mean_watch", .quantity(.duration, allowsZero: false),
            "Mean of the exponential watch times; to the end unless given."),
        .standard(
            "live_duration", .quantity(.duration, allowsZero: false), "10min",
            "How long viewers of a live title stay at most."),
    ])
}

/// Whose link the trace of a cell is.
package enum SimulationSharing: String, CaseIterable, Sendable {
    case own, common
}
