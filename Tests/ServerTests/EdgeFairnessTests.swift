import NIOCore
import TestSupport
import Testing

@testable import Server

/// Clients and origins that hold an edge's connections leave some to others.
@Suite(.timeLimit(.minutes(1))) struct EdgeFairnessTests {
    /// Reloads that the origin holds back leave connections to others, and none of the reloads is
    /// lost.
    @Test func heldReloadsLeaveRoom() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port, { $0.originConnections = 4 }) { edge in
            var clients: [HLSPeer] = []
            for number in 0..<5 {
                let client = try HLSPeer(port: edge.port)
                try await client.ask("/index.m3u8?x=\(number)&_HLS_msn=7")
                clients.append(client)
            }
            var held: [ScriptedOrigin.Peer] = []
            for _ in 0..<3 {
                let (peer, request) = try await origin.next()
                #expect(request.contains("_HLS_msn=7"))
                held.append(peer)
            }
            try await eventually("the others wait") { try await edge.status().queuedFetches == 2 }
            let honest = try HLSPeer(port: edge.port)
            try await honest.ask("/honest.ts")
            let (next, request) = try await origin.next()
            #expect(request.hasPrefix("GET /honest.ts "))
            try await next.answer("here")
            #expect(try await honest.answer()?.text == "here")
            for peer in held { try await peer.answer("#EXTM3U") }
            for peer in held.prefix(2) {
                #expect(try await peer.request()?.contains("_HLS_msn=7") == true)
                try await peer.answer("#EXTM3U")
            }
            for client in clients { #expect(try await client.answer()?.text == "#EXTM3U") }
        }
    }

    /// A reload that is repeated, because the origin closed its connection, waits if another reload
    /// has taken its place.
    @Test func aRepeatedReloadKeepsTheLimit() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port, { $0.originConnections = 2 }) { edge in
            let client = try HLSPeer(port: edge.port)
            try await client.ask("/a.ts")
            let (kept, _) = try await origin.next()
            try await kept.answer("a")
            #expect(try await client.answer()?.text == "a")
            let first = try HLSPeer(port: edge.port)
            try await first.ask("/1.m3u8?_HLS_msn=7")
            #expect(try await kept.request()?.hasPrefix("GET /1.m3u8") == true)
            let second = try HLSPeer(port: edge.port)
            try await second.ask("/2.m3u8?_HLS_msn=7")
            try await eventually("the second reload waits") {
                try await edge.status().queuedFetches == 1
            }
            kept.socket.close()
            let news = try await origin.accept()
            #expect(try await news.request()?.hasPrefix("GET /2.m3u8") == true)
            #expect(try await edge.status().queuedFetches == 1)
            try await news.answer("#EXTM3U")
            #expect(try await second.answer()?.text == "#EXTM3U")
            #expect(try await news.request()?.hasPrefix("GET /1.m3u8") == true)
            try await news.answer("#EXTM3U")
            #expect(try await first.answer()?.text == "#EXTM3U")
            #expect(origin.isUnasked)
        }
    }

    /// Clients that stay and wait for slow responses do not keep others out.
    @Test func slowFetchesMakeRoom() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(
            before: origin.port,
            {
                $0.originConnections = 2
                $0.slowFetchSeconds = 1
            }
        ) { edge in
            let slow = try HLSPeer(port: edge.port)
            let blocked = try HLSPeer(port: edge.port)
            try await slow.ask("/slow.ts")
            let (peer, _) = try await origin.next()
            try await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nx")
            try await blocked.ask("/index.m3u8?_HLS_msn=7")
            let (news, _) = try await origin.next()
            let honest = try HLSPeer(port: edge.port)
            try await honest.ask("/honest.ts")
            let (next, request) = try await origin.next()
            #expect(request.hasPrefix("GET /honest.ts "))
            try await next.answer("here")
            #expect(try await honest.answer()?.text == "here")
            #expect(try await edge.status().givenUpFetches == 1)
            // A reload that waits for a new version is not slow.
            try await news.answer("#EXTM3U")
            #expect(try await blocked.answer()?.text == "#EXTM3U")
        }
    }
}
