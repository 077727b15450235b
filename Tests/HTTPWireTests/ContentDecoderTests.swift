import CZlib
import Testing

@testable import HTTPWire

/// Content codings are undone, however the bytes are split.
@Suite struct ContentDecoderTests {
    /// Compresses with zlib's own compressor, which is the peer. A window of 31 means gzip, 15
    /// zlib, -15 bare deflate.
    static func compress(_ bytes: [UInt8], windowBits: Int32) throws -> [UInt8] {
        var stream = z_stream()
        try #require(
            deflateInit2_(
                &stream, 6, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK)
        defer { deflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: bytes.count + 1024)
        let count = input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { room in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = room.baseAddress
                stream.avail_out = UInt32(room.count)
                _ = deflate(&stream, Z_FINISH)
                return room.count - Int(stream.avail_out)
            }
        }
        return Array(output.prefix(count))
    }

    static let text = Array(
        (0..<400).map { "#EXTINF:2.000,\nsegment\($0).m4s\n" }.joined().utf8)

    @Test(arguments: [("gzip", Int32(31)), ("x-gzip", 31), ("deflate", 15), ("DEFLATE", -15)])
    func everySplit(_ coding: String, _ windowBits: Int32) throws {
        let coded = try Self.compress(Self.text, windowBits: windowBits)
        for cut in stride(from: 2, to: coded.count, by: 7) {
            let decoder = try ContentDecoder(coding: coding, outputLimit: 1 << 20)
            var output: [UInt8] = []
            for part in [coded[..<cut], coded[cut...]] {
                try Array(part).withUnsafeBytes { try decoder.decode($0) { output += $0 } }
            }
            #expect(output == Self.text)
            #expect(decoder.isComplete)
        }
    }

    @Test func membersFollowOneAnother() throws {
        let coded = try Self.compress(Self.text, windowBits: 31)
        #expect(
            try ContentDecoder.whole(coded + coded, codings: "gzip", limit: 1 << 20)
                == Self.text + Self.text)
    }

    @Test func whatIsWrongIsSaid() throws {
        let coded = try Self.compress(Self.text, windowBits: 31)
        #expect(throws: ContentDecoder.Fault.self) {
            try ContentDecoder.whole(Array(coded.dropLast(9)), codings: "gzip", limit: 1 << 20)
        }
        #expect(throws: ContentDecoder.Fault.self) {
            try ContentDecoder.whole(coded, codings: "gzip", limit: 100)
        }
        #expect(throws: ContentDecoder.Fault.self) {
            try ContentDecoder.whole(coded, codings: "br", limit: 1 << 20)
        }
        #expect(throws: ContentDecoder.Fault.self) {
            try ContentDecoder.whole(Self.text, codings: "gzip", limit: 1 << 20)
        }
    }

    @Test func severalCodingsAreUndoneFromTheLast() throws {
        let once = try Self.compress(Self.text, windowBits: 15)
        let twice = try Self.compress(once, windowBits: 31)
        #expect(
            try ContentDecoder.whole(twice, codings: "deflate, gzip", limit: 1 << 20) == Self.text)
        #expect(
            try ContentDecoder.whole(Self.text, codings: "identity", limit: 1 << 20) == Self.text)
    }
}
