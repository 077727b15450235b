import Foundation
import Media
import Report
import Results
import SimulationKernel
import Statistics
import Testing

@testable import Analysis
@testable import Publisher
@testable import Scenario
@testable import Viewer

/// Checks the figures of frames that probes received over HLS.
@Suite struct AdaptiveFramesTests {
    private static let second: Int64 = 1_000_000_000
    private static let start: Int64 = 1000 * second

    /// Returns a record of one stream with 10 frames a second, of which 50…249 are in the window,
    /// and of one HLS viewer, which is a probe.
    private static func record(driver: String = "embedded") throws -> TrialRecord {
        let stack =
            driver == "embedded"
            ? ""
            : "stack: {driver: external, url: 'rtmp://h/live', hls_url: 'http://h/{stream}'}"
        let scenario = try TrialScenario.parse(
            """
            version: 1
            name: t
            \(stack)
            streams:
              - {name: live, renditions: [{name: a, source: {synthetic: {fps: 10, bitrate: 800kbps}}}]}
            capture: {enabled: false}
            viewers:
              - {protocol: hls, count: 1}
            thresholds:
              "delay_ms{protocol:hls}": ["p(99)<5000"]
              "frames_missing{protocol:hls}": ["count<=2"]
            """)
        let window = Window(
            startNanoseconds: start + 5 * second, endNanoseconds: start + 25 * second)
        var record = TrialRecord(
            setup: TrialSetup(scenario), plan: Plan(scenario), manifest: Manifest(), window: window,
            startNanoseconds: start)
        var stream = PublishedStreamReport(
            PublishSpec(
                url: "rtmp://h/live/live_a", streamID: 1,
                source: .synthetic(SyntheticSpec(width: 32, height: 32))))
        stream.framesSent = 270
        (stream.windowFirstFrame, stream.windowLastFrame) = (50, 249)
        stream.windowFirstIntendedNanoseconds = start + 5 * second
        stream.windowLastIntendedNanoseconds = start + 5 * second + 199 * second / 10
        record.streams = [stream]
        return record
    }

    private static func probe(
        frames: Int, runs: [HLSRenditionFrames.Run], streamID: UInt32 = 1
    ) -> HLSViewerReport {
        var rendition = HLSRenditionFrames(rendition: 0)
        rendition.streamID = streamID
        rendition.windowFrames = frames
        rendition.runs = runs
        for i in 0..<frames {
            rendition.published.record(nanoseconds: Int64(i % 10) * 100_000_000)
            rendition.delay.record(nanoseconds: Int64(i % 10) * 100_000_000 + 500_000_000)
        }
        var report = HLSViewerReport(index: 0)
        report.askedAtNanoseconds = start
        report.startupNanoseconds = second
        report.bitrates = [800]
        report.renditionNames = ["live_a"]
        var record = HLSSegmentRecord(
            sequence: 3, mediaTime: 0, rendition: 0, requested: 6000, transferTime: 10, bytes: 1000,
            bufferBefore: 0,
            bufferAfter: 0)
        record.timeToFirstByte = 1
        report.segments = [record]
        report.probe = HLSProbeReport(renditions: [rendition])
        return report
    }

    @Test func rowsHopsAndThresholds() throws {
        var record = try Self.record()
        // Three frames of the two runs are missing. The probe requested no frames between the runs.
        record.hls = [
            Self.probe(
                frames: 147,
                runs: [
                    .init(first: 40, last: 99, seen: 50), .init(first: 150, last: 400, seen: 150),
                ])
        ]
        let results = record.results
        let row = try #require(results.renditions.first { $0.playProtocol == "hls" })
        #expect(row.framesExpected == 150 && row.framesReceived == 147)
        #expect(abs((row.delayMaxMilliseconds ?? 0) - 1400) < 2)
        #expect(abs((row.packagerDelayP99Milliseconds ?? 0) - 900) < 2)
        #expect(row.ingestDelayP50Milliseconds == nil && row.encoderDelayP50Milliseconds == nil)
        #expect(results.viewers.first?.probe == 1)
        let hops = Set(results.delay.map { "\($0.vantage) \($0.hop) \($0.playProtocol)" })
        #expect(hops == ["server packager hls", "viewer end-to-end hls"])
        #expect(results.summary.framesMissing == 3)
        #expect(results.summary.thresholds.map(\.passed).sorted { $0 && !$1 } == [true, false])
        #expect(!results.summary.notes.contains { $0.hasPrefix("HLS probes") })
        for text in [SummaryReport(results).text, HTMLReport(results).text] {
            #expect(text.localizedCaseInsensitiveContains("frame delay over HLS"))
        }
    }

    /// Frames at the end of the window that no probe fetched are reported in a note.
    @Test func unfetchedEnd() throws {
        var record = try Self.record()
        record.hls = [Self.probe(frames: 180, runs: [.init(first: 50, last: 229, seen: 50)])]
        var notes = record.results.summary.notes
        #expect(notes.contains { $0.hasPrefix("HLS probes: 20 of the window's last frames") })
        // A probe that left before is not expected to have them.
        record.hls[0].endedAtNanoseconds = Self.start + 23 * Self.second
        notes = record.results.summary.notes
        #expect(!notes.contains { $0.hasPrefix("HLS probes") })
    }

    /// Stamps of another stream give no figures for this one. The packager delay of an external
    /// server is not known, because its clock is not known.
    @Test func whatIsNotKnown() throws {
        var record = try Self.record()
        let run = HLSRenditionFrames.Run(first: 50, last: 249, seen: 50)
        record.hls = [Self.probe(frames: 200, runs: [run], streamID: 9)]
        var results = record.results
        #expect(results.renditions.allSatisfy { $0.delayP50Milliseconds == nil })
        #expect(results.summary.notes.contains { $0.contains("stamps of another stream") })
        record = try Self.record(driver: "external")
        record.hls = [Self.probe(frames: 200, runs: [run])]
        results = record.results
        let row = try #require(results.renditions.first { $0.playProtocol == "hls" })
        #expect(row.delayP50Milliseconds != nil && row.packagerDelayP50Milliseconds == nil)
        #expect(results.summary.notes.contains { $0.contains("no packager delay") })
        #expect(!results.delay.contains { $0.hop == "packager" })
    }
}
