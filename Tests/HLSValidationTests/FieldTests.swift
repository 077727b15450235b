import CZlib
import Foundation
import HLS
import NIOCore
import Testing

@testable import HLSValidation

/// What servers of the field do, and is no fault of theirs (cases 06, 07, 10, 16, 21 and 22).
@Suite(.timeLimit(.minutes(1))) struct FieldTests {
    private static let master =
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9000000,CODECS=\"avc1.42c00c\",RESOLUTION=2x2,FRAME-RATE=25\nindex.m3u8\n"
    private static let media =
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n0.ts\n#EXT-X-ENDLIST\n"

    private static func answer(
        _ text: String, _ headers: [String: String] = [:]
    ) -> TestOrigin.Answer {
        var headers = headers
        headers["Content-Type"] = "application/vnd.apple.mpegurl"
        headers["Access-Control-Allow-Origin"] = "*"
        return .init(headers: headers, body: ByteBuffer(string: text))
    }

    private func rules(
        _ path: String, _ answer: @escaping @Sendable (String) async -> TestOrigin.Answer
    ) async throws -> [String] {
        let origin = try await TestOrigin(answer)
        let report = try await PresentationInspector.inspect(
            "http://127.0.0.1:\(origin.port)\(path)")
        try await origin.stop()
        return report.violations.filter { $0.rule.severity != .warning }.map(\.rule.id)
    }

    /// RFC 3986, 5.1.3: URIs are relative to where the playlist was found at last.
    @Test(arguments: ["/entry/master.m3u8", "/entry/index.m3u8"])
    func redirectedPlaylistsGiveTheBase(_ path: String) async throws {
        let found = try await rules(path) { uri in
            if uri == path {
                let target = "/edge7/session42/" + (uri.split(separator: "/").last ?? "")
                return .init(status: 302, headers: ["Location": target])
            }
            switch uri {
            case "/edge7/session42/master.m3u8": return Self.answer(Self.master)
            case "/edge7/session42/index.m3u8": return Self.answer(Self.media)
            case "/edge7/session42/0.ts":
                return .init(body: ByteBuffer(bytes: [UInt8](repeating: 0, count: 188)))
            default: return .init(status: 404)
            }
        }
        #expect(found == [])
    }

    @Test func compressedPlaylistsAreRead() async throws {
        let coded = try Self.gzip(Array(Self.media.utf8))
        let found = try await rules("/index.m3u8") { uri in
            guard uri == "/index.m3u8" else {
                return .init(body: ByteBuffer(bytes: [UInt8](repeating: 0, count: 188)))
            }
            return .init(
                headers: [
                    "Content-Encoding": "gzip", "Content-Type": "application/vnd.apple.mpegurl",
                ], body: ByteBuffer(bytes: coded))
        }
        #expect(found == [])
    }

    /// One finding for the playlist, and the segments fetched as players fetch them.
    @Test func namesWithBlanksAreOneFinding() async throws {
        let text = Self.media.replacing("0.ts", with: "cam één 0.ts\n#EXTINF:2.0,\ncam één 1.ts")
        let asked = Asked()
        let found = try await rules("/index.m3u8") { uri in
            await asked.add(uri)
            guard uri == "/index.m3u8" else {
                return .init(body: ByteBuffer(bytes: [UInt8](repeating: 0, count: 188)))
            }
            return Self.answer(text)
        }
        #expect(found == ["uri-not-encoded"])
        #expect(await asked.uris.contains("/cam%20%C3%A9%C3%A9n%201.ts"))
    }

    private actor Asked {
        var uris: [String] = []
        func add(_ uri: String) { uris.append(uri) }
    }

    /// Variables, numbers of 64 bits, encrypted initialization sections, one bad line: files.
    @Test(
        arguments: [
            ("#EXT-X-DEFINE:NAME=\"n\",VALUE=\"0\"\n#EXTINF:2.0,\n{$n}.ts", []),
            ("#EXT-X-MEDIA-SEQUENCE:18446744073709551000\n#EXTINF:2.0,\n0.ts", []),
            (
                "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1\n#EXT-X-MAP:URI=\"0.ts\"\n#EXTINF:2.0,\n0.ts",
                ["encrypted"]
            ), ("#EXT-X-PROGRAM-DATE-TIME:soon\n#EXTINF:2.0,\n0.ts", ["line-invalid"]),
            ("#EXTINF:2.0,\n{$n}.ts", ["segment-unfetchable", "variable-undefined"]),
        ] as [(String, [String])])
    func files(_ lines: String, _ expected: [String]) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let text =
            "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:2\n\(lines)\n#EXT-X-ENDLIST\n"
        try Data(text.utf8).write(to: folder.appending(path: "index.m3u8"))
        try Data(repeating: 0, count: 188).write(to: folder.appending(path: "0.ts"))
        let report = try await PresentationInspector.inspect(folder.path)
        let found = report.violations.filter { $0.rule.severity != .warning }.map(\.rule.id)
        #expect(found.sorted() == expected)
    }

    private static func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
        var stream = z_stream()
        try #require(
            deflateInit2_(
                &stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK)
        defer { deflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: bytes.count + 256)
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
}
