import TestSupport
import Testing

@testable import Server

/// Access to an edge's status and contents.
@Suite(.timeLimit(.minutes(1))) struct EdgeAccessTests {
    /// The status is for the edge's operator: on this machine, or with the token.
    @Test func theStatusIsForTheOperator() async throws {
        let origin = try ScriptedOrigin()
        for path in ["/api/v1/edge", "/metrics"] {
            for token in [nil, "t0ken"] {
                try await withEdge(before: origin.port, { $0.apiToken = token }) { edge in
                    try await expectStatusForTheOperator(
                        try HLSPeer(port: edge.port), path, hasToken: token != nil,
                        originPort: origin.port)
                }
            }
        }
        var configuration = EdgeConfiguration(origin: "http://127.0.0.1:1")
        configuration.apiToken = ""
        #expect(configuration.problem?.contains("empty") == true)
        configuration.apiToken = "a"
        configuration.apiTokenFile = "/a"
        #expect(configuration.problem?.contains("twice") == true)
    }

    private func expectStatusForTheOperator(
        _ client: HLSPeer, _ path: String, hasToken: Bool, originPort: Int
    ) async throws {
        let here = try await client.get(path)
        #expect(here.status == 200)
        #expect(here.headers["access-control-allow-origin"] == nil)
        // Another server on this machine passes the request on.
        let elsewhere = "X-Forwarded-For: 192.0.2.1"
        let refused = try await client.get(path, headers: [elsewhere])
        #expect(refused.status == 401 && refused.text.contains("oken"))
        #expect(!refused.text.contains("\(originPort)") && !refused.text.contains("millrace_"))
        let right = ["Authorization: Bearer t0ken", elsewhere]
        #expect(try await client.get(path, headers: right).status == (hasToken ? 200 : 401))
        for _ in 0..<StreamKeys.patience {
            _ = try await client.get(path, headers: ["Authorization: Bearer x", elsewhere])
        }
        let guess = ["Authorization: Bearer y", elsewhere]
        #expect(try await client.get(path, headers: guess).status == (hasToken ? 429 : 401))
        #expect(try await client.get(path, headers: right).status == (hasToken ? 200 : 401))
    }

    @Test func prometheusReadsTheFigures() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port) { edge in
            let client = try HLSPeer(port: edge.port)
            try await client.ask("/a-1.ts")
            let peer = try await origin.accept()
            _ = try await peer.request()
            try await peer.answer("12345")
            #expect(try await client.answer()?.text == "12345")
            #expect(try await client.get("/a-1.ts").text == "12345")
            let answer = try await client.get("/metrics?x=1")
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(answer.headers["cache-control"] == "no-store")
            let page = MetricsPage(answer.text)
            #expect(page.problems == [])
            for outcome in ["hit", "miss"] {
                let labels = "kind=\"segment\",outcome=\"\(outcome)\""
                #expect(page.values["millrace_edge_requests_total{\(labels)}"] == 1)
            }
            let segments = "{kind=\"segment\"}"
            #expect(page.values["millrace_edge_sent_bytes_total\(segments)"] == 10)
            #expect(page.values["millrace_edge_origin_received_bytes_total\(segments)"] == 5)
            #expect(page.values["millrace_edge_cache_objects"] == 1)
            #expect(page.values["millrace_edge_client_connections"] == 1)
            #expect(page.values["millrace_edge_origin_connections"] == 1)
            #expect(try await client.get("/metrics", method: "HEAD").status == 200)
            // The page is the edge's own, not the origin's.
            #expect(peer.poll() == nil)
        }
    }

    @Test func clientsHaveALimit() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port, { $0.limits.connections = 3 }) { edge in
            var clients = try (0..<3).map { _ in try HLSPeer(port: edge.port) }
            try await eventually("all are there") { try await edge.status().clients == 3 }
            try await TCPSocket(port: edge.port).waitForClose()
            clients.removeLast().socket.close()
            try await eventually("a place is free") { try await edge.status().clients == 2 }
            let next = try HLSPeer(port: edge.port)
            #expect(try await next.get("/api/v1/edge").status == 200)
            #expect(try await edge.status().refusedConnections == 1)
        }
    }
}
