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
    private func count(_ frameCount: Int, in mark: inout ReadMark) throws {
        for number in 0..<frameCount {
            mark.count(try unit(frames.video(number)))
            mark.count(try unit(frames.audio(number)))
        }
    }

    /// A mark that was chosen after one second of messages.
    private func judged(frames count: Int = 25, isLoaded: Bool = true) throws -> ReadMark {
        var mark = ReadMark()
        try self.count(count, in: &mark)
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
        mark.count(try unit(frames.video(25)))
        #expect(mark.bytes > 1)
        var small = frames
        small.size = 20
        mark.count(try unit(small.video(26)))
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
}
