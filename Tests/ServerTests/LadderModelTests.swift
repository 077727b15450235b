import Media
import NIOCore
import Processes
import RTMP
import TestServer
import Testing

@testable import Server

/// Decisions about encoders are tested without any encoder.
@Suite struct LadderModelTests {
    @Test func edgeLadderHasTheTotalsOfThePublishersPreset() throws {
        let ladder = LadderConfiguration.edgeLadder
        try ladder.check()
        #expect(ladder.renditions.map(\.name) == ["720p", "480p", "360p", "240p"])
        #expect(
            ladder.renditions.map { ($0.videoBitsPerSecond + $0.audioBitsPerSecond) / 1000 }
                == [2628, 1128, 878, 264])
        #expect(ladder.renditions.map(\.audioBitsPerSecond) == [128_000, 128_000, 128_000, 64_000])
        #expect(ladder.renditions.map(\.framesPerSecond) == [30, 30, 30, 15])
        #expect(ladder.renditions.map(\.height) == [720, 480, 360, 240])
    }

    @Test(arguments: [
        ("live/demo", "live/demo", true), ("live/demo", "live/demo2", false),
        ("live/*", "live/a", true), ("live/*", "vod/a", false), ("*/a", "x/y/a", true),
        ("live/*_hd", "live/a_hd", true), ("live/*_hd", "live/_h", false),
        ("live/a*b*c", "live/abbc", true), ("live/a*b*c", "live/acb", false),
        ("live/ab*ba", "live/aba", false), ("live/**", "live/", true),
    ])
    func sourcePatterns(pattern: String, name: String, isTaken: Bool) {
        let ladder = LadderConfiguration(source: pattern, renditions: [])
        #expect(ladder.takes(name) == isTaken)
    }

    @Test(arguments: [
        ("720p:1280x720@30:2500+128", "30"), ("a.b-c_1:16x16@30000/1001:10+0", "30000/1001"),
    ])
    func renditionNotation(text: String, rate: String) throws {
        let rendition = try LadderRendition(notation: text)
        #expect(rendition.framesPerSecond.description == rate)
    }

    @Test(arguments: [
        "", "720p", "720p:1280x720:1+1", "720p:1280@30:1000+1", "a b:64x64@30:100+64",
        "a:63x64@30:100+64", "a:64x64@0:100+64", "a:64x64@30/0:100+64", "a:64x64@500:100+64",
        "a:64x64@30:1+64", "a:64x64@30:100+1", "a:64x64@30:9223372036854775807+64",
        "a:64x64@30:100", "a/b:64x64@30:100+64", "a:64x64@1/2/3:100+64",
    ])
    func wrongRenditionsAreExplained(text: String) {
        let error = #expect(throws: LadderConfigurationError.self) {
            try LadderRendition(notation: text)
        }
        #expect(
            error?.description.contains("takes") == true
                || error?.description.contains("have") == true)
    }

    @Test func wrongLaddersAreExplained() {
        func words(_ change: (inout LadderConfiguration) -> Void) -> String? {
            var ladder = LadderConfiguration.edgeLadder
            change(&ladder)
            do {
                try ladder.check()
                return nil
            } catch {
                return error.description
            }
        }
        #expect(words { $0.source = "demo" }?.contains("live/demo") == true)
        #expect(words { $0.renditions = [] }?.contains("1 to 16") == true)
        #expect(words { $0.renditions += $0.renditions }?.contains("two renditions") == true)
        #expect(words { $0.x264Preset = "quick" }?.contains("veryfast") == true)
        #expect(words { $0.threads = 65 }?.contains("0 to 64") == true)
        #expect(words { $0.gopMilliseconds = 1 }?.contains("200 to 60000") == true)
        #expect(words { $0.restarts.firstDelayMilliseconds = 0 }?.contains("10 to") == true)
        #expect(words { $0.restarts.longestDelayMilliseconds = 1 }?.contains("250 to") == true)
    }

    @Test func missingFFmpegSaysHowToInstallIt() async throws {
        var configuration = ServerConfiguration()
        configuration.rtmpPort = 0
        configuration.httpPort = nil
        configuration.ladders = [.edgeLadder]
        configuration.ladders[0].ffmpegPath = "/no/such/ffmpeg"
        let error = await #expect(throws: LadderConfigurationError.self) {
            try await RelayServer.start(configuration, logger: quiet)
        }
        #expect(error?.description.contains("apt-get install ffmpeg") == true)
    }

    @Test func aRestartPolicyOutOfItsRangeIsALadderConfigurationError() {
        var configuration = LadderConfiguration.edgeLadder
        configuration.restarts.limit = 0
        let error = #expect(throws: LadderConfigurationError.self) { try configuration.check() }
        #expect(
            error?.description == "the ladder has 0 restarts in a row; it takes 1 to 1000")
    }

    @Test func anEncoderIsStartedAgainAndGivenUp() {
        var policy = RestartPolicy()
        policy.limit = 2
        var machine = EncoderStateMachine(policy: policy)
        #expect(machine.state == .starting)
        machine.launched(pid: 7, atMilliseconds: 0)
        for line in ["frame=0", "progress=continue"] { machine.reported(line, atMilliseconds: 10) }
        #expect(machine.state == .starting)
        for line in ["frame=3", "speed=1.5x", "progress=continue"] {
            machine.reported(line, atMilliseconds: 20)
        }
        #expect(machine.state == .running)
        #expect(machine.progress.speed == 1.5)
        #expect(!machine.isStalled(forMilliseconds: 100, atMilliseconds: 120))
        #expect(machine.isStalled(forMilliseconds: 100, atMilliseconds: 121))
        var next = machine.ended("a", atMilliseconds: 30, jitter: 0)
        #expect(next == .restart(afterMilliseconds: 250))
        #expect(machine.state == .backingOff)
        #expect(machine.pid == nil)
        #expect(!machine.isStalled(forMilliseconds: 1, atMilliseconds: 9_999))
        // A long run begins a new row of failures.
        machine.launched(pid: 8, atMilliseconds: 1_000)
        #expect(machine.restarts == 1)
        next = machine.ended("b", atMilliseconds: 20_000, jitter: 0)
        #expect(next == .restart(afterMilliseconds: 250))
        next = machine.ended("c", atMilliseconds: 20_001, jitter: 0)
        #expect(next == .restart(afterMilliseconds: 500))
        next = machine.ended("d", atMilliseconds: 20_002, jitter: 0)
        #expect(next == .finish)
        #expect(machine.state == .failed)
        #expect(machine.lastError == "d")
        machine.stop()
        #expect(machine.state == .failed)
    }

    @Test func whatIsToldToEndIsNotStartedAgain() {
        var machine = EncoderStateMachine(policy: .init())
        machine.stop()
        machine.launched(pid: 7, atMilliseconds: 0)
        #expect(machine.state == .stopping)
        var next = machine.ended("x", atMilliseconds: 1, jitter: 0)
        #expect(next == .finish)
        #expect(machine.state == .stopped)
        #expect(machine.lastError == nil)
        var permanent = EncoderStateMachine(policy: .init())
        next = permanent.ended("x", isPermanent: true, atMilliseconds: 0, jitter: 0)
        #expect(next == .finish)
        #expect(permanent.state == .failed)
        var waiting = EncoderStateMachine(policy: .init())
        _ = waiting.ended("x", atMilliseconds: 0, jitter: 0)
        waiting.stop()
        #expect(waiting.state == .stopped)
    }

    @Test func errorsAreBounded() {
        let tail = ErrorTail()
        #expect(tail.lastLine == nil)
        tail.receive(Array("first\nsecond\n \n".utf8)[...])
        #expect(tail.lastLine == "second")
        for _ in 0..<100 { tail.receive(ArraySlice(repeating: 0x41, count: 1000)) }
        #expect(tail.lastLine == "second")
        tail.receive([0x0D])
        #expect(tail.lastLine?.utf8.count == ErrorTail.lineLimit)
    }

    /// An encoder that was started again sends the end of the earlier output again.
    @Test func aResumedEncoderOverlapsNothing() throws {
        let frames = TestFrames(gop: 5)
        var timeline = ResumedTimeline(after: 400)
        func admits(_ message: Message) throws -> Bool {
            timeline.admits(try #require(try MediaUnit(message, writer: ChunkWriter())))
        }
        for header in frames.headers { #expect(try admits(header)) }
        // Frames are 40 ms apart: 10 is the last one sent, 15 the next key frame.
        for number in 5...10 {
            #expect(try !admits(frames.video(number)))
            #expect(try !admits(frames.audio(number)))
        }
        for number in 11...14 {
            #expect(try !admits(frames.video(number)))
            #expect(try admits(frames.audio(number)))
        }
        for number in 15...20 { #expect(try admits(frames.video(number))) }
    }

    @Test func aSourceThatBeganAnewIsNotWaitedFor() throws {
        let frames = TestFrames(gop: 5)
        var timeline = ResumedTimeline(after: 4_000_000)
        let key = try #require(try MediaUnit(frames.video(0), writer: ChunkWriter()))
        let isAdmitted = timeline.admits(key)
        #expect(isAdmitted)
    }

    @Test func renditionsKeepTheSourcesName() {
        let split = StreamName.split("a/b/c")
        #expect(split.application == "a/b")
        #expect(split.key == "c")
        #expect(LadderController.reachable("0.0.0.0") == "127.0.0.1")
        #expect(LadderController.reachable("::1") == "[::1]")
    }
}
