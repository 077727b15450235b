import SimulationKernel
import Testing

@testable import HTTPWire

@Suite struct HTTPBodyFramingTests {
    /// The body of `text` read in portions, how often its end was told, and where reading stopped.
    private func read(
        _ text: String, _ length: HTTPBodyFraming.Length, portion: Int = .max
    ) throws -> (body: String, ends: Int, stopped: Int) {
        let bytes = Array(text.utf8)
        var framing = HTTPBodyFraming(length)
        var body: [UInt8] = []
        var ends = 0
        var offset = 0
        while offset < bytes.count, !framing.hasEnded {
            let part = Array(bytes[offset..<min(bytes.count, offset + min(portion, bytes.count))])
            var at = 0
            try part.withUnsafeBytes { part in
                while let event = try framing.next(part, &at) {
                    switch event {
                    case .body(let range): body += part[range]
                    case .end: ends += 1
                    }
                }
            }
            offset += at
        }
        return (String(decoding: body, as: UTF8.self), ends, offset)
    }

    @Test(arguments: 1...40) func whateverThePortions(portion: Int) throws {
        let chunked = "1\r\na\r\n02;x=\"y\"\r\nbc\r\n3 ;e\r\ndef\r\n0\r\nX: y\r\n\r\nHTTP"
        #expect(
            try read(chunked, .chunked, portion: portion) == ("abcdef", 1, chunked.utf8.count - 4))
        #expect(try read("abcdefgh", .bytes(5), portion: portion) == ("abcde", 1, 5))
        #expect(try read("abcdefgh", .untilClose, portion: portion) == ("abcdefgh", 0, 8))
    }

    @Test func aBodyOfNothingEndsAtOnce() throws {
        var framing = HTTPBodyFraming(.bytes(0))
        var at = 0
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        #expect(try framing.next(empty, &at) == .end)
        #expect(try framing.next(empty, &at) == nil)
        #expect(framing.hasEnded && framing.remaining == nil)
    }

    /// The end is told with the last byte, not with the first of what follows.
    @Test func theEndComesWithTheLastByte() throws {
        #expect(try read("0\r\n\r\n", .chunked).ends == 1)
        #expect(try read("ab", .bytes(2)).ends == 1)
    }

    @Test(arguments: ["zz\r\n", "-1\r\n", "+1\r\n", "\r\n", "1\r\nabc\r\n", "0x5\r\n"])
    func whatIsNoChunk(text: String) {
        #expect(throws: HTTPResponseReader.Fault.self) { try read(text, .chunked) }
    }

    @Test func linesAndTrailersAreBounded() {
        let line = "1;" + String(repeating: "x", count: 5000)
        #expect(throws: HTTPResponseReader.Fault.self) { try read(line, .chunked) }
        let trailer = "0\r\n" + String(repeating: "X: y\r\n", count: 5000)
        #expect(throws: HTTPResponseReader.Fault.self) { try read(trailer, .chunked) }
    }

    @Test(
        arguments: [
            ("5", 5), ("1A;x", 26), ("0a ", 10), (" 7", 7), ("1000000000000000", 1 << 60),
            ("1000000000000001", nil), ("", nil), (" ", nil), ("g", nil),
            ("FFFFFFFFFFFFFFFFFF", nil),
        ] as [(String, Int?)])
    func chunkSizes(text: String, size: Int?) {
        #expect(HTTPBodyFraming.chunkSize(text.utf8) == size)
    }

    /// Bytes that nobody saw are passed over only where they are known to be of the body.
    @Test func gaps() throws {
        var known = HTTPBodyFraming(.bytes(10))
        #expect(!known.skip(11) && known.skip(4) && known.remaining == 6 && known.skip(6))
        #expect(known.remaining == 0 && !known.expectsChunks)
        var open = HTTPBodyFraming(.untilClose)
        #expect(open.skip(1 << 40) && open.endsWithConnection && !open.expectsChunks)
        var chunk = HTTPBodyFraming(insideChunk: 5)
        #expect(chunk.skip(4) && !chunk.skip(2) && chunk.expectsChunks)
        #expect(HTTPBodyFraming(.chunked).expectsChunks)
        var at = 0
        let rest = Array("e\r\n1\r\nf\r\n0\r\n\r\n".utf8)
        let body = try rest.withUnsafeBytes { rest in
            var body: [UInt8] = []
            while let event = try chunk.next(rest, &at) {
                if case .body(let range) = event { body += rest[range] }
            }
            return body
        }
        #expect(String(decoding: body, as: UTF8.self) == "ef")
        #expect(chunk.hasEnded && !chunk.skip(1))
        // A gap may end exactly where the contents of the chunk end.
        var whole = HTTPBodyFraming(insideChunk: 5)
        #expect(whole.skip(5) && whole.expectsChunks)
        var start = 0
        let end = try Array("\r\n0\r\n\r\n".utf8).withUnsafeBytes { try whole.next($0, &start) }
        #expect(end == .end && whole.hasEnded)
    }

    /// Random bytes end in a fault, in an end or in want of more; never in a trap.
    @Test(arguments: 0..<50 as Range<UInt64>) func randomBytes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let alphabet = Array("0123aF; \r\n\tXg-".utf8)
        for _ in 0..<50 {
            let text = (0..<200).map { _ in alphabet.randomElement(using: &random)! }
            _ = try? read(String(decoding: text, as: UTF8.self), .chunked, portion: 7)
        }
    }
}
