import Foundation
import HTTPWire
import Media
import NIOCore
import RTMP
import Testing

@testable import Capture

/// Bodies with content codings and in chunks are read.
struct HTTPCodingTests {
    static let playlist = Array(
        """
        #EXTM3U
        #EXT-X-VERSION:3
        #EXT-X-TARGETDURATION:4
        #EXT-X-MEDIA-SEQUENCE:0
        #EXTINF:4,
        a.ts
        #EXTINF:4,
        b.ts
        #EXT-X-ENDLIST

        """.utf8)

    private static func bytes(_ base64: String) -> [UInt8] {
        Data(base64Encoded: base64).map(Array.init) ?? []
    }

    /// Table of Content-Encoding and the same playlist in that coding; zlib made the bytes.
    static let coded: [(String, [UInt8])] = [
        ("identity", playlist),
        (
            "gzip",
            bytes(
                "H4sIAAAAAAACA1N2jQjxNQ7lUgbSuhG6Ya5BwZ7+flbGMIEQxyB31xCX0CDHEJC4CUzc19XF01E32DUw"
                    + "1NXP2dXKACzu6edmZaLDlahXUozMT4Lxgfpc/Vx8PINDuACcQkeaeAAAAA==")
        ),
        ("X-GZip", CaptureFileTests.gzip(playlist)),
        (
            "deflate",
            bytes(
                "eJxTdo0I8TUO5VIG0roRumGuQcGe/n5WxjCBEMcgd9cQl9AgxxCQuAlM3NfVxdNRN9g1MNTVz9nVygAs"
                    + "7unnZmWiw5WoV1KMzE+C8YH6XP1cfDyDQ7gAV1se8A==")
        ),
        (
            "deflate",
            bytes(
                "U3aNCPE1DuVSBtK6EbphrkHBnv5+VsYwgRDHIHfXEJfQIMcQkLgJTNzX1cXTUTfYNTDU1c/Z1coALO7p"
                    + "52ZlosOVqFdSjMxPgvGB+lz9XHw8g0O4AA==")
        ),
        ("gzip, gzip", CaptureFileTests.gzip(CaptureFileTests.gzip(playlist))),
    ]

    private func session(
        _ body: [UInt8], headers: String, isChunked: Bool, size: Int = 100
    ) -> PacketScript {
        var session = HTTPAttributionTests.Session()
        session.request("/hls/720p.m3u8")
        session.answer(
            HTTPAttributionTests.Session.response(body, isChunked: isChunked, headers: headers),
            size: size)
        for name in ["a", "b"] {
            session.get(
                "/hls/\(name).ts",
                HTTPAttributionTests.Session.response([UInt8](repeating: 0x47, count: 1880)))
        }
        return session.script
    }

    @Test("coded playlists are decoded, in chunks too", arguments: coded.indices, [false, true])
    func playlists(index: Int, isChunked: Bool) {
        let (coding, body) = Self.coded[index]
        for size in [1, 33, 1000] {
            let report = session(
                body, headers: "Content-Encoding: \(coding)\r\n", isChunked: isChunked, size: size
            ).analyzed()
            let segments = report.http.first { $0.kind == .segment }
            #expect(segments?.rendition == "/hls/720p.m3u8", "\(coding)")
            #expect(segments?.responses == 2 && segments?.mediaSeconds == 8)
            #expect(!report.http.contains { $0.rendition == HTTPTrafficRow.unattributed })
            #expect(report.capture.unreadBodies.isEmpty && report.capture.notes.isEmpty)
        }
    }

    @Test(
        "a coding that is not understood, or bytes that are not of it, are told",
        arguments: ["br", "zstd", "gzip, br", "gzip"])
    func unread(coding: String) {
        let report = session(
            [0x1B, 0x77, 1, 2, 3], headers: "Content-Encoding: \(coding)\r\n", isChunked: false
        ).analyzed()
        #expect(report.capture.unreadBodies == [UnreadBodies(coding: coding, bodies: 1)])
        #expect(report.capture.notes.contains { $0.contains("--rendition") })
        #expect(report.http.contains { $0.rendition == HTTPTrafficRow.unattributed })
    }

    @Test("a transfer coding besides chunks is undone")
    func transferCoding() {
        var session = HTTPAttributionTests.Session()
        session.request("/hls/720p.m3u8")
        let body = CaptureFileTests.gzip(Self.playlist)
        session.answer(
            Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".utf8)
                + Array("\(String(body.count, radix: 16))\r\n".utf8) + body
                + Array("\r\n0\r\n\r\n".utf8))
        session.get(
            "/hls/a.ts", HTTPAttributionTests.Session.response([UInt8](repeating: 1, count: 99)))
        let report = session.script.analyzed()
        #expect(report.http.contains { $0.rendition == "/hls/720p.m3u8" && $0.kind == .segment })
    }

    /// Size lines with which a server may begin a chunk.
    static let sizeLines: [@Sendable (Int) -> String] = [
        { String($0, radix: 16) + "\r\n" }, { String($0, radix: 16).uppercased() + "\r\n" },
        { "000" + String($0, radix: 16) + "\r\n" },
        { String($0, radix: 16) + ";name=\"va;lue\"\r\n" },
        { String($0, radix: 16) + " \t; a=b\r\n" }, { String($0, radix: 16) + "\n" },
    ]

    /// Adds a publisher, and a player that gets the same stream in chunks of `size` bytes.
    private func flv(
        chunk size: Int, segment: Int, sizeLine: Int = 0, coding: String? = nil, loses: Int? = nil,
        messages: Int = 8
    ) -> CaptureReport {
        var session = CaptureAnalyzerTests.Session()
        var player = PacketScript.Connection(clientPort: 40003, serverPort: 8080)
        session.script.handshake(&player)
        session.script.send(
            Array("GET /live/show.flv HTTP/1.1\r\nHost: x\r\n\r\n".utf8), &player, up: true)
        let header = coding.map { "Content-Encoding: \($0)\r\n" } ?? ""
        session.script.send(
            Array("HTTP/1.1 200 OK\r\n\(header)Transfer-Encoding: chunked\r\n\r\n".utf8), &player,
            up: false)
        var file = FLVWriter.fileHeader(hasAudio: true, hasVideo: true)
        for i in 0..<messages {
            let message = PacketScript.media(
                isVideo: true, time: 0, content: UInt32(i), length: 150)
            session.script.send(message, &session.publisher, up: true)
            FLVWriter.write(
                tag: FLVTag(type: .video, timestamp: 9, payload: message.payload), into: &file)
        }
        var body = Array(file.readableBytesView)
        if coding == "gzip" { body = CaptureFileTests.gzip(body) }
        var framed: [UInt8] = []
        for start in stride(from: 0, to: body.count, by: size) {
            let part = body[start..<min(body.count, start + size)]
            framed += Array(Self.sizeLines[sizeLine](part.count).utf8) + part + [13, 10]
        }
        framed += Array("0\r\nX-Trailer: 1\r\nAnother: 2\r\n\r\n".utf8)
        for (index, start) in stride(from: 0, to: framed.count, by: segment).enumerated() {
            session.script.send(
                Array(framed[start..<min(framed.count, start + segment)]), &player, up: false)
            if index == loses { session.script.packets.removeLast() }
        }
        return session.script.analyzed()
    }

    private func matched(_ report: CaptureReport) -> MatchCounts? {
        report.streams.first?.viewers.first { $0.transport == .httpFLV }?.messages
    }

    @Test("HTTP-FLV in chunks of any size, in segments of any size", arguments: 1...40)
    func chunks(size: Int) {
        let expected = matched(flv(chunk: 100_000, segment: 100_000))
        #expect(expected?.unmatched == 0 && expected?.missing == 0)
        #expect((expected?.matched ?? 0) + (expected?.burst ?? 0) == 8)
        for segment in [1, 13, 1400] {
            let counts = matched(flv(chunk: size, segment: segment))
            #expect((counts?.matched ?? 0) + (counts?.burst ?? 0) == 8)
            #expect(counts?.unmatched == 0 && counts?.missing == 0)
        }
    }

    @Test("chunk sizes as servers write them, and coded bodies", arguments: sizeLines.indices)
    func sizes(sizeLine: Int) {
        for coding in [nil, "gzip", "identity"] {
            let counts = matched(
                flv(chunk: 97, segment: 50, sizeLine: sizeLine, coding: coding))
            #expect((counts?.matched ?? 0) + (counts?.burst ?? 0) == 8, "\(coding ?? "")")
        }
        let unread = flv(chunk: 97, segment: 50, coding: "br").capture.unreadBodies
        #expect(unread == [UnreadBodies(coding: "br", bodies: 1)])
    }

    @Test("after a gap chunks and tags are found again", arguments: [1, 40, 169, 400, 5_000])
    func gaps(size: Int) {
        for segment in [50, 500] {
            let whole = flv(chunk: size, segment: segment, messages: 40)
            let total = matched(whole).map { $0.matched + $0.burst } ?? 0
            #expect(total == 40)
            for lost in [3, 4, 5] {
                let report = flv(chunk: size, segment: segment, loses: lost, messages: 40)
                let counts = matched(report)
                // These messages were hit by the gap, or by the search for the next tag.
                let found = (counts?.matched ?? 0) + (counts?.burst ?? 0)
                #expect(found >= 26 && found < 40, "chunks of \(size), segment \(lost) lost")
                #expect(counts?.unmatched == 0)
                #expect(report.capture.gaps == 1 && report.capture.undissectedFlows == 0)
            }
        }
    }

    @Test("a gap before the first tag, and one without an end, are counted")
    func lostFlows() {
        let report = flv(chunk: 97, segment: 50, loses: 0)
        #expect(report.capture.undissectedFlows == 1)
        var search = ChunkSearch()
        let zeros = [UInt8](repeating: 0x30, count: 4096)
        var result = ChunkSearch.Result.waiting
        for _ in 0..<200 where result == .waiting {
            result = zeros.withUnsafeBytes { search.append($0) }
        }
        #expect(result == .failed)
    }

    @Test("sizes that are none end the dissection, never the analyzer")
    func nonsense() {
        for line in ["+5", "-1", "0x5", "", "g", "fffffffffffffffff", " 5;"] {
            let size = HTTPBodyFraming.chunkSize(line.utf8)
            #expect(size == (line == " 5;" ? 5 : nil), "\(line)")
        }
        for (length, bytes) in [("5, 5", 5), ("5, 6", nil), ("-5", nil)] as [(String, Int?)] {
            let text = "HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\n"
            let head = try? HTTPResponseHead(parsing: Array(text.utf8))
            #expect(head?.contentLength == bytes)
        }
    }
}
