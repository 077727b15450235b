import struct HTTPWire.HTTPURL
import NIOCore
import NIOHTTP1
import Testing

@testable import Server

/// The edge's decisions are tested without sockets.
@Suite struct EdgeModelTests {
    @Test(arguments: [
        ("index.m3u8", EdgeKind.playlist), ("LIVE.M3U8", .playlist),
        ("x-init-1.mp4", .initialization),
        ("x-12.m4s", .segment), ("x-12.ts", .segment), ("x-12.3.m4s", .part),
        ("x_part7.mp4", .part),
        ("seg.v2.ts", .segment), ("a.jpg", .other), ("m3u8", .other), ("", .other),
    ])
    func kinds(file: String, kind: EdgeKind) { #expect(EdgeKind(file: file[...]) == kind) }

    @Test func keys() throws {
        func key(_ uri: String) throws -> String { try EdgeTarget(uri).key }
        // Directives in another order mean the same playlist; other parameters keep their order.
        #expect(
            try key("/a.m3u8?_HLS_part=1&t=2&_HLS_msn=7&s=1")
                == key("/a.m3u8?t=2&s=1&_HLS_msn=7&_HLS_part=1"))
        #expect(try key("/a.m3u8?t=2&s=1") != key("/a.m3u8?s=1&t=2"))
        #expect(try key("/a.m3u8?_HLS_msn=7") != key("/a.m3u8?_HLS_msn=8"))
        #expect(try key("/a.m3u8?_HLS_msn=7") != key("/a.m3u8?_HLS_msn=7&_HLS_skip=YES"))
        #expect(try key("/a.m3u8?") == "/a.m3u8" && key("/a.m3u8#x") == "/a.m3u8")
        // Unknown directives, leading zeros and repetitions make no new objects.
        for same in [
            "/a.m3u8?_HLS_msn=7&_HLS_x=1", "/a.m3u8?_HLS_msn=007", "/a.m3u8?_HLS_msn=7&_HLS_msn=9",
            "http://edge:80/a.m3u8?_HLS_msn=7",
        ] {
            #expect(try key(same) == key("/a.m3u8?_HLS_msn=7"))
        }
        #expect(try EdgeTarget("/a.m3u8?t=2&_HLS_msn=7").group == "/a.m3u8?t=2")
        #expect(try EdgeTarget("/a.m3u8?_HLS_msn=7").isBlocking)
        #expect(try !EdgeTarget("/a.m3u8?_HLS_skip=YES").isBlocking)
        #expect(throws: EdgeTarget.Failure.tooLong) {
            try EdgeTarget("/" + String(repeating: "a", count: EdgeTarget.longest))
        }
        for bad in ["", "a", "http:///a", "ftp://x/a", "/a b", "/a\tb", "*"] {
            #expect(throws: EdgeTarget.Failure.self) { try EdgeTarget(bad) }
        }
    }

    /// Freshness follows RFC 9111, 4.2 and 5.2.
    @Test(
        arguments: [
            (200, ["Cache-Control: max-age=60"], 60.0, false),
            (200, ["Cache-Control: public, max-age=60", "Age: 20"], 40, false),
            (200, ["Cache-Control: max-age=60, s-maxage=5"], 5, false),
            (200, ["Cache-Control: max-age=60", "Age: 90"], 0, false),
            (200, ["Cache-Control: max-age=oops"], 0, false),
            (200, ["Cache-Control: no-store"], 0, false),
            (200, ["Cache-Control: private, max-age=60"], 0, true),
            (200, ["Cache-Control: max-age=60", "Set-Cookie: a=b"], 0, true),
            (200, ["Cache-Control: max-age=60", "Vary: Accept-Encoding, Origin"], 60, false),
            (200, ["Cache-Control: max-age=60", "Vary: Cookie"], 0, true),
            (200, ["Cache-Control: max-age=99999999"], EdgeFreshness.longest, false),
            (404, ["Cache-Control: max-age=4"], 4, false),
            (503, ["Cache-Control: max-age=4"], 0, false),
            (206, ["Cache-Control: max-age=4"], 0, false), (404, [], nil, false),
        ] as [(Int, [String], Double?, Bool)])
    func freshness(status: Int, lines: [String], lifetime: Double?, isPrivate: Bool) {
        var headers = HTTPHeaders()
        for line in lines {
            let pair = line.split(separator: ":", maxSplits: 1)
            headers.add(name: String(pair[0]), value: String(pair[1].dropFirst()))
        }
        let freshness = EdgeFreshness(status: status, headers: headers)
        #expect(freshness.lifetime == lifetime)
        #expect(freshness.isPrivate == isPrivate)
    }

    /// Origins without Cache-Control are treated by rfc8216bis, B.1.
    @Test func standardFreshness() {
        let playlist = ByteBuffer(string: "#EXTM3U\n#EXT-X-TARGETDURATION:4\n")
        func seconds(
            _ status: Int, _ kind: EdgeKind, _ isBlocking: Bool = false, _ body: ByteBuffer? = nil
        ) -> Double {
            EdgeFreshness.standard(
                status: status, kind: kind, isBlocking: isBlocking, body: body ?? ByteBuffer())
        }
        #expect(seconds(200, .playlist, true, playlist) == 24)
        #expect(seconds(200, .playlist, false, playlist) == 2)
        #expect(seconds(200, .playlist) == 1 && seconds(404, .segment) == 1)
        #expect(seconds(200, .segment) == 600 && seconds(200, .other) == 0)
        #expect(seconds(500, .segment) == 0)
    }

    @Test func headersEndAtTheHop() {
        let headers: HTTPHeaders = [
            "Connection": "close, X-Mine", "X-Mine": "1", "Keep-Alive": "5", "Age": "3",
            "Content-Length": "5", "Transfer-Encoding": "chunked", "ETag": "\"a\"",
            "Access-Control-Allow-Origin": "*", "X-Cache": "hit", "Via": "1.0 x",
        ]
        #expect(
            EdgeHeaders.passed(headers)
                == "ETag: \"a\"\r\nAccess-Control-Allow-Origin: *\r\nVia: 1.0 x\r\n")
    }

    @Test func leastRecentlyUsedGoesFirst() {
        // Three entries of 1000 bytes fit.
        let cost = 1000 + 1 + EdgeCache<Int>.overhead
        var cache = EdgeCache<Int>(byteLimit: 3 * cost)
        for (i, key) in ["a", "b", "c"].enumerated() {
            #expect(cache.insert(i, for: key, bytes: 1000, expiry: 100).isEmpty)
        }
        #expect(cache.value(for: "a", at: 0) == 0)
        #expect(cache.insert(3, for: "d", bytes: 1000, expiry: 100) == [1])
        #expect(cache.value(for: "b", at: 0) == nil && cache.byteCount == 3 * cost)
        // A value with the same key replaces the old one, and an expired value is gone.
        #expect(cache.insert(4, for: "a", bytes: 1000, expiry: 10).isEmpty)
        #expect(cache.count == 3 && cache.value(for: "a", at: 9) == 4)
        #expect(cache.value(for: "a", at: 10) == nil && cache.byteCount == 2 * cost)
        // A value that is too large leaves the others alone; a large one removes several.
        #expect(cache.insert(5, for: "e", bytes: 4 * cost, expiry: 100).isEmpty && cache.count == 2)
        #expect(cache.insert(6, for: "f", bytes: 2 * cost, expiry: 100).sorted() == [2, 3])
        #expect(cache.value(for: "f", at: 0) == 6 && cache.count == 1)
    }

    /// Many inserts and look-ups are compared with a plain model.
    @Test func cacheAgainstModel() {
        var cache = EdgeCache<Int>(byteLimit: 20_000)
        var model: [(key: String, value: Int)] = []
        var state: UInt64 = 7
        for step in 0..<5000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let key = "k\(state >> 40 % 30 + 10)"
            if step % 3 == 0 {
                let known = model.firstIndex { $0.key == key }
                #expect(cache.value(for: key, at: 0) == known.map { model[$0].value })
                if let known { model.append(model.remove(at: known)) }
            } else {
                model.removeAll { $0.key == key }
                model.append((key, step))
                let evicted = cache.insert(step, for: key, bytes: 1000, expiry: 1)
                let cost = 1000 + 3 + EdgeCache<Int>.overhead
                let gone = max(0, model.count - 20_000 / cost)
                #expect(evicted == model.prefix(gone).map(\.value))
                model.removeFirst(gone)
            }
            #expect(cache.count == model.count && cache.byteCount <= 20_000)
        }
    }

    @Test func collapsing() throws {
        let store = EdgeStore(byteLimit: 1 << 20, objectLimit: 1 << 20)
        let target = try EdgeTarget("/a-1.m4s")
        func head(_ control: String) -> HTTPResponseHead {
            HTTPResponseHead(version: .http1_1, status: .ok, headers: ["Cache-Control": control])
        }
        guard case .fetch(let object) = store.look(target, at: 0) else {
            Issue.record("not fetched")
            return
        }
        guard case .joined(let same) = store.look(target, at: 1) else {
            Issue.record("not joined")
            return
        }
        #expect(same === object)
        #expect(store.received(head("max-age=10"), of: object, at: 1_000_000_000) == nil)
        #expect(store.received(ByteBuffer(string: "hello "), of: object) == nil)
        #expect(store.received(ByteBuffer(string: "world"), of: object) == nil)
        #expect(object.slice(from: 3, limit: 100).map { String(buffer: $0) } == "lo ")
        #expect(object.slice(from: 6, limit: 2).map { String(buffer: $0) } == "wo")
        store.finished(object, at: 0)
        #expect(object.slice(from: 3, limit: 5).map { String(buffer: $0) } == "lo wo")
        guard case .hit = store.look(target, at: 10_999_999_999) else {
            Issue.record("not kept for 10 s")
            return
        }
        #expect(object.age(at: 5_500_000_000) == 4)
        // The object is stale, so it is fetched again. An object that must not be kept is not
        // joined once that is known.
        guard case .fetch(let second) = store.look(target, at: 11_000_000_000) else {
            Issue.record("kept for too long")
            return
        }
        _ = store.received(head("no-store"), of: second, at: 0)
        guard case .fetch(let third) = store.look(target, at: 0) else {
            Issue.record("joined what may not be kept")
            return
        }
        store.failed(third, EdgeFailure(status: .badGateway, reason: ""))
        guard case .fetch = store.look(target, at: 0) else {
            Issue.record("joined what has failed")
            return
        }
        var status = EdgeStatus(origin: "")
        store.fill(&status)
        let counts = try #require(status.kinds["segment"])
        #expect(counts.requests == 6 && counts.misses == 4 && counts.hits == 1)
        #expect(counts.collapsed == 1 && counts.originBytes == 11 && counts.hitRatio == 2.0 / 6)
    }

    /// Makes a playlist up to segment `next` and some of its parts.
    private func playlist(_ next: Int, parts: Int = 0) -> ByteBuffer {
        var text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:\(next - 3)\n"
        for number in next - 3..<next { text += "#EXTINF:2,\n\(number).ts\n" }
        for part in 0..<parts { text += "#EXT-X-PART:DURATION=0.5,URI=\"\(next).\(part)\"\n" }
        return ByteBuffer(string: text)
    }

    private func answer(
        _ object: EdgeObject, _ body: ByteBuffer, from store: EdgeStore, at now: Int64
    ) {
        let head = HTTPResponseHead(
            version: .http1_1, status: .ok, headers: ["Cache-Control": "max-age=60"])
        #expect(store.received(head, of: object, at: now) == nil)
        #expect(store.received(body, of: object) == nil)
        store.finished(object, at: now)
    }

    /// A kept plain playlist is not served once a newer one has come, with whatever directives; nor
    /// is a playlist that was overtaken on its way.
    @Test func playlistsNeverGoBack() throws {
        let store = EdgeStore(byteLimit: 1 << 20, objectLimit: 1 << 20)
        let plain = try EdgeTarget("/a.m3u8")
        let blocking = try EdgeTarget("/a.m3u8?_HLS_msn=10&_HLS_part=1")
        answer(store.look(plain, at: 0).object, playlist(10, parts: 1), from: store, at: 1)
        guard case .hit = store.look(plain, at: 2) else {
            Issue.record("not kept")
            return
        }
        answer(store.look(blocking, at: 2).object, playlist(10, parts: 2), from: store, at: 3)
        guard case .fetch(let late) = store.look(plain, at: 4) else {
            Issue.record("an older playlist is served")
            return
        }
        // A newer version comes while it is being fetched: later clients do not join it.
        answer(
            store.look(try EdgeTarget("/a.m3u8?_HLS_msn=11"), at: 5).object, playlist(12),
            from: store, at: 6)
        guard case .fetch(let own) = store.look(plain, at: 7) else {
            Issue.record("joined a fetch that may be older")
            return
        }
        answer(late, playlist(11), from: store, at: 8)
        answer(own, playlist(12), from: store, at: 9)
        guard case .hit(let kept) = store.look(plain, at: 10) else {
            Issue.record("not kept")
            return
        }
        #expect(kept === own)
        // Another playlist is independent, and a later response of the origin counts.
        answer(
            store.look(try EdgeTarget("/b.m3u8"), at: 10).object, playlist(4), from: store, at: 11)
        guard case .hit = store.look(try EdgeTarget("/b.m3u8"), at: 12) else {
            Issue.record("not kept")
            return
        }
        let anew = try EdgeTarget("/a.m3u8?_HLS_msn=5")
        answer(store.look(anew, at: 20).object, playlist(3), from: store, at: 21)
        guard case .hit = store.look(anew, at: 22) else {
            Issue.record("a stream that began anew is not kept")
            return
        }
    }

    /// An edge without a cache keeps nothing, whatever the origin allows.
    @Test func aWayKeepsNothing() throws {
        let store = EdgeStore(byteLimit: 1 << 20, objectLimit: 1 << 20, keeps: false)
        let target = try EdgeTarget("/a-1.m4s")
        for _ in 0..<2 {
            guard case .fetch(let object) = store.look(target, at: 0) else {
                Issue.record("kept")
                return
            }
            let head = HTTPResponseHead(
                version: .http1_1, status: .ok, headers: ["Cache-Control": "max-age=10"])
            #expect(store.received(head, of: object, at: 0) == nil)
            #expect(object.head?.lines.contains("max-age=10") == true)
            store.finished(object, at: 0)
        }
    }

    @Test func objectsAreBounded() throws {
        let store = EdgeStore(byteLimit: 1 << 20, objectLimit: 10)
        let object = store.look(try EdgeTarget("/a"), at: 0).object
        let long = HTTPResponseHead(
            version: .http1_1, status: .ok, headers: ["Content-Length": "11"])
        #expect(store.received(long, of: object, at: 0)?.status == .badGateway)
        let silent = HTTPResponseHead(version: .http1_1, status: .ok)
        #expect(store.received(silent, of: object, at: 0) == nil)
        #expect(store.received(ByteBuffer(string: "0123456789"), of: object) == nil)
        #expect(store.received(ByteBuffer(string: "0"), of: object)?.status == .badGateway)
    }

    /// 1448 bytes of payload cost 1500 on the link; a late caller loses and gains nothing.
    @Test func wanIsAVirtualClock() {
        var link = WANLink(.init(bitsPerSecond: 12_000_000, delayNanoseconds: 5_000_000))
        #expect(link.carry(1448, at: 0) == 6_000_000)
        #expect(link.carry(1448, at: 0) == 7_000_000)
        #expect(link.carry(0, at: 100) == 7_000_000)
        // The link has been idle since 2 ms.
        #expect(link.carry(1448, at: 3_000_000) == 9_000_000)
        #expect(link.pause(at: 3_000_000, onTheWay: 0) == nil)
        for _ in 0..<1000 { _ = link.carry(1, at: 3_000_000) }
        // 1448 + 1000 bytes take 2448/1448 ms, rounded once.
        #expect(link.carry(0, at: 3_000_000) == 8_000_000 + 1_690_607)
        _ = link.carry(1448 * 30, at: 3_000_000)
        #expect(link.pause(at: 3_000_000, onTheWay: 0) != nil)
        #expect(link.pause(at: 60_000_000, onTheWay: WANLink.lineLimit + 1) != nil)
        var near = WANLink(nil)
        #expect(near.carry(1 << 20, at: 5) == 5)
    }

    @Test(arguments: [
        ("http://a", "a", 80), ("http://a:81/", "a", 81), ("http://[::1]:8080", "::1", 8080),
    ])
    func origins(text: String, host: String, port: Int) throws {
        let address = try #require(HTTPURL(origin: text))
        #expect(address.host == host && address.port == port)
    }

    @Test(arguments: [
        "", "a", "http://", "http://:80", "http://a:0", "http://a:x", "http://a:99999",
        "http://a b", "http://::1", "http://a/?x", "http://u@a",
        "http://a/hls",
    ])
    func badOrigins(text: String) {
        #expect(HTTPURL(origin: text) == nil)
        #expect(EdgeConfiguration(origin: text).problem?.contains("http") == true)
    }

    @Test func originsPathIsRefusedWithTheMend() {
        #expect(
            EdgeConfiguration(origin: "http://a:8080/hls/x").problem?
                .contains("give http://a:8080, ") == true)
    }
}
