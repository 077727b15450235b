import Results
import Scenario

/// The check of the rows that fidelity is computed from. A results directory may come from a
/// stranger, and its numbers become indices, times of a simulation and sizes of segments. So a
/// number that no run writes is an error here, once, and a trap nowhere.
struct FidelityRows {
    /// Longest run in seconds: 31 days.
    private static let longestRun = 2_678_400.0
    /// Times of the encoder in seconds: its clock may be wrong by centuries.
    private static let mediaTimes = -1e10...1e10
    /// Sizes in bytes: 100 GB, which is less than the largest segment of a title.
    private static let sizes = 0...100_000_000_000
    /// Rates in kbit/s, and durations of a segment in seconds, as a title takes them.
    private static let rates = 0.0...1e9
    private static let durations = 0.001...86_400.0
    private static let counts = 0...1_000_000_000
    /// Largest number of renditions of a title.
    private static let mostRenditions = 255

    /// Results directory.
    let path: String
    let plan: Plan

    /// - Throws: `FidelityError` that names the file, the row and the column.
    func check(_ viewers: [ViewerRow], _ segments: [SegmentRow]) throws(FidelityError) {
        for (index, row) in viewers.enumerated() where row.playProtocol == "hls" {
            try check(row, CheckedRow(file: "\(path)/\(ViewerRow.fileName)", index: index))
        }
        for (index, row) in segments.enumerated() where row.viewer != nil {
            try check(row, CheckedRow(file: "\(path)/\(SegmentRow.fileName)", index: index))
        }
    }

    private func check(_ row: ViewerRow, _ checked: CheckedRow) throws(FidelityError) {
        let run = 0.0...Self.longestRun
        try checked.viewer(row.viewer, of: plan)
        try checked.column("group", row.group, plan.adaptive.indices)
        try checked.column("stalled_s", row.stalledSeconds, run)
        try checked.column("switches", row.switches, Self.counts)
        try checked.column("session_s", row.sessionSeconds, run)
        try checked.column("mean_bitrate_kbps", row.meanBitrateKilobits, Self.rates)
        try checked.column("media_epoch_s", row.mediaEpochSeconds, Self.mediaTimes)
        try checked.column("segment_duration_s", row.segmentDurationSeconds, Self.durations)
        try checked.column("target_latency_s", row.targetLatencySeconds, run)
        try checked.column("reload_interval_s", row.reloadIntervalSeconds, run)
        try checked.column("playlist_bytes", row.playlistBytes, Self.sizes)
        try checked.column("head_bytes", row.headBytes, Self.sizes)
        try checked.column("initialization_bytes", row.initializationBytes, Self.sizes)
        try checked.column("player_start_s", row.playerStartSeconds, run)
        let renditions = row.ladder.split(separator: " ").count
        guard renditions <= Self.mostRenditions else {
            throw checked.fault("ladder", "\(renditions) rates", "at most \(Self.mostRenditions)")
        }
    }

    private func check(_ row: SegmentRow, _ checked: CheckedRow) throws(FidelityError) {
        try checked.viewer(row.viewer, of: plan)
        try checked.column("rung", row.rendition, 0..<Self.mostRenditions)
        try checked.column("media_s", row.mediaSeconds, Self.mediaTimes)
        try checked.column("t_s", row.requestedSeconds, -Self.longestRun...Self.longestRun)
        try checked.column("bytes", row.bytes, Self.sizes)
    }
}

/// A row of a results file that is being checked.
private struct CheckedRow {
    let file: String
    /// Index of the row; 0 is the row after the header.
    let index: Int

    /// Checks that the plan has the viewer whose session a row is about.
    func viewer(_ session: Int?, of plan: Plan) throws(FidelityError) {
        guard let session else { return }
        guard session >= 0, plan.viewers.indices.contains(session % Plan.sessionStride) else {
            throw fault(
                "viewer", "\(session)", "one of the scenario's \(plan.viewers.count) viewers")
        }
    }

    /// Checks a number. An empty column passes.
    func column<Limits: RangeExpression>(
        _ name: String, _ value: Limits.Bound?, _ limits: Limits
    ) throws(FidelityError) {
        guard let value, !limits.contains(value) else { return }
        throw fault(name, "\(value)", "\(limits)")
    }

    func fault(_ column: String, _ value: String, _ wanted: String) -> FidelityError {
        FidelityError(
            description:
                "\(file), row \(index + 1): \(column) is \(value); it takes \(wanted), so this is no row that 'millrace run' wrote"
        )
    }
}
