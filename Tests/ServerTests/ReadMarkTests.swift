import NIOCore
import RTMP
import Testing

@testable import Server

/// The number of bytes that may wait in a publisher's socket.
@Suite struct ReadMarkTests {
    private let frames = TestFrames()

    private func unit(_ message: Message) throws -> MediaUnit {
        try #require(try MediaUnit(unwritten: message))
    }

    /// Counts a second of messages, each frame of video with one of audio.
    ///
    /// - Parameter lag: Microseconds by which the frames come after their timestamps.
    private func count(_ frameCount: Int, lag: Int64 = 0, in mark: inout ReadMark) throws {
        for number in 0..<frameCount {
            try count(frames.video(number), lag: lag, in: &mark)
            try count(frames.audio(number), lag: lag, in: &mark)
        }
    }

    private func count(_ message: Message, lag: Int64 = 0, in mark: inout ReadMark) throws {
        let now = 1000 * Int64(message.timestamp) + lag
        mark.count(try unit(message), nowMicroseconds: now)
    }

    /// A mark that was chosen after one second of messages.
    private func judged(frames frameCount: Int = 25, isLoaded: Bool = true) throws -> ReadMark {
        var mark = ReadMark()
        try count(frameCount, in: &mark)
        mark.judge(isLoaded: isLoaded)
        return mark
    }

    @Test func `the mark is larger than audio and smaller than video`() throws {
        let audio = frames.audio(0).payload.readableBytes
        let bytes = try judged().bytes
        #expect(bytes > 3 * audio && bytes < frames.size)
        let withoutLoad = try judged(isLoaded: false).bytes
        let withFewFrames = try judged(frames: 10).bytes
        #expect(withoutLoad == 1 && withFewFrames == 1)
    }

    /// Video never waits, so frames that may be smaller than the mark end it.
    @Test func `a small frame gives the mark up for the rest of the second`() throws {
        var mark = try judged()
        try count(frames.video(25), in: &mark)
        #expect(mark.bytes > 1)
        var small = frames
        small.size = 20
        try count(small.video(26), in: &mark)
        #expect(mark.bytes == 1)
    }

    @Test func `a silent publisher loses the mark after two periods`() throws {
        var mark = try judged()
        for _ in 0..<3 {
            mark.noteRead()
            mark.loseIfSilent()
            #expect(mark.bytes > 1)
        }
        mark.loseIfSilent()
        #expect(mark.bytes == 1)
    }

    /// The judgement of each second gives a silent publisher no further period.
    @Test func `a judgement does not lengthen the wait`() throws {
        var mark = try judged()
        mark.noteRead()
        mark.loseIfSilent()
        try count(25, in: &mark)
        mark.judge(isLoaded: true)
        #expect(mark.bytes > 1)
        mark.loseIfSilent()
        #expect(mark.bytes == 1)
    }

    /// A publisher with Nagle's algorithm sends a frame only when the audio before it is
    /// acknowledged.
    @Test func `a publisher whose frames come later with a mark has none for a while`() throws {
        var mark = try judged()
        for pause in [10, 20, 40] {
            #expect(mark.bytes > 1)
            try count(25, lag: 8000, in: &mark)
            mark.judge(isLoaded: true)
            for _ in 0..<pause {
                #expect(mark.bytes == 1)
                try count(25, in: &mark)
                mark.judge(isLoaded: true)
            }
        }
        #expect(mark.bytes > 1)
    }

    @Test func `a publisher may drift`() throws {
        var mark = try judged()
        for second in 1..<100 {
            try count(25, lag: 1000 * Int64(second), in: &mark)
            mark.judge(isLoaded: true)
            #expect(mark.bytes > 1)
        }
    }

    /// The machine stands still for a moment, which delays a few frames by very much.
    @Test func `a few late frames do not matter`() throws {
        var mark = try judged()
        try count(5, lag: 500_000, in: &mark)
        try count(20, in: &mark)
        mark.judge(isLoaded: true)
        #expect(mark.bytes > 1)
    }

    /// A timestamp may be any number.
    @Test func `a wild timestamp does no harm`() throws {
        var mark = ReadMark()
        var wild = frames
        wild.start = .max
        try count(25, in: &mark)
        for number in 0..<25 { try count(wild.video(number), lag: .max / 2, in: &mark) }
        mark.judge(isLoaded: true)
        #expect(mark.bytes > 1)
    }
}
