import Foundation
import Media
import Results
import SimulationKernel
import Statistics
import Testing

@testable import Analysis
@testable import Publisher
@testable import Scenario
@testable import Trials
@testable import Viewer

/// Checks the figures, thresholds and outcome that a trial's reports give.
@Suite struct VerdictTests {
    private static let second: Int64 = 1_000_000_000
    private static let start: Int64 = 1000 * second
    private static let window = Window(
        startNanoseconds: start + 5 * second, endNanoseconds: start + 25 * second)

    /// Returns a record of one stream with 10 frames a second: frame 0 at the start, and 50…249 in
    /// the window.
    private static func record(_ viewers: String, extra: String = "") throws -> TrialRecord {
        let scenario = try TrialScenario.parse(
            """
            version: 1
            name: t
            streams:
              - {name: live, renditions: [{name: a, source: {synthetic: {fps: 10, bitrate: 800kbps}}}]}
            capture: {enabled: false}
            viewers:
            \(viewers)
            \(extra)
            """)
        var record = TrialRecord(
            setup: TrialSetup(scenario), plan: Plan(scenario), manifest: Manifest(), window: window,
            startNanoseconds: start)
        var stream = PublishedStreamReport(
            PublishSpec(
                url: "rtmp://h/live/live_a", streamID: 1,
                source: .synthetic(SyntheticSpec(width: 32, height: 32))))
        stream.framesSent = 270
        stream.windowFrames = 200
        (stream.windowFirstFrame, stream.windowLastFrame) = (50, 249)
        stream.windowFirstIntendedNanoseconds = start + 5 * second
        stream.windowLastIntendedNanoseconds = start + 5 * second + 199 * second / 10
        record.streams = [stream]
        return record
    }

    /// Returns the report of a probe that received every frame from `joined` to `left` except
    /// `lost`; times are seconds from the start.
    private static func probe(
        _ index: Int, joined: Double? = 1, left: Double? = nil, lost: Set<UInt64> = []
    ) -> ProbeViewerReport {
        var report = ProbeViewerReport(index: index, localPort: 4000 + index % 1000)
        report.askedAtNanoseconds = start + Int64((joined ?? 1) * 1e9)
        if let left { report.endedAtNanoseconds = start + Int64(left * 1e9) }
        guard let joined else { return report }
        report.streamID = 1
        report.firstMediaNanoseconds = 1
        report.firstFrameNanoseconds = 1
        report.total.videoMessages = 10
        report.total.payloadBytes = 1
        let first = UInt64((joined * 10).rounded(.up))
        let end = UInt64(((left ?? 27) * 10).rounded(.up))
        let frames = (50..<250).filter { $0 >= first && $0 < end && !lost.contains($0) }
        report.windowFrames = frames.count
        (report.firstWindowFrame, report.lastWindowFrame) = (frames.first, frames.last)
        report.firstDueFrame = first < 50 ? 50 : frames.first
        return report
    }

    private static func load(_ index: Int, from: Double, to: Double?, bytes: Int)
        -> LoadViewerReport
    {
        var window = ViewerCounters()
        window.payloadBytes = bytes
        return LoadViewerReport(
            index: index, localPort: 5000 + index % 1000,
            askedAtNanoseconds: start + Int64(from * 1e9), firstMediaNanoseconds: 0,
            endedAtNanoseconds: to.map { start + Int64($0 * 1e9) }, window: window, total: window,
            failure: nil)
    }

    private static func write(_ record: TrialRecord) throws -> (Summary, RunResults) {
        let results = record.results
        return (results.summary, results)
    }

    private static let noneMissing = "thresholds: {frames_missing: [\"count==0\"]}"

    /// Frames of a planned gap are due to nobody, and a gap hides no loss: neither of a session that
    /// was there, nor of one that came later.
    @Test func gapsHideNoLoss() throws {
        let gap = Set<UInt64>(100..<130)
        var record = try Self.record("  - {count: 3, probes: 3}", extra: Self.noneMissing)
        record.streams[0].windowFramesInGap = 30
        (record.streams[0].windowFirstFrameInGap, record.streams[0].windowLastFrameInGap) =
            (100, 129)
        record.probes = [
            Self.probe(0, lost: gap), Self.probe(1, lost: gap.union([140, 141])),
            Self.probe(2, joined: 15, lost: [170, 171, 172]),
        ]
        let (summary, results) = try Self.write(record)
        #expect(results.renditions.first?.framesExpected == 170 + 170 + 100)
        #expect(results.renditions.first?.framesReceived == 170 + 168 + 97)
        #expect(summary.framesMissing == 5)
        record.probes = [Self.probe(0, lost: gap)]
        #expect(try Self.write(record).0.framesMissing == 0)
    }

    /// A target whose session comes late has missed what was due before.
    @Test func lateTargetsMissFrames() throws {
        var record = try Self.record("  - {count: 1, probes: 1}", extra: Self.noneMissing)
        record.probes = [Self.probe(0, joined: 15)]
        #expect(try Self.write(record).0.framesMissing == 0)
        record.probes[0].pushed = PushedStreamCounts()
        let (summary, results) = try Self.write(record)
        #expect(results.renditions.first?.framesExpected == 200)
        #expect(summary.framesMissing == 100)
    }

    @Test func wholeProbesPass() throws {
        var record = try Self.record("  - {count: 1, probes: 1}", extra: Self.noneMissing)
        record.probes = [Self.probe(0)]
        let (summary, results) = try Self.write(record)
        #expect(summary.outcome == .passed)
        #expect(results.renditions.first?.framesExpected == 200)
        #expect(summary.thresholds.first?.observed == 0)
    }

    /// If the report of a load generator is lost, the trial is void.
    @Test func lostReportIsVoid() throws {
        var record = try Self.record("  - {count: 1, probes: 1}", extra: Self.noneMissing)
        record.probes = [Self.probe(0)]
        record.lost = ["viewers-0: its report is lost: killed by signal 9"]
        let (summary, results) = try Self.write(record)
        #expect(summary.outcome == .void)
        #expect(results.manifest.validity.reasons == record.lost)
        // If the server itself ended, the trial has failed nevertheless.
        record.early = EarlyEnd(outcome: .failed, reason: "the server ended in mid-run")
        let failed = try Self.write(record).0
        #expect(failed.outcome == .failed && failed.earlyEnd == "the server ended in mid-run")
    }

    /// If a process ended without its report, it is not known whether its viewers joined.
    @Test func viewersOfALostReportAreNotKnown() throws {
        var record = try Self.record("  - {count: 2, probes: 1}")
        record.probes = [Self.probe(0)]
        #expect(
            try Self.write(record).0.notes == [
                "1 viewers did not join: 1: nothing was heard of it"
            ])
        record.hasLostReports = true
        #expect(
            try Self.write(record).0.notes == [
                "1 viewers did not join, as far as is known: 1: not known, for its process ended "
                    + "without its last report"
            ])
    }

    /// A server or generator that is stopped in the window makes the trial void. A stop before or
    /// after the window does so only if a threshold failed, because the stop may be the reason. A
    /// stop of the capture or the runner does not.
    @Test(
        arguments: [
            ("server", 8.0, false, Summary.Outcome.void), ("server", 3, false, .passed),
            ("server", 3, true, .void), ("probes", 26, true, .void), ("probes", 26, false, .passed),
            ("capture", 8, false, .passed), ("runner", 8, true, .failed),
        ] as [(String, Double, Bool, Summary.Outcome)])
    func heldParts(role: String, at: Double, misses: Bool, outcome: Summary.Outcome) throws {
        var record = try Self.record("  - {count: 1, probes: 1}", extra: Self.noneMissing)
        record.probes = [Self.probe(0, lost: misses ? [100] : [])]
        let group = AccountedGroup(role: role, processGroup: 7)
        var watch = StopWatch()
        for tenth in 0..<280 where role != ProcessStop.runnerRole || tenth < 80 || tenth > 110 {
            let seconds = Double(tenth) / 10
            let isHeld = role != ProcessStop.runnerRole && seconds >= at && seconds < at + 1
            watch.receive(
                isHeld ? [7: group] : [:], at: Self.start + Int64(tenth) * Self.second / 10)
        }
        record.stops = watch.stops
        let (summary, results) = try Self.write(record)
        #expect(summary.outcome == outcome)
        let told = outcome == .void ? results.manifest.validity.reasons : summary.notes
        #expect(told.contains { $0.contains("stopped") || $0.contains("held up") }, "\(told)")
        // The stop is reported once. If the server itself ended, the trial has failed nevertheless.
        #expect((summary.notes + results.manifest.validity.reasons).count == 1)
        record.early = EarlyEnd(outcome: .failed, reason: "the server ended in mid-run")
        #expect(try Self.write(record).0.outcome == .failed)
    }

    @Test func qualityIsJudged() throws {
        let scenario = try TrialScenario.parse(
            """
            version: 1
            name: t
            streams:
              - name: cam
                source: {synthetic: {bitrate: 3Mbps}}
                ladder: {quality: {frames: 30}}
            viewers: [{count: 1}]
            thresholds:
              "ssim{rendition:240p}": ["value>0.9"]
              "ssim{rendition:720p}": ["value>0.9"]
              psnr_db: ["value>30"]
            """)
        var record = TrialRecord(
            setup: TrialSetup(scenario), plan: Plan(scenario), manifest: Manifest(),
            window: Self.window,
            startNanoseconds: Self.start)
        record.quality["cam_240p"] = RenditionQuality(
            ssim: 0.95, psnrDecibels: 28, frames: 30)
        record.quality["cam_720p"] = RenditionQuality(ssim: 1, psnrDecibels: nil, frames: 30)
        let samples = EncoderFigures(record).samples
        let observed = Dictionary(
            uniqueKeysWithValues: scenario.thresholds.map {
                ($0.selector, $0.evaluate(samples).observed)
            })
        #expect(
            observed == ["ssim{rendition:240p}": 0.95, "ssim{rendition:720p}": 1, "psnr_db": 28])
    }

    @Test func nothingMissesWithoutAProbe() throws {
        var record = try Self.record(
            "  - {count: 1, probes: 0}",
            extra: "thresholds: {frames_missing: [\"count==0\"], stalls: [\"count==0\"]}")
        record.load = [Self.load(0, from: 1, to: nil, bytes: 2_000_000)]
        let (summary, results) = try Self.write(record)
        #expect(summary.outcome == .failed)
        #expect(summary.thresholds.map(\.observed) == [nil, nil])
        #expect(results.renditions.first?.framesExpected == nil)
        #expect(results.renditions.first?.payloadKilobits == 800)
    }

    @Test func probeThatNeverJoinedMissesAll() throws {
        var record = try Self.record("  - {count: 2, probes: 2}", extra: Self.noneMissing)
        record.probes = [Self.probe(0), Self.probe(1, joined: nil)]
        let (summary, _) = try Self.write(record)
        #expect(summary.outcome == .failed)
        #expect(summary.thresholds.first?.observed == 200)
    }

    @Test func nobodyJoinedIsNoPass() throws {
        var record = try Self.record("  - {count: 2, probes: 1}")
        record.probes = [Self.probe(0, joined: nil)]
        let (summary, results) = try Self.write(record)
        #expect(summary.outcome == .void)
        #expect(results.manifest.validity.reasons.first?.contains("no viewer joined") == true)
    }

    /// Viewer 0 has sessions before, across and inside the window; viewer 1 has two sessions that
    /// lose frames.
    @Test func churnExpectsWhatWasSentMeanwhile() throws {
        var record = try Self.record(
            "  - {count: 2, probes: 2, churn: {mean_watch: 5s}}", extra: Self.noneMissing)
        let stride = Plan.sessionStride
        record.plan.viewers[0].watchNanoseconds = [2, 5, 6, 14].map { $0 * Self.second }
        record.plan.viewers[0].joinOffsetNanoseconds = Self.second
        record.plan.viewers[1].watchNanoseconds = [10, 17].map { $0 * Self.second }
        record.plan.viewers[1].joinOffsetNanoseconds = 0
        record.probes = [
            Self.probe(0, joined: 1, left: 3), Self.probe(stride, joined: 3, left: 8),
            Self.probe(2 * stride, joined: 8.05, left: 14), Self.probe(3 * stride, joined: 14),
            Self.probe(1, joined: 0, left: 10, lost: [60, 61]),
            // No frame from 20 s on arrived. They are all missing, because only frames of the
            // session's last second may be under way.
            Self.probe(1 + stride, joined: 10, lost: Set(200..<250)),
        ]
        let (summary, results) = try Self.write(record)
        // Viewer 0 expects 0 + 30 + 59 + 110 frames. Viewer 1 expects 50, of which 2 are missing,
        // and 150, of which 50 are missing.
        #expect(results.renditions.first?.framesExpected == 0 + 30 + 59 + 110 + 50 + 150)
        #expect(summary.framesMissing == 52)
        #expect(results.renditions.first?.viewers == 5)
        let joins = results.viewers.sorted { $0.viewer! < $1.viewer! }.map(\.joinSeconds)
        #expect(joins == [1, 0, 3, 10, 8.05, 14])
    }

    /// If frames of the last second before a viewer leaves are not there, they may be under way. If
    /// more frames are not there, the earlier ones are missing.
    @Test func tailsAreDueAllTheSame() throws {
        var record = try Self.record(
            "  - {count: 1, probes: 1, churn: {mean_watch: 5s}}")
        record.plan.viewers[0].joinOffsetNanoseconds = 0
        record.plan.viewers[0].watchNanoseconds = [15 * Self.second, 20 * Self.second]
        // Frames until 15 s were sent; those from 14 s on may be under way.
        for (lost, missing) in [(145..<150, 0), (140..<150, 0), (120..<150, 20)] {
            record.probes = [
                Self.probe(0, joined: 0, left: 15, lost: Set(lost.map { UInt64($0) }))
            ]
            #expect(try Self.write(record).0.framesMissing == missing, "lost \(lost)")
        }
    }

    @Test func ratesAreOverTheTimeSpent() throws {
        var record = try Self.record(
            "  - {count: 2, probes: 0, churn: {mean_watch: 5s}}")
        // The sessions lie before, across the start of, inside and across the end of the window,
        // where each receives 100 kB/s.
        record.load = [
            Self.load(0, from: 1, to: 4, bytes: 0),
            Self.load(Plan.sessionStride, from: 4, to: 10, bytes: 500_000),
            Self.load(2 * Plan.sessionStride, from: 10, to: 12, bytes: 200_000),
            Self.load(1, from: 20, to: nil, bytes: 500_000),
        ]
        let (_, results) = try Self.write(record)
        let row = try #require(results.renditions.first)
        #expect(row.viewers == 3)
        #expect(row.payloadKilobits == 800)
        #expect(results.viewers.map(\.playSeconds).compactMap(\.self).sorted() == [0, 2, 5, 5])
        #expect(results.viewers.allSatisfy { $0.meanKilobits ?? 800 == 800 })
    }

    @Test func negativeDelaysAreTold() throws {
        var record = try Self.record("  - {count: 1, probes: 1}")
        record.probes = [Self.probe(0)]
        record.probes[0].delay.record(nanoseconds: -5)
        record.probes[0].delay.record(nanoseconds: 5)
        let (summary, results) = try Self.write(record)
        #expect(summary.notes.contains { $0.hasPrefix("1 frames have a delay below zero") })
        #expect(results.delay.first?.negativeCount == 1)
    }

    /// Interim results, which a killed runner leaves behind, hold the intervals measured so far.
    @Test func interimResultsHoldTheIntervals() throws {
        var record = try Self.record("  - {count: 1, probes: 1}")
        var delay = DelayHistogram()
        delay.record(nanoseconds: 2_000_000)
        record.live.probeDelay["live/a/rtmp"] = delay
        record.early = EarlyEnd(outcome: .interrupted, reason: "cut off")
        let results = record.interimResults(at: Self.start)
        #expect(results.summary.outcome == .interrupted)
        #expect(results.delay.first { $0.percentile == 50 }?.delayMilliseconds ?? 0 > 1.9)
    }

    /// Figures of the capture are divided by the time of the session that used the port.
    @Test func portsOfSessionsThatFollowOneAnother() throws {
        let plan = try Plan(
            TrialScenario.parse(
                "version: 1\nname: t\nstreams: [{name: live}]\nviewers: [{count: 2}]"))
        let sessions = [(0, 3.0, 5.0), (1, 6.0, 20.0)].map {
            ViewerSession(Self.load($0.0, from: $0.1, to: $0.2, bytes: 1), plan)
        }
        func seconds(_ played: Double) -> Double? {
            ViewerSession.behind(sessions, at: Self.start + Int64(played * 1e9))?
                .seconds(in: Self.window)
        }
        #expect(seconds(3.001) == 0)
        #expect(seconds(6.001) == 14)
        #expect(ViewerSession.behind([], at: 0) == nil)
    }
}
