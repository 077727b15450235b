import Capture
import Foundation
import Publisher
import Server
import SimulationKernel
import Statistics
import TestSupport
import Testing
import Viewer

@testable import Analysis
@testable import Scenario
@testable import Stacks
@testable import Trials

/// Checks encoded ladders in plans and results, without running an encoder.
@Suite struct EncodedLadderTests {
    private static func scenario() throws -> TrialScenario {
        let path = GoodScenarios.path("encoded.yml")
        return try TrialScenario.load(path: path)
    }

    @Test func plan() throws {
        let scenario = try Self.scenario()
        let plan = Plan(scenario)
        #expect(
            plan.publishers.prefix(6).map(\.streamKey) == [
                "cam1", "cam1_hi", "cam1_lo", "cam2", "cam2_hi", "cam2_lo",
            ])
        #expect(plan.publishers.prefix(6).map(\.streamID) == [1, 1, 1, 2, 2, 2])
        #expect(plan.publishers.prefix(3).map(\.isPublished) == [true, false, false])
        #expect(plan.publishers.prefix(3).map(\.sharesEncoder) == [false, true, true])
        // The publishers send three sources and the four renditions that are not encoded.
        let process = try #require(plan.processes.first { $0.role == .publishers })
        #expect(
            process.publishers.map { plan.publishers[$0].streamKey }.prefix(3) == [
                "cam1", "cam2", "show",
            ])
        #expect(process.publishers.count == 7)
        let endpoints = StackEndpoints(
            rtmpHost: "127.0.0.1", rtmpPort: 1, application: "live",
            hlsURL: "http://127.0.0.1:2/hls/live/{stream}/master.m3u8")
        let specs = plan.publishSpecs(process, endpoints)
        #expect(specs[0].url == "rtmp://127.0.0.1:1/live/cam1")
        guard case .file(let path) = specs[0].source else {
            Issue.record("a clip is published from a file")
            return
        }
        #expect(path.hasSuffix(".flv"))
        #expect(specs[0].source == specs[1].source)
        // The index of a fixed rendition in its ladder does not count the source.
        let fixed = plan.processes.filter { $0.role == .hls || $0.role == .hlsProbes }
            .flatMap { plan.hlsSpecs($0, endpoints) }.filter { $0.algorithm.hasPrefix("fixed:") }
        #expect(fixed.map(\.algorithm) == ["fixed:0", "fixed:0"])
        #expect(!plan.viewers.contains { $0.streamKey == "show" })
        let words = scenario.explanation
        #expect(words.contains("encoders: ffmpeg makes 8 renditions"))
        #expect(plan.ingressRate.bitsPerSecond == 2 * 900_000 + 3_000_000 + 4_898_000)
    }

    @Test func serverConfiguration() throws {
        let scenario = try Self.scenario()
        let ladder = try #require(scenario.streams[0].ladder).configuration(source: "live/cam1")
        try ladder.check()
        #expect(ladder.mode == .single && ladder.padsToBitrate && ladder.threads == 1)
        #expect(ladder.renditions.map(\.videoBitsPerSecond) == [200_000, 96_000])
        let preset = try #require(scenario.streams[1].ladder)
        #expect(preset.configuration(source: "live/*") == LadderConfiguration.edgeLadder)
    }

    @Test(arguments: [
        // The columns are: source fps, rendition fps, from, to, seen, kept.
        (30.0, 30.0, 10, 20, 10, 10), (30.0, 60.0, 10, 20, 10, 10), (30.0, 15.0, 10, 20, 11, 5),
        (30.0, 15.0, 10, 21, 12, 6), (30.0, 15.0, 10, 21, 13, 5), (30.02, 15.0, 0, 1800, 0, 900),
        (60.0, 15.0, 5, 6, 9, 1), (60.0, 15.0, 5, 6, 8, 0), (25.0, 20.0, 0, 100, 0, 80),
    ]) func keptFrames(
        source: Double, rendition: Double, from: Int, to: Int, seen: Int, kept: Int
    ) {
        let frames = KeptFrames(source: source, rendition: rendition)
        #expect(frames.count(in: UInt64(from)..<UInt64(to), seen: UInt64(seen)) == kept)
        let unseen = frames.count(in: UInt64(from)..<UInt64(to), seen: nil)
        #expect(abs(unseen - kept) <= 1)
    }

    private func frame(_ number: UInt64, _ arrival: Int64) -> IngressFrame {
        IngressFrame(
            streamID: 1, frameNumber: number, intendedNanoseconds: Int64(number) * 1000,
            arrivalNanoseconds: arrival)
    }

    @Test func stampsAndDelayThroughTheEncoder() {
        let source = (0..<20).map { frame(UInt64($0), Int64($0) * 1000 + 5) }
        // The rendition has every second frame from 5 on; frame 7 occurs twice and 9 is missing.
        let made = [5, 7, 7, 11, 13, 15, 17, 19].map {
            frame(UInt64($0), Int64($0) * 1000 + 3_000_005)
        }
        let frames = EncodedFrames(
            source: source, rendition: made, kept: KeptFrames(source: 30, rendition: 15)
        ) { (4_000..<16_000).contains($0) }
        #expect(frames.expected == 6)
        #expect(frames.found == 5)
        #expect(frames.delay.count == 5)
        #expect(abs((frames.delay.milliseconds(atPercentile: 50) ?? 0) - 3) < 0.1)
        #expect(abs((frames.share ?? 0) - 5 / 6) < 1e-9)
        // Frames that never reached the server are not expected of the encoder.
        let gap = EncodedFrames(
            source: source.filter { !(8..<12).contains($0.frameNumber) }, rendition: made,
            kept: KeptFrames(source: 30, rendition: 15)
        ) { (4_000..<16_000).contains($0) }
        #expect(gap.expected == 4 && gap.found == 4)
        let none = EncodedFrames(source: [], rendition: made, kept: .all) { _ in true }
        #expect(none.share == nil)
    }

    private func status(
        _ state: LadderStatus.State, pid: Int32?, restarts: Int, error: String? = nil
    ) throws -> ServerStatus {
        // The status is JSON, as it arrives over the pipe.
        var rendition =
            "\"name\":\"hi\",\"stream\":\"live/cam_hi\",\"state\":\"\(state.rawValue)\",\"restarts\":\(restarts)"
        if let pid { rendition += ",\"pid\":\(pid)" }
        if let error { rendition += ",\"lastError\":\"\(error)\"" }
        let text = """
            {"version":"1","streams":[],"ladders":[{"source":"live/cam","mode":"per-rendition",
            "renditions":[{\(rendition)}]}],"pushes":[],"usage":[],"leftOutMessages":0,"refused":{}}
            """
        return try JSONDecoder().decode(ServerStatus.self, from: Data(text.utf8))
    }

    @Test func restartsAreTold() throws {
        var watch = EncoderWatch()
        let running = try status(.running, pid: 7, restarts: 0)
        #expect(EncoderWatch.processes(running).map(\.name) == ["encoder-cam_hi"])
        watch.receive(running, seconds: 1, isInWindow: false)
        watch.receive(running, seconds: 2, isInWindow: true)
        #expect(watch.notes == ["encoders: 1 running at the end, 0 restarts"])
        let error = "ffmpeg was killed by signal 9"
        watch.receive(
            try status(.backingOff, pid: nil, restarts: 0, error: error), seconds: 3,
            isInWindow: true)
        watch.receive(
            try status(.running, pid: 8, restarts: 1, error: error), seconds: 4, isInWindow: true)
        #expect(
            watch.notes.prefix(2) == [
                "encoder cam_hi ended: \(error) (seen at 3.0 s, in the steady window)",
                "encoder cam_hi was started again: \(error) (seen at 4.0 s, in the steady window)",
            ])
        watch.receive(
            try status(.failed, pid: nil, restarts: 1, error: error), seconds: 5, isInWindow: false)
        #expect(watch.notes.last == "encoders DEGRADED at the end: cam_hi failed")
        watch.close()
        watch.receive(
            try status(.stopped, pid: nil, restarts: 1, error: error), seconds: 6,
            isInWindow: false)
        #expect(watch.notes.last == "encoders DEGRADED at the end: cam_hi failed")
    }

    @Test func httpBytesGoToRenditions() throws {
        let plan = Plan(try Self.scenario())
        func row(
            _ rendition: String, _ kind: HTTPResourceKind, _ bytes: Int, seconds: Double = 0
        ) -> HTTPTrafficRow {
            var row = HTTPTrafficRow(rendition: rendition, kind: kind)
            (row.wireBytes, row.payloadBytes, row.mediaSeconds) = (bytes + 10, bytes, seconds)
            row.wholePayloadBytes = bytes - 100
            return row
        }
        let all = HTTPRendition.all(
            [
                row("/hls/live/cam1_lo/index.m3u8", .segment, 1000, seconds: 4),
                row("/cam1_lo/", .part, 500, seconds: 2),
                row("/hls/live/cam1_lo/index.m3u8", .playlist, 70),
                row("/hls/live/cam1/master.m3u8", .playlist, 60),
                row("/hls/live/cam1_hi/index.m3u8", .segment, 3000, seconds: 4),
                row(HTTPTrafficRow.unattributed, .other, 33),
                row("/x/y", .segment, 44),
            ], plan)
        #expect(all.map(\.rendition) == ["hi", "lo", HTTPTrafficRow.unattributed, "all"])
        let low = try #require(all.first { $0.rendition == "lo" })
        #expect(low.wholePayloadBytes == 1300)
        #expect(low.mediaSeconds == 6 && low.wireBytes == 1520 && low.otherWireBytes == 80)
        let nobody = try #require(all.first { $0.stream.isEmpty })
        #expect(nobody.payloadBytes + nobody.otherPayloadBytes == 77)
        #expect(all.reduce(0) { $0 + $1.payloadBytes + $1.otherPayloadBytes } == 4707)
    }

    /// The arguments contain each setting, and inputs come before the options of outputs.
    @Test func clips() throws {
        guard case .ffmpeg(let clip) = try #require(try Self.scenario().streams[0].source)
        else {
            Issue.record("the source is a clip")
            return
        }
        let arguments = ClipStore.arguments(clip, target: "x.flv")
        #expect(arguments.last == "x.flv")
        let input = try #require(arguments.firstIndex(of: "-i"))
        #expect(arguments[input - 1] == "lavfi")
        #expect(input < (try #require(arguments.firstIndex(of: "-map"))))
        #expect(arguments.contains("836000"))
        var other = clip
        other.framesPerSecond = 25
        #expect(ClipStore.path(of: clip) != ClipStore.path(of: other))
    }
}
