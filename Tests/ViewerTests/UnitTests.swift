import HTTPWire
import Media
import NIOCore
import SimulationKernel
import Statistics
import Testing

@testable import Viewer

@Suite struct FrameNumberSetTests {
    /// Every sequence of five numbers out of six, against a plain set.
    @Test func smallWorld() {
        for base in [0, 4090, UInt64.max - 6] as [UInt64] {
            for code in 0..<7776 {
                var set = FrameNumberSet()
                var known: Set<UInt64> = []
                var rest = code
                for _ in 0..<5 {
                    let number = base + UInt64(rest % 6)
                    rest /= 6
                    let isNew = known.insert(number).inserted
                    let inserted = set.insert(number)
                    #expect(inserted == isNew)
                }
            }
        }
    }

    @Test func jumpsAndOldNumbers() {
        var set = FrameNumberSet()
        for (number, isNew, why) in [
            (10, true, "first"), (10 + 4095, true, "a jump"), (10, false, "still remembered"),
            (11, true, "passed over, not received"), (10 + 4096, true, "next"),
            (10, false, "older than what is kept counts as come"), (1_000_000, true, "far away"),
            (999_999, true, "just before"), (999_999, false, "again"),
        ] as [(UInt64, Bool, Comment)] {
            let inserted = set.insert(number)
            #expect(inserted == isNew, why)
        }
    }

    @Test func randomAgainstASet() {
        var random = SeededGenerator(seed: 5)
        var set = FrameNumberSet()
        var known: Set<UInt64> = []
        var next: UInt64 = 0
        for _ in 0..<20_000 {
            next += UInt64.random(in: 0...3, using: &random)
            let number = next - min(next, UInt64.random(in: 0...50, using: &random))
            let isNew = known.insert(number).inserted
            let inserted = set.insert(number)
            #expect(inserted == isNew)
        }
    }
}

@Suite struct PlayoutBufferTests {
    private static let ms: Int64 = 1_000_000

    @Test func startsStallsAndGoesOn() {
        var buffer = PlayoutBuffer(targetMilliseconds: 100, now: 0)
        buffer.receive(timestampMilliseconds: 0, now: 50 * Self.ms)
        buffer.receive(timestampMilliseconds: 80, now: 60 * Self.ms)
        #expect(buffer.startupNanoseconds == nil)
        buffer.receive(timestampMilliseconds: 120, now: 70 * Self.ms)
        #expect(buffer.startupNanoseconds == 70 * Self.ms)
        // Dry at 70 + 120 = 190; enough again at 250, so 60 ms of stall.
        buffer.receive(timestampMilliseconds: 160, now: 230 * Self.ms)
        buffer.receive(timestampMilliseconds: 220, now: 250 * Self.ms)
        #expect(buffer.stallCount == 1)
        #expect(buffer.stallNanoseconds == 60 * Self.ms)
        buffer.finish(now: 300 * Self.ms)
        #expect(buffer.playedNanoseconds == (120 + 50) * Self.ms)
    }

    /// Every arrival pattern of five frames of 40 ms, each 0…3 steps of 30 ms after the last:
    /// start-up, playing and stalls make up the session.
    @Test(arguments: [0, 40, 80, 500]) func smallWorld(target: Int) {
        for code in 0..<1024 {
            var buffer = PlayoutBuffer(targetMilliseconds: target, now: 7)
            var rest = code
            var now: Int64 = 7
            for frame in 0..<5 {
                now += Int64(rest % 4) * 30 * Self.ms
                rest /= 4
                buffer.receive(timestampMilliseconds: Int64(frame) * 40, now: now)
            }
            let end = now + 100 * Self.ms
            buffer.finish(now: end)
            let startup = buffer.startupNanoseconds ?? end - 7
            #expect(
                startup + buffer.playedNanoseconds + buffer.stallNanoseconds == end - 7,
                "pattern \(code), target \(target)")
            #expect(buffer.playedNanoseconds <= 160 * Self.ms)
        }
    }
}

@Suite struct ProbeAccountTests {
    private let spec = ViewerSpec(index: 3, transport: .rtmp, url: "rtmp://h/live/a")

    private func frame(_ number: UInt64, intended: Int64, late: UInt32 = 0) throws -> ByteBuffer {
        var source = try SyntheticSource(
            spec: SyntheticSpec(
                width: 32, height: 32, totalBitrate: Bitrate(kilobitsPerSecond: 100)))
        let next = source.next()
        var frame = try #require(next)
        frame.stamp(
            FrameStamp(
                streamID: 9, frameNumber: number, intendedNanoseconds: intended,
                latenessMicroseconds: late), nalUnitLengthSize: source.nalUnitLengthSize)
        return frame.payload
    }

    @Test func joinBurstWindowDuplicatesAndGaps() throws {
        var account = ProbeAccount(spec, askedAt: 1000, frameLimit: 2)
        account.window = Window(startNanoseconds: 2000, endNanoseconds: 9000)
        func receive(_ number: UInt64, _ intended: Int64, at now: Int64) throws -> Int64? {
            let payload = try frame(number, intended: intended, late: 0)
            account.receive(bytes: payload.readableBytes + 12, now: now)
            return account.receive(
                isVideo: true, timestamp: UInt32(number * 40), payload: payload, now: now)
        }
        #expect(try receive(1, 500, at: 1500) == nil, "sent before it asked: join burst")
        #expect(try receive(2, 1000, at: 1501) == nil, "before the window")
        #expect(try receive(3, 2000, at: 2500) == 500)
        #expect(try receive(4, 3000, at: 3100) == 100)
        #expect(try receive(4, 3000, at: 3200) == nil, "a duplicate")
        #expect(try receive(7, 6000, at: 9500) == 3500, "meant for the window, came after it")
        #expect(try receive(8, 9000, at: 9600) == nil, "after the window")
        let report = account.finish(now: 10_000)
        #expect(report.streamID == 9)
        #expect(report.joinBurstFrames == 1)
        #expect(report.windowFrames == 3)
        #expect(report.firstWindowFrame == 3)
        #expect(report.lastWindowFrame == 7)
        #expect(report.missingFrames == 2)
        #expect(report.duplicateFrames == 1)
        #expect(report.delay.count == 3)
        #expect(report.frames.map(\.frameNumber) == [3, 4], "no more than the limit")
        #expect(report.firstFrameNanoseconds == 500)
        #expect(report.total.videoMessages == 7)
        #expect(report.window.videoMessages == 3, "messages that came in the window")
        #expect(report.failure == nil)
    }

    /// Timestamps wrap at 2^32 ms: media that goes on is no stall.
    @Test func timestampsWrap() throws {
        var account = ProbeAccount(spec, askedAt: 0, frameLimit: 0)
        let second: Int64 = 1_000_000_000
        for i in 0..<10 {
            let payload = try frame(UInt64(i), intended: Int64(i) * second)
            _ = account.receive(
                isVideo: true, timestamp: UInt32.max - 4500 &+ UInt32(i) * 1000, payload: payload,
                now: Int64(i) * second)
        }
        let report = account.finish(now: 9 * second)
        #expect(report.stallCount == 0)
        #expect(report.startupNanoseconds == second)
        #expect(report.playedNanoseconds == 8 * second)
    }

    /// Numbers come from the network; whatever they are, nothing overflows.
    @Test(arguments: [
        [0, 1 << 63], [0, UInt64.max], [UInt64.max, 0], [UInt64.max, UInt64.max - 1], [1 << 63, 5],
    ]) func hostileStamps(numbers: [UInt64]) throws {
        for intended in [5, 2000, Int64.max] {
            var account = ProbeAccount(spec, askedAt: 5, frameLimit: 2)
            account.window = Window(startNanoseconds: 1000, endNanoseconds: 9000)
            for number in numbers {
                _ = account.receive(
                    isVideo: true, timestamp: 0, payload: try frame(number, intended: intended),
                    now: 3000)
            }
            #expect(account.finish(now: 10_000).missingFrames >= 0)
        }
    }

    /// What was due begins behind the last frame from before the window, or from before it asked.
    @Test func firstDueFrame() throws {
        func due(_ frames: [(UInt64, Int64)]) throws -> UInt64? {
            var account = ProbeAccount(spec, askedAt: 1000, frameLimit: 0)
            account.window = Window(startNanoseconds: 2000, endNanoseconds: 9000)
            for (number, intended) in frames {
                _ = account.receive(
                    isVideo: true, timestamp: 0, payload: try frame(number, intended: intended),
                    now: 9500)
            }
            return account.finish(now: 9999).firstDueFrame
        }
        #expect(try due([]) == nil)
        #expect(try due([(7, 3000), (8, 4000)]) == 7)
        #expect(try due([(3, 500), (7, 3000)]) == 4)
        #expect(try due([(3, 500), (4, 1500), (9, 3000)]) == 5)
        #expect(try due([(3, 500)]) == 4)
    }

    @Test func aSessionBeforeTheWindowCountsNothingInIt() throws {
        var account = ProbeAccount(spec, askedAt: 0, frameLimit: 0)
        account.window = Window(startNanoseconds: 5000, endNanoseconds: 9000)
        account.receive(bytes: 100, now: 1000)
        account.end(now: 2000)
        let report = account.finish(now: 2000)
        #expect(report.window.receivedBytes == 0)
        #expect(report.total.receivedBytes == 100)
        #expect(report.endedAtNanoseconds == 2000)
    }

    @Test func uncorrectedDelayLeavesTheSendersLatenessOut() throws {
        var account = ProbeAccount(spec, askedAt: 0, frameLimit: 10)
        let payload = try frame(0, intended: 1_000_000, late: 300)
        let delay = account.receive(
            isVideo: true, timestamp: 0, payload: payload, now: 2_000_000)
        #expect(delay == 1_000_000)
        let report = account.finish(now: 3_000_000)
        #expect(report.delay.maximumMilliseconds == 1.0)
        #expect(report.uncorrectedDelay.maximumMilliseconds == 0.7)
    }
}

@Suite struct FLVTagCounterTests {
    private static func response() -> (bytes: [UInt8], video: [Int], audio: [Int]) {
        var body = FLVWriter.fileHeader(hasAudio: true, hasVideo: true)
        let video = [0, 1, 20, 300]
        let audio = [5, 7]
        for size in video {
            FLVWriter.write(
                tag: FLVTag(
                    type: .video, timestamp: 1, payload: ByteBuffer(repeating: 1, count: size)),
                into: &body)
        }
        for size in audio {
            FLVWriter.write(
                tag: FLVTag(
                    type: .audio, timestamp: 2, payload: ByteBuffer(repeating: 1, count: size)),
                into: &body)
            FLVWriter.write(
                tag: FLVTag(
                    type: .script, timestamp: 2, payload: ByteBuffer(repeating: 1, count: 9)),
                into: &body)
        }
        return (Array(body.readableBytesView), video, audio)
    }

    /// Fed in two portions, cut at every place, and byte by byte.
    @Test func everySplit() throws {
        let (bytes, video, audio) = Self.response()
        func check(_ portions: [ArraySlice<UInt8>], _ what: Comment) throws {
            var counter = FLVTagCounter()
            for portion in portions {
                try Array(portion).withUnsafeBytes { try counter.consume($0) }
            }
            #expect(counter.videoBytes == video.reduce(0, +), what)
            #expect(counter.audioBytes == audio.reduce(0, +), what)
            // A tag without a payload is no message.
            #expect(counter.videoMessages == video.filter { $0 > 0 }.count, what)
            #expect(counter.audioMessages == audio.count, what)
        }
        for cut in 0...bytes.count { try check([bytes[..<cut], bytes[cut...]], "cut at \(cut)") }
        try check(bytes.indices.map { bytes[$0...$0] }, "byte by byte")
    }

    /// Reserved and filter bits, tags of other types, a longer file header: all passed over.
    @Test func whatReadersSkipIsSkipped() throws {
        var bytes: [UInt8] = Array("FLV".utf8) + [1, 0, 0, 0, 0, 12, 9, 9, 9, 0, 0, 0, 0]
        for (type, size) in [(0xC9, 3), (0x29, 9), (0x0F, 4), (0xC8, 5), (0x12, 0)]
            as [(UInt8, UInt8)]
        {
            bytes += [type, 0, 0, size, 0, 0, 0, 0, 0, 0, 0]
            bytes += [UInt8](repeating: 7, count: Int(size)) + [0, 0, 0, 0]
        }
        var counter = FLVTagCounter()
        try bytes.withUnsafeBytes { try counter.consume($0) }
        #expect((counter.videoBytes, counter.videoMessages) == (3, 1))
        #expect((counter.audioBytes, counter.audioMessages) == (5, 1))
    }
}

/// HTTP-FLV behind every framing that HTTP/1.1 knows (case 27 of the field).
@Suite struct MediaResponseTests {
    private static let flv: [UInt8] = {
        var body = FLVWriter.fileHeader(hasAudio: true, hasVideo: true)
        for size in [1, 20, 300] {
            FLVWriter.write(
                tag: FLVTag(
                    type: .video, timestamp: 1, payload: ByteBuffer(repeating: 1, count: size)),
                into: &body)
        }
        return Array(body.readableBytesView)
    }()

    /// The body in chunks of a size, with an extension on every second one.
    private static func chunked(_ size: Int) -> [UInt8] {
        var bytes = Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        for start in stride(from: 0, to: flv.count, by: size) {
            let part = flv[start..<min(start + size, flv.count)]
            let name = String(part.count, radix: 16)
            bytes += Array((name + (start % 2 == 0 ? "" : ";x=1") + "\r\n").utf8)
            bytes += part + Array("\r\n".utf8)
        }
        return bytes
    }

    @Test(arguments: [1, 2, 7, 64, 10_000])
    func chunksOfAnySize(_ size: Int) throws {
        let bytes = Self.chunked(size)
        for pieces in [1, 3, bytes.count] {
            var response = MediaResponse()
            var counter = FLVTagCounter()
            for start in stride(from: 0, to: bytes.count, by: pieces) {
                let piece = Array(bytes[start..<min(start + pieces, bytes.count)])
                _ = try piece.withUnsafeBytes { piece in
                    try response.take(piece) { try counter.consume($0) }
                }
            }
            #expect(counter.videoBytes == 321)
            #expect(counter.videoMessages == 3)
        }
    }

    @Test(arguments: [
        ("HTTP/1.1 404 Not Found\r\n\r\n", "the server answered 404 Not Found"),
        ("HTTP/1.1 403 Go away\r\n\r\n", "the server answered 403 Go away"),
        ("SSH-2.0-x\r\n\r\n", "no HTTP/1 response: 'SSH-2.0-x"),
        ("HTTP/1.1 200 OK\r\n\r\n<html></html>", "not FLV: it begins with '<html></h'"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "ended its answer (200 OK)"),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n", "'br' is not understood"),
        (String(repeating: "x", count: 17 << 10), "no HTTP/1 response"),
    ])
    func refusals(text: String, reason: String) {
        var response = MediaResponse()
        var counter = FLVTagCounter()
        var said = ""
        do {
            _ = try Array(text.utf8).withUnsafeBytes { bytes in
                try response.take(bytes) { try counter.consume($0) }
            }
        } catch {
            said = "\(error)"
        }
        #expect(said.contains(reason), "\(said)")
    }

    @Test func redirectsAreToldBeforeTheBody() throws {
        var response = MediaResponse()
        let text = "HTTP/1.1 302 Found\r\nLocation: /edge/cam.flv\r\nContent-Length: 9\r\n\r\n"
        let outcome = try Array(text.utf8).withUnsafeBytes { try response.take($0) { _ in } }
        guard case .redirected(let head) = outcome else {
            Issue.record("the redirect is not told")
            return
        }
        #expect(head.location == "/edge/cam.flv")
    }
}
