import FoundationEssentials
import Logging
import NIOCore
import TestSupport
import Testing

@testable import Server

/// Runs an edge in front of `port` for the time of `body`.
func withEdge(
    before port: Int, _ configure: (inout EdgeConfiguration) -> Void = { _ in },
    _ body: (EdgeServer) async throws -> Void
) async throws {
    var configuration = EdgeConfiguration(origin: "http://127.0.0.1:\(port)")
    configuration.port = 0
    configure(&configuration)
    let edge = try await EdgeServer.start(
        configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    do {
        try await body(edge)
    } catch {
        try? await edge.stop()
        throw error
    }
    try await edge.stop()
}

extension EdgeServer {
    func counts(_ kind: EdgeKind) async throws -> EdgeStatus.Counts {
        try await status().kinds[kind.rawValue] ?? .init()
    }
}

/// An edge in front of an origin that the test controls.
@Suite(.timeLimit(.minutes(1))) struct EdgeTests {
    /// Clients that leave free the origin's connections for others.
    @Test func abandonedFetchesAreGivenUp() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port, { $0.originConnections = 2 }) { edge in
            var leaving: [HLSPeer]? = try (0..<5).map { _ in try HLSPeer(port: edge.port) }
            for (number, client) in (leaving ?? []).enumerated() {
                try await client.ask("/stalled-\(number).ts")
            }
            try await eventually("all have asked") {
                try await edge.counts(.segment).requests == 5
            }
            // Both connections are held by responses that never come.
            for _ in 0..<2 { _ = try await origin.next() }
            leaving = nil
            let honest = try HLSPeer(port: edge.port)
            try await honest.ask("/honest.ts")
            let (peer, request) = try await origin.next()
            #expect(request.hasPrefix("GET /honest.ts "))
            try await peer.answer("here")
            #expect(try await honest.answer()?.text == "here")
            #expect(try await edge.status().givenUpFetches == 2)
        }
    }

    @Test func fetchesEndInTime() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port, { $0.fetchSeconds = 1 }) { edge in
            let client = try HLSPeer(port: edge.port)
            try await client.ask("/slow.ts")
            _ = try await origin.next()
            let answer = try #require(try await client.answer())
            #expect(answer.status == 504 && answer.text.contains("--fetch-timeout"))
        }
    }

    @Test func manyAskOnceIsFetched() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port) { edge in
            let clients = try (0..<50).map { _ in try HLSPeer(port: edge.port) }
            for client in clients { try await client.ask("/a/s-1.m4s") }
            try await eventually("all have asked") {
                try await edge.counts(.segment).requests == 50
            }
            let peer = try await origin.accept()
            let request = try #require(try await peer.request())
            #expect(request.hasPrefix("GET /a/s-1.m4s HTTP/1.1\r\n"))
            #expect(request.contains("Via: 1.1 millrace-edge"))
            // Every client gets the first bytes before the last ones exist.
            try await peer.send(
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nX-Own: 1\r\n"
                    + "Content-Length: 10\r\n\r\nfirst")
            try await eventually("the first half is everywhere") {
                try await edge.counts(.segment).clientBytes == 250
            }
            try await peer.send("-last")
            var dispositions: [String: Int] = [:]
            for client in clients {
                let answer = try #require(try await client.answer())
                #expect(answer.text == "first-last" && answer.headers["x-own"] == "1")
                dispositions[answer.headers["x-cache"] ?? "", default: 0] += 1
            }
            #expect(dispositions == ["miss": 1, "collapsed": 49])
            let late = try await clients[0].get("/a/s-1.m4s")
            #expect(late.headers["x-cache"] == "hit" && late.headers["age"] != nil)
            #expect(
                try await clients[0].get("/a/s-1.m4s", method: "HEAD").headers["content-length"]
                    == "10")
            #expect(origin.isUnasked)
            let counts = try await edge.counts(.segment)
            #expect(counts.originRequests == 1 && counts.originBytes == 10 && counts.hits == 2)
            #expect(counts.clientBytes == 510)
        }
    }

    @Test func rangesComeFromTheWhole() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port) { edge in
            let client = try HLSPeer(port: edge.port)
            try await client.ask("/s.ts", headers: ["Range: bytes=2-4"])
            let peer = try await origin.accept()
            #expect(try await peer.request()?.lowercased().contains("range:") == false)
            try await peer.answer("0123456789")
            let first = try #require(try await client.answer())
            #expect(first.status == 206 && first.text == "234")
            #expect(first.headers["content-range"] == "bytes 2-4/10")
            let last = try await client.get("/s.ts", headers: ["Range: bytes=-3"])
            #expect(last.status == 206 && last.text == "789")
            let none = try await client.get("/s.ts", headers: ["Range: bytes=10-"])
            #expect(none.status == 416 && none.headers["content-range"] == "bytes */10")
            #expect(try await client.get("/s.ts").text == "0123456789")
            #expect(try await edge.counts(.segment).originRequests == 1)
        }
    }

    /// A blocked reload holds only its own query; clients that send the same query wait with it.
    @Test func blockedReloads() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port) { edge in
            let clients = try (0..<3).map { _ in try HLSPeer(port: edge.port) }
            try await clients[0].ask("/x.m3u8?_HLS_msn=5&_HLS_part=1")
            let blocked = try await origin.accept()
            _ = try await blocked.request()
            try await clients[1].ask("/x.m3u8?_HLS_part=1&_HLS_msn=5")
            try await clients[2].ask("/x.m3u8")
            let plain = try await origin.accept()
            #expect(try await plain.request()?.hasPrefix("GET /x.m3u8 ") == true)
            try await plain.answer("old")
            #expect(try await clients[2].answer()?.text == "old")
            try await blocked.answer("new")
            #expect(try await clients[0].answer()?.text == "new")
            let joined = try #require(try await clients[1].answer())
            #expect(joined.text == "new" && joined.headers["x-cache"] == "collapsed")
            #expect(try await clients[2].get("/x.m3u8").headers["x-cache"] == "hit")
            #expect(try await edge.counts(.playlist).originRequests == 2)
        }
    }

    @Test func chunkedAndUnnamedLengths() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port) { edge in
            let client = try HLSPeer(port: edge.port)
            try await client.ask("/s.ts", headers: ["Range: bytes=1-2"])
            let peer = try await origin.accept()
            _ = try await peer.request()
            try await peer.send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
            )
            #expect(try await client.answer()?.text == "bc")
            // While the length is unknown, the client gets chunks too.
            let raw = try TCPSocket(port: edge.port)
            try await raw.send(ByteBuffer(string: "GET /t.ts HTTP/1.1\r\nHost: x\r\n\r\n"))
            _ = try await peer.request()
            try await peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            var text = ""
            while !text.hasSuffix("3\r\nabc\r\n") {
                text += String(buffer: try #require(try await raw.receive()))
            }
            #expect(text.contains("Transfer-Encoding: chunked"))
            try await peer.send("0\r\n\r\n")
            while !text.hasSuffix("\r\n0\r\n\r\n") {
                text += String(buffer: try #require(try await raw.receive()))
            }
            // One connection carried both.
            #expect(origin.isUnasked)
        }
    }

    @Test func deadKeptConnectionIsReplaced() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port) { edge in
            let client = try HLSPeer(port: edge.port)
            try await client.ask("/1.ts")
            let first = try await origin.accept()
            _ = try await first.request()
            try await first.answer("one")
            #expect(try await client.answer()?.text == "one")
            try await client.ask("/2.ts")
            _ = try await first.request()
            first.socket.abort()
            let second = try await origin.accept()
            #expect(try await second.request()?.hasPrefix("GET /2.ts") == true)
            try await second.answer("two")
            #expect(try await client.answer()?.text == "two")
            // A response that breaks off in the middle is not repeated: the client must see it.
            try await client.ask("/3.ts")
            _ = try await second.request()
            try await second.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            second.socket.abort()
            #expect(try await client.answer() == nil)
            #expect(try await edge.counts(.segment).failures == 1)
            #expect(try await edge.status().originConnections == 0)
        }
    }

    @Test func deadOrigin() async throws {
        let port = try ScriptedOrigin().port
        try await withEdge(before: port) { edge in
            let client = try HLSPeer(port: edge.port)
            let answer = try await client.get("/1.ts")
            #expect(answer.status == 502 && answer.headers["cache-control"] == "no-store")
            #expect(answer.text.contains("cannot reach its origin http://127.0.0.1:\(port)"))
            #expect(answer.headers["access-control-allow-origin"] == "*")
            // The connection stays.
            #expect(try await client.get("/1.ts").status == 502)
        }
    }

    @Test func silentOrigin() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port, { $0.originTimeoutSeconds = 1 }) { edge in
            let client = try HLSPeer(port: edge.port)
            let answer = try await client.get("/1.ts")
            #expect(answer.status == 504 && answer.text.contains("--origin-timeout"))
        }
    }

    @Test func privateAnswersAreNotShared() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port) { edge in
            let clients = try (0..<2).map { _ in try HLSPeer(port: edge.port) }
            for (i, client) in clients.enumerated() {
                try await client.ask("/me.json")
                try await eventually("asked") {
                    try await edge.counts(.other).requests == i + 1
                }
            }
            let first = try await origin.accept()
            _ = try await first.request()
            try await first.answer("A", headers: ["Cache-Control: private"])
            #expect(try await clients[0].answer()?.text == "A")
            // The second client's own fetch begins as soon as the head shows that the response is
            // private, while the first is still in progress.
            let second = try await origin.accept()
            _ = try await second.request()
            try await second.answer("B", headers: ["Cache-Control: private"])
            let answer = try #require(try await clients[1].answer())
            #expect(answer.text == "B" && answer.headers["x-cache"] == "miss")
            let counts = try await edge.counts(.other)
            #expect(counts.misses == 2 && counts.collapsed == 0 && counts.privateFetches == 1)
            let metrics = MetricsPage(try await clients[0].get("/metrics").text)
            // What was counted as collapsed stays so, for a counter must not go back.
            for outcome in ["miss", "collapsed"] {
                let labels = "kind=\"other\",outcome=\"\(outcome)\""
                #expect(metrics.values["millrace_edge_requests_total{\(labels)}"] == 1)
            }
        }
    }

    /// A client that does not read delays no other client, gets no more into memory than its
    /// socket's share, and is cut.
    @Test func slowClient() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port, { $0.stalledClientSeconds = 2 }) { edge in
            let slow = try HLSPeer(port: edge.port, receiveBuffer: 4096)
            let fast = try HLSPeer(port: edge.port)
            try await slow.ask("/big.ts")
            let peer = try await origin.accept()
            _ = try await peer.request()
            try await fast.ask("/big.ts")
            let body = String(repeating: "0123456789abcdef", count: 1 << 19)
            try await peer.answer(body)
            #expect(try await fast.answer()?.body.readableBytes == body.utf8.count)
            let sent = try await edge.counts(.segment).clientBytes
            // The sender's kernel takes some megabytes on loopback, and the edge hands on no more.
            #expect(sent < 2 * body.utf8.count)
            try await eventually("the slow client is cut") {
                try await edge.status().clients == 1
            }
        }
    }

    @Test func methodsAndNonsense() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port) { edge in
            let client = try HLSPeer(port: edge.port)
            #expect(try await client.get("/a.ts", method: "POST").status == 405)
            let long = "/" + String(repeating: "a", count: 5000)
            #expect(try await client.get(long).status == 414)
            let status = try await client.get("/api/v1/edge")
            let json = try JSONDecoder().decode(
                EdgeStatus.self, from: Data(status.body.readableBytesView))
            #expect(json.origin == "http://127.0.0.1:\(origin.port)" && json.clients == 1)
            #expect(json.total.refused == 2)
            let endless = try await client.get("/live/a.flv")
            #expect(endless.status == 404 && endless.text.contains("at the origin"))
            #expect(origin.isUnasked)
            let raw = try TCPSocket(port: edge.port)
            try await raw.send(ByteBuffer(string: "OPTIONS /a HTTP/1.1\r\nHost: x\r\n\r\n"))
            let text = String(buffer: try #require(try await raw.receive()))
            #expect(text.hasPrefix("HTTP/1.1 204") && text.contains("Allow-Methods: GET"))
        }
    }

    @Test func fetchesAreBounded() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(
            before: origin.port,
            {
                $0.originConnections = 1
                $0.queuedFetches = 1
            }
        ) { edge in
            let clients = try (0..<3).map { _ in try HLSPeer(port: edge.port) }
            for (i, client) in clients.enumerated() {
                try await client.ask("/\(i).ts")
                try await eventually("asked") {
                    try await edge.counts(.segment).requests == i + 1
                }
            }
            #expect(try await clients[2].answer()?.status == 503)
            let peer = try await origin.accept()
            for i in 0..<2 {
                #expect(try await peer.request()?.hasPrefix("GET /\(i).ts") == true)
                try await peer.answer("\(i)")
                #expect(try await clients[i].answer()?.text == "\(i)")
            }
            #expect(origin.isUnasked)
        }
    }

    /// Requests sent ahead are answered in their order; a client that sends too many is cut.
    @Test func pipelining() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port) { edge in
            let client = try HLSPeer(port: edge.port)
            for i in 0..<3 { try await client.ask("/\(i).ts") }
            for i in 0..<3 {
                let (peer, request) = try await origin.next()
                #expect(request.hasPrefix("GET /\(i).ts"))
                try await peer.answer("\(i)")
                #expect(try await client.answer()?.text == "\(i)")
            }
            try await client.ask("/held.ts")
            let (peer, _) = try await origin.next()
            let request = "GET /held.ts HTTP/1.1\r\nHost: x\r\n\r\n"
            let flood = String(repeating: request, count: EdgeClient.pipelineLimit + 1)
            try await client.socket.send(ByteBuffer(string: flood))
            try await client.socket.waitForClose()
            try await eventually("it is gone") { try await edge.status().clients == 0 }
            // The object that it requested comes all the same, for others.
            try await peer.answer("held")
            try await eventually("it is kept") { try await edge.status().cachedObjects == 4 }
            let other = try HLSPeer(port: edge.port)
            #expect(try await other.get("/held.ts").headers["x-cache"] == "hit")
        }
    }

    /// Objects that no longer fit are removed, the oldest first, and the counts show it.
    @Test func evictions() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port, { $0.cacheBytes = 1 << 20 }) { edge in
            let client = try HLSPeer(port: edge.port)
            let body = String(repeating: "x", count: 400_000)
            for i in 0..<3 {
                try await client.ask("/\(i).ts")
                try await origin.next().peer.answer(body)
                #expect(try await client.answer()?.body.readableBytes == body.utf8.count)
            }
            // The last byte is sent before the object is known to be whole.
            try await eventually("all are whole") { try await edge.status().fetches == 0 }
            let counts = try await edge.counts(.segment)
            #expect(counts.evictions == 1)
            #expect(try await edge.status().cachedBytes <= 1 << 20)
            #expect(try await client.get("/2.ts").headers["x-cache"] == "hit")
            try await client.ask("/0.ts")
            #expect(try await origin.next().request.hasPrefix("GET /0.ts"))
        }
    }
}
