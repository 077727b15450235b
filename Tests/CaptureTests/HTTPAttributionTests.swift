import SimulationKernel
import Testing

@testable import Capture

/// The bytes of a web server's responses are attributed to renditions.
struct HTTPAttributionTests {
    static let playlist = Array(
        """
        #EXTM3U
        #EXT-X-VERSION:9
        #EXT-X-TARGETDURATION:2
        #EXT-X-PART-INF:PART-TARGET=1
        #EXT-X-MAP:URI="../init.mp4?v=1"
        #EXTINF:2,
        s1.m4s
        #EXT-X-PART:DURATION=1,URI="s2.0.m4s"
        #EXT-X-PRELOAD-HINT:TYPE=PART,URI="s2.1.m4s"

        """.utf8)

    static func media(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0) } }

    /// A cache and the server behind it answer the same path, and each has rows of its own.
    @Test func edgesAreToldApart() {
        var session = Session()
        let body = Self.media(1500)
        session.get("/hls/a/s1.m4s", Session.response(body))
        session.connection = .init(clientPort: 50002, serverPort: 9090)
        session.script.handshake(&session.connection)
        for _ in 0..<3 { session.get("/hls/a/s1.m4s", Session.response(body)) }
        var options = CaptureOptions()
        options.serverPorts = [8080, 9090]
        options.edgePorts = [9090]
        options.httpPatterns = [.init(path: "*/a/*", rendition: "a")]
        let report = session.script.analyzed(options)
        let length = Session.response(body).count
        #expect(report.http.map(\.payloadBytes) == [length])
        #expect(report.edgeHTTP.map(\.payloadBytes) == [3 * length])
        #expect((report.http + report.edgeHTTP).allSatisfy { $0.rendition == "a" })
        options.edgePorts = []
        #expect(session.script.analyzed(options).edgeHTTP.isEmpty)
    }

    @Test("responses of one connection go to what the playlist lists", arguments: [false, true])
    func playlists(isChunked: Bool) throws {
        var session = Session()
        func response(_ body: [UInt8]) -> [UInt8] {
            Session.response(body, isChunked: isChunked)
        }
        session.get("/hls/a/index.m3u8?_HLS_msn=2", response(Self.playlist))
        session.get("/hls/init.mp4?v=1", response(Self.media(800)))
        session.get("/hls/a/s1.m4s", response(Self.media(30_000)))
        session.get("/hls/a/s2.0.m4s?token=x", response(Self.media(5_000)))
        session.get("/hls/a/s2.1.m4s", response(Self.media(6_000)))
        session.get("/hls/a/s9.m4s", response(Self.media(100)))
        session.get("/favicon", response(Self.media(10)))
        let rows = session.rows()
        let name = "/hls/a/index.m3u8"
        #expect(rows["\(name) playlist"]?.payloadBytes == response(Self.playlist).count)
        #expect(rows["\(name) init"]?.payloadBytes == response(Self.media(800)).count)
        #expect(rows["\(name) segment"]?.payloadBytes == response(Self.media(30_000)).count)
        #expect(
            rows["\(name) part"]?.payloadBytes
                == response(Self.media(5_000)).count + response(Self.media(6_000)).count)
        #expect(rows["\(name) part"]?.responses == 2)
        #expect(rows["unattributed segment"]?.payloadBytes == response(Self.media(100)).count)
        #expect(rows["unattributed other"]?.payloadBytes == response(Self.media(10)).count)
        #expect(rows.count == 6)
        // There are 31 or 32 segments, with headers of Ethernet, IPv4 and TCP with timestamps.
        let segment = try #require(rows["\(name) segment"])
        let packets = (segment.payloadBytes + 999) / 1000
        #expect(segment.wireBytes == segment.payloadBytes + packets * 66)
    }

    /// A playlist takes variables from its URL, and media playlists take some from the multivariant
    /// one (EXT-X-DEFINE, rfc8216bis, 4.4.2.3).
    @Test("segments whose names hold variables")
    func variables() {
        var session = Session()
        let master =
            "#EXTM3U\n#EXT-X-DEFINE:NAME=\"dir\",VALUE=\"d7\"\n"
            + "#EXT-X-STREAM-INF:BANDWIDTH=1\nv/index.m3u8?tok=abc\n"
        let media =
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-DEFINE:IMPORT=\"dir\"\n"
            + "#EXT-X-DEFINE:QUERYPARAM=\"tok\"\n#EXTINF:2,\n{$dir}/{$tok}.ts\n"
        session.get("/a/master.m3u8", Session.response(Array(master.utf8)))
        session.get("/a/v/index.m3u8?tok=abc", Session.response(Array(media.utf8)))
        session.get("/a/v/d7/abc.ts", Session.response(Self.media(900)))
        let rows = session.rows()
        #expect(rows["/a/v/index.m3u8 segment"]?.responses == 1)
        #expect(rows["unattributed segment"] == nil)
    }

    @Test("pipelined responses share packets", arguments: [100, 999, 1400, 65_000])
    func pipelined(size: Int) throws {
        var session = Session()
        session.get(
            "/a.m3u8",
            Session.response(Array("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na1.ts\n".utf8)))
        session.get(
            "/b.m3u8",
            Session.response(Array("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nb1.ts\n".utf8)))
        for target in ["/a1.ts", "/b1.ts", "/a1.ts", "/gone.ts"] { session.request(target) }
        let a = Session.response(Self.media(3_000))
        let b = Session.response(Self.media(2_000))
        let gone = Session.response(Self.media(9), status: "404 Not Found")
        session.answer(
            Array("HTTP/1.1 103 Early Hints\r\n\r\n".utf8) + a + b + a + gone, size: size)
        let rows = session.rows()
        #expect(rows["/a.m3u8 segment"]?.responses == 2)
        #expect(rows["/a.m3u8 segment"]?.payloadBytes == 2 * a.count + 28)
        #expect(rows["/b.m3u8 segment"]?.payloadBytes == b.count)
        #expect(rows["unattributed segment"]?.failures == 1)
        #expect(rows["unattributed segment"]?.payloadBytes == gone.count)
    }

    @Test("a playlist that comes later names what went before, patterns the rest")
    func laterAndPatterns() throws {
        var session = Session()
        let media = Session.response(Self.media(500))
        session.get("/hls/a/s1.m4s", media)
        session.get("/vod/x/1.ts", media)
        session.get("/vod/x/1.key", media)
        session.get("/vod/y/1.ts", media)
        session.get("/hls/a/index.m3u8", Session.response(Self.playlist))
        var options = CaptureOptions()
        options.httpPatterns = [
            HTTPPathPattern(path: "/vod/x/*", rendition: "x"),
            HTTPPathPattern(path: "/vod/*.ts", rendition: "rest", kind: .part),
        ]
        let rows = session.rows(options)
        #expect(rows["/hls/a/index.m3u8 segment"]?.payloadBytes == media.count)
        #expect(rows["x segment"]?.payloadBytes == media.count)
        #expect(rows["x other"]?.payloadBytes == media.count)
        #expect(rows["rest part"]?.payloadBytes == media.count)
        #expect(rows["unattributed segment"] == nil)
    }

    @Test("segments and parts hold as much media as the playlist says, failures and ranges none")
    func mediaSeconds() throws {
        var session = Session()
        let media = Session.response(Self.media(500))
        session.get("/hls/a/s1.m4s", media)
        session.get("/hls/a/index.m3u8", Session.response(Self.playlist))
        session.get("/hls/a/s1.m4s", media)
        session.get("/hls/a/s2.0.m4s", media)
        session.get("/hls/a/s1.m4s", Session.response([], status: "404 Not Found"))
        session.get("/hls/a/s1.m4s", Session.response([1, 2], status: "206 Partial Content"))
        let rows = session.rows()
        #expect(rows["/hls/a/index.m3u8 segment"]?.mediaSeconds == 4)
        #expect(rows["/hls/a/index.m3u8 part"]?.mediaSeconds == 1)
        #expect(rows["/hls/a/index.m3u8 playlist"]?.mediaSeconds == 0)
    }

    @Test("what was sent twice is counted where it belongs")
    func retransmissions() throws {
        var session = Session()
        session.get("/hls/a/index.m3u8", Session.response(Self.playlist))
        session.request("/hls/a/s1.m4s")
        let bytes = Session.response(Self.media(3_000))
        let start = session.connection
        session.answer(bytes)
        session.get("/favicon", Session.response(Self.media(10)))
        // The first segment of the response is sent again, and late.
        session.script.add(
            PacketScript.tcp(start, up: false, flags: 0x18, payload: Array(bytes[..<1000])))
        let rows = session.rows()
        let segment = try #require(rows["/hls/a/index.m3u8 segment"])
        #expect(segment.retransmittedBytes == 1000)
        #expect(segment.payloadBytes == bytes.count + 1000)
        #expect(rows.values.reduce(0) { $0 + $1.retransmittedBytes } == 1000)
    }

    @Test("packets out of order, and one that was not captured")
    func holes() throws {
        var session = Session()
        session.get("/hls/a/index.m3u8", Session.response(Self.playlist))
        session.request("/hls/a/s1.m4s")
        let first = session.script.packets.count
        let bytes = Session.response(Self.media(5_000))
        session.answer(bytes)
        session.script.packets.swapAt(first + 1, first + 3)
        session.request("/hls/a/s2.0.m4s")
        let second = session.script.packets.count
        session.answer(bytes)
        session.script.packets.remove(at: second + 2)
        session.get("/favicon", Session.response(Self.media(10)))
        let report = session.script.analyzed()
        #expect(report.capture.gaps == 1)
        let rows = session.rows()
        #expect(rows["/hls/a/index.m3u8 segment"]?.payloadBytes == bytes.count)
        #expect(rows["/hls/a/index.m3u8 part"]?.payloadBytes == bytes.count - 1000)
        #expect(rows["unattributed other"]?.responses == 1)
    }

    @Test("a header that was not captured costs one response")
    func lostHeader() throws {
        var session = Session()
        session.get("/hls/a/index.m3u8", Session.response(Self.playlist))
        session.request("/hls/a/s1.m4s")
        let first = session.script.packets.count
        session.answer(Session.response(Self.media(3_000)))
        session.script.packets.remove(at: first)
        let part = Session.response(Self.media(700))
        session.get("/hls/a/s2.0.m4s", part)
        let rows = session.rows()
        #expect(rows["/hls/a/index.m3u8 part"]?.payloadBytes == part.count)
        #expect((rows["unattributed other"]?.payloadBytes ?? 0) > 1_900)
    }

    @Test("an endless header costs what follows in its packets, no more")
    func endlessHeader() throws {
        var session = Session()
        session.get("/hls/a/index.m3u8", Session.response(Self.playlist))
        session.request("/hls/a/s1.m4s")
        session.answer([UInt8](repeating: 0x41, count: 20_500))
        let part = Session.response(Self.media(700))
        session.get("/hls/a/s2.0.m4s", part)
        session.get("/hls/a/s2.1.m4s", part)
        let rows = session.rows()
        #expect(rows["/hls/a/index.m3u8 part"]?.payloadBytes == 2 * part.count)
    }

    @Test("HEAD, 304 and bodies up to the connection's end")
    func bodies() throws {
        var session = Session()
        session.get("/hls/a/index.m3u8", Session.response(Self.playlist))
        session.request("/hls/a/s1.m4s", method: "HEAD")
        session.answer(Array("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n".utf8))
        session.request("/hls/a/s1.m4s")
        session.answer(Array("HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n".utf8))
        session.request("/hls/a/s2.0.m4s")
        session.answer(Array("HTTP/1.1 200 OK\r\n\r\n".utf8) + Self.media(4_000))
        session.script.add(PacketScript.tcp(session.connection, up: false, flags: 0x11))
        let rows = session.rows()
        #expect(rows["/hls/a/index.m3u8 segment"]?.responses == 2)
        #expect(rows["/hls/a/index.m3u8 part"]?.payloadBytes == 4_019)
    }

    @Test("a window confines rows to itself")
    func window() throws {
        var session = Session()
        session.get("/hls/a/index.m3u8", Session.response(Self.playlist))
        let from = session.script.now
        session.get("/hls/a/s1.m4s", Session.response(Self.media(3_000)))
        var options = CaptureOptions()
        options.window = Window(
            startNanoseconds: from, endNanoseconds: session.script.now)
        session.get("/hls/a/s2.0.m4s", Session.response(Self.media(3_000)))
        let rows = session.rows(options)
        #expect(rows.keys.sorted() == ["/hls/a/index.m3u8 segment"])
        #expect(rows.values.first?.responses == 1)
    }

    /// Rates are those of responses, not of packets: neither the window's ends nor bytes that were
    /// given up, left unread or sent again affect them.
    @Test func wholeResponses() throws {
        var session = Session()
        let bytes = Session.response(Self.media(3_000))
        let length = bytes.count
        session.get("/hls/a/index.m3u8", Session.response(Self.playlist))
        // This response was requested before the window, and comes in it.
        session.request("/hls/a/s1.m4s")
        let from = session.script.now
        session.answer(bytes)
        // This response is whole, with its last packets after the window, one of them twice.
        session.request("/hls/a/s1.m4s")
        session.answer(Array(bytes[..<2_000]))
        let until = session.script.now
        let again = session.connection
        session.answer(Array(bytes[2_000...]))
        session.script.add(
            PacketScript.tcp(again, up: false, flags: 0x18, payload: Array(bytes[2_000..<2_500])))
        var options = CaptureOptions()
        options.window = Window(startNanoseconds: from, endNanoseconds: until)
        let row = try #require(session.rows(options)["/hls/a/index.m3u8 segment"])
        #expect(row.payloadBytes == length + 2_000)
        #expect(row.wholePayloadBytes == length && row.mediaPayloadBytes == length)
        #expect(row.mediaSeconds == 2 && row.retransmittedBytes == 0)
        #expect(row.mediaWireBytes == length + 500 + 5 * 66)
    }

    @Test(
        "what the client gave up, what goes on at the end and what was not captured is not whole",
        arguments: ["reset", "cut", "hole", "range", "closed"])
    func partResponses(fate: String) throws {
        var session = Session()
        let bytes = Session.response(
            Self.media(3_000), status: fate == "range" ? "206 Partial Content" : "200 OK")
        session.get("/hls/a/index.m3u8", Session.response(Self.playlist))
        session.get("/hls/a/s1.m4s", bytes)
        session.request("/hls/a/s1.m4s")
        let first = session.script.packets.count
        session.answer(fate == "cut" ? Array(bytes[..<2_500]) : bytes)
        switch fate {
        case "reset":
            session.script.add(PacketScript.tcp(session.connection, up: true, flags: 0x14))
        case "closed":
            session.script.add(PacketScript.tcp(session.connection, up: true, flags: 0x11))
        case "hole": session.script.packets.remove(at: first + 1)
        default: break
        }
        let row = try #require(session.rows()["/hls/a/index.m3u8 segment"])
        let whole = ["range", "closed"].contains(fate) ? 2 : 1
        #expect(row.wholePayloadBytes == whole * bytes.count)
        let timed = fate == "range" ? 0 : whole
        #expect(row.mediaSeconds == 2 * Double(timed))
        #expect(row.mediaPayloadBytes == timed * bytes.count)
    }

    /// A part is requested by its hint; a later playlist states its duration.
    @Test func hintedParts() throws {
        var session = Session()
        session.get("/hls/a/index.m3u8", Session.response(Self.playlist))
        let part = Session.response(Self.media(700))
        session.get("/hls/a/s2.1.m4s", part)
        #expect(session.rows()["/hls/a/index.m3u8 part"]?.mediaPayloadBytes == 0)
        let next = String(decoding: Self.playlist, as: UTF8.self).replacing(
            "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=", with: "#EXT-X-PART:DURATION=0.5,URI=")
        session.get("/hls/a/index.m3u8", Session.response(Array(next.utf8)))
        session.get("/hls/a/s2.1.m4s", part)
        let row = try #require(session.rows()["/hls/a/index.m3u8 part"])
        #expect(row.mediaSeconds == 1 && row.mediaPayloadBytes == 2 * part.count)
    }

    /// A capture of any server may name any number of paths.
    @Test func tablesAreBounded() {
        let map = HTTPResourceMap()
        for round in 0..<3 {
            var text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
            for number in 0..<60_000 { text += "#EXTINF:1,\n\(round)-\(number).ts\n" }
            map.learn(Array(text.utf8), target: "/\(round).m3u8", server: "x")
        }
        #expect(map.place(of: "/0-0.ts", server: "x") == nil)
        #expect(map.place(of: "/2-59999.ts", server: "x")?.rendition == "/2.m3u8")
        let table = HTTPTable(CaptureOptions())
        for number in 0..<HTTPTable.unresolvedLimit + 100 {
            table.add(
                table.entry(target: "/\(number).ts", server: "x"), payload: 1, wire: 2,
                retransmitted: 0)
        }
        #expect(table.rows.count == 1)
        #expect(table.rows.first?.payloadBytes == HTTPTable.unresolvedLimit + 100)
    }

    @Test(arguments: [
        ("/a/*", "/a/b/c.ts", true), ("/a/*", "/b", false), ("*.ts", "/a.ts", true),
        ("/a/*_720p/*.ts", "/a/x_720p/1.ts", true), ("/a/*_720p/*.ts", "/a/x/1.ts", false),
        ("/a", "/a", true), ("/a", "/ab", false), ("/ab*ba", "/aba", false),
    ]) func patterns(pattern: String, path: String, matches: Bool) {
        #expect(HTTPPathPattern(path: pattern, rendition: "x").matches(path[...]) == matches)
    }
}
