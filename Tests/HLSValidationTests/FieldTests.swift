import CZlib
import Foundation
import HLS
import NIOCore
import NIOHTTP1
import Testing

@testable import HLSValidation

/// The validator finds no fault in properties of real servers that break no rule (cases 06, 07, 10,
/// 16, 21 and 22).
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

    /// URIs are relative to the URL at which the playlist was found in the end (RFC 3986, 5.1.3).
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

    /// The target of a redirect may be temporary (RFC 9110, 15.4.3).
    @Test func redirectsAreAskedForAgainWhereTheyExpire() async throws {
        let stream = LiveStream(.none)
        let asked = Asked()
        let origin = try await TestOrigin { uri in
            await asked.add(uri)
            if uri == "/entry/index.m3u8" {
                let ticket = await asked.uris.count
                return .init(
                    status: 302, headers: ["Location": "/live/index.m3u8?ticket=\(ticket)"])
            }
            // A ticket is good for five requests.
            if let ticket = uri.split(separator: "ticket=").dropFirst().first.flatMap({
                Int($0.prefix { $0 != "&" })
            }), await asked.uris.count > ticket + 5 {
                return .init(status: 403)
            }
            return Self.plain(await stream.answer(uri))
        }
        var options = InspectionOptions()
        options.seconds = 3
        let report = try await PresentationInspector.inspect(
            "http://127.0.0.1:\(origin.port)/entry/index.m3u8", options: options)
        try await origin.stop()
        #expect(report.violations.filter { $0.rule.severity == .error } == [])
        #expect(report.reloads >= 3)
        #expect(await asked.uris.count { $0 == "/entry/index.m3u8" } > 1)
    }

    /// Removes the tags of low latency from a response.
    private static func plain(_ answer: TestOrigin.Answer) -> TestOrigin.Answer {
        var answer = answer
        let lines = String(buffer: answer.body).split(separator: "\n").filter { line in
            !["PART", "PRELOAD", "SERVER"].contains { line.hasPrefix("#EXT-X-\($0)") }
        }
        answer.body = ByteBuffer(string: lines.joined(separator: "\n") + "\n")
        return answer
    }

    /// EXT-X-DEFINE in a low-latency playlist also applies to blocking reloads and delta updates.
    @Test func variablesOfLowLatencyPlaylists() async throws {
        let stream = LiveStream(.none)
        let origin = try await TestOrigin { uri in
            var answer = await stream.answer(uri)
            let text = String(buffer: answer.body)
            guard text.hasPrefix("#EXTM3U") else { return answer }
            answer.body = ByteBuffer(
                string: text.replacing(".aac", with: "{$tok}.aac")
                    .replacing("#EXT-X-VERSION:9", with: "#EXT-X-VERSION:11")
                    .replacing("#EXTM3U\n", with: "#EXTM3U\n#EXT-X-DEFINE:QUERYPARAM=\"tok\"\n"))
            return answer
        }
        var options = InspectionOptions()
        options.seconds = 2
        let report = try await PresentationInspector.inspect(
            "http://127.0.0.1:\(origin.port)/live/index.m3u8?tok=.x", options: options)
        try await origin.stop()
        #expect(report.violations.filter { $0.rule.severity == .error } == [])
        #expect(report.reloads >= 3)
    }

    /// User and password of the URL hold for everything on its server, and no report shows them.
    @Test func credentialsGoToTheWholeServer() async throws {
        let origin = try await TestOrigin(
            answersHeads: { head in
                guard head.headers.first(name: "authorization") == "Basic dTpzZWNyZXQ=" else {
                    return .init(status: 401)
                }
                switch head.uri {
                case "/a/master.m3u8": return Self.answer(Self.master)
                case "/a/index.m3u8": return Self.answer(Self.media)
                default: return .init(body: ByteBuffer(bytes: [UInt8](repeating: 0, count: 188)))
                }
            })
        let report = try await PresentationInspector.inspect(
            "http://u:secret@127.0.0.1:\(origin.port)/a/master.m3u8")
        try await origin.stop()
        #expect(report.violations.filter { $0.rule.severity == .error } == [])
        #expect(report.segments == 1)
        #expect(!report.location.contains("secret"))
        #expect(!report.violations.contains { $0.description.contains("secret") })
    }

    /// A segment may have left right after the load before, so the time since that load counts.
    @Test func removalIsCountedFromTheLoadBefore() {
        func playlist(_ first: Int) -> MediaPlaylist {
            MediaPlaylist(
                targetDuration: 2, mediaSequence: first,
                segments: (first..<first + 3).map { .init(uri: "\($0).ts", duration: 2) })
        }
        var member = InspectedPlaylist("http://h/i.m3u8")
        _ = member.receive(playlist(5), from: .files, atSeconds: 1)
        _ = member.receive(playlist(5), from: .files, atSeconds: 3)
        _ = member.receive(playlist(7), from: .files, atSeconds: 60)
        #expect(member.removed.map(\.listedAtSeconds) == [3, 3])
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

    /// The playlist has one finding, and the segments are fetched as players fetch them.
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

    /// Files may have variables, numbers of 64 bits, encrypted initialization sections and one bad
    /// line.
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

    /// A title may be one file of gigabytes with small segments in it, and a saved playlist may
    /// name segments on its server: neither breaks a rule.
    @Test func limitsOfThisProgramAreNoErrors() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let text =
            "#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n"
            + "#EXT-X-BYTERANGE:188@300000000\nbig.ts\n"
            + "#EXTINF:2.0,\nhttp://media.invalid/1.ts\n"
            + "#EXTINF:2.0,\nhttp://media.invalid/2.ts\n#EXT-X-ENDLIST\n"
        try Data(text.utf8).write(to: folder.appending(path: "index.m3u8"))
        let file = folder.appending(path: "big.ts")
        try Data().write(to: file)
        let handle = try FileHandle(forWritingTo: file)
        try handle.truncate(atOffset: 300_000_188)
        try handle.close()
        let report = try await PresentationInspector.inspect(folder.path)
        #expect(report.errors == 0)
        #expect(report.segments == 1)
        #expect(report.notChecked == 2)
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
