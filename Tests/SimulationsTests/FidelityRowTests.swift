import Foundation
import Results
import Testing

@testable import Scenario
@testable import Simulations

/// Rows of a stranger's results directory.
@Suite struct FidelityRowTests {
    /// A number that no run writes, and the column that the error names.
    struct Bad: Sendable, CustomTestStringConvertible {
        var column: String
        var change: @Sendable (inout ViewerRow, inout SegmentRow) -> Void
        var testDescription: String { column }

        init(
            _ column: String,
            _ change: @escaping @Sendable (inout ViewerRow, inout SegmentRow) -> Void
        ) {
            self.column = column
            self.change = change
        }
    }

    static let bad: [Bad] = [
        Bad("viewers.csv, row 2: viewer is -1") { viewer, _ in viewer.viewer = -1 },
        Bad("viewers.csv, row 2: viewer is 999999") { viewer, _ in viewer.viewer = 999_999 },
        Bad("group is 99") { viewer, _ in viewer.group = 99 },
        Bad("stalled_s is nan") { viewer, _ in viewer.stalledSeconds = .nan },
        Bad("session_s is inf") { viewer, _ in viewer.sessionSeconds = .infinity },
        Bad("media_epoch_s is -1e+300") { viewer, _ in viewer.mediaEpochSeconds = -1e300 },
        Bad("segment_duration_s is 0") { viewer, _ in viewer.segmentDurationSeconds = 0 },
        Bad("target_latency_s is 1e+200") { viewer, _ in viewer.targetLatencySeconds = 1e200 },
        Bad("reload_interval_s is -1") { viewer, _ in viewer.reloadIntervalSeconds = -1 },
        Bad("playlist_bytes is") { viewer, _ in viewer.playlistBytes = .max },
        Bad("head_bytes is") { viewer, _ in viewer.headBytes = .max },
        Bad("player_start_s is") { viewer, _ in viewer.playerStartSeconds = 1e18 },
        Bad("ladder is 300 rates") { viewer, _ in
            viewer.ladder = Array(repeating: "1", count: 300).joined(separator: " ")
        },
        Bad("segments.csv, row 1: viewer is") { _, segment in segment.viewer = .min },
        Bad("rung is -1") { _, segment in segment.rendition = -1 },
        Bad("media_s is nan") { _, segment in segment.mediaSeconds = .nan },
        Bad("t_s is 1e+19") { _, segment in segment.requestedSeconds = 1e19 },
        Bad("bytes is -8") { _, segment in segment.bytes = -8 },
    ]

    private static func plan() throws -> Plan {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../scenarios/quickstart.yml").standardizedFileURL.path
        return Plan(try TrialScenario.load(path: path))
    }

    private static func rows() -> (viewer: ViewerRow, segment: SegmentRow) {
        var viewer = ViewerRow()
        viewer.viewer = 0
        viewer.group = 0
        viewer.playProtocol = "hls"
        viewer.ladder = "300 600"
        viewer.stalledSeconds = 0.5
        viewer.sessionSeconds = 20
        viewer.mediaEpochSeconds = -3.2
        viewer.segmentDurationSeconds = 2
        viewer.targetLatencySeconds = 6
        viewer.reloadIntervalSeconds = 2
        viewer.playlistBytes = 900
        viewer.playerStartSeconds = 0.1
        var segment = SegmentRow()
        // A second session of the viewer.
        segment.viewer = Plan.sessionStride
        segment.rendition = 1
        segment.mediaSeconds = -1.2
        segment.requestedSeconds = 0.2
        segment.bytes = 150_000
        return (viewer, segment)
    }

    @Test func rowsOfARun() throws {
        let (viewer, segment) = Self.rows()
        let check = FidelityRows(path: "r", plan: try Self.plan())
        try check.check([viewer], [segment])
        try check.check([ViewerRow()], [SegmentRow()])
    }

    @Test(arguments: bad) func numbersThatNoRunWrites(_ bad: Bad) throws {
        var (viewer, segment) = Self.rows()
        let first = viewer
        bad.change(&viewer, &segment)
        let check = FidelityRows(path: "r", plan: try Self.plan())
        let error = #expect(throws: FidelityError.self) {
            try check.check([first, viewer], [segment])
        }
        #expect(error?.description.contains(bad.column) == true, "\(error?.description ?? "")")
    }
}
