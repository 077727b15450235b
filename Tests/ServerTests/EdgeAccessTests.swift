import TestSupport
import Testing

@testable import Server

/// Access to an edge's status and contents.
@Suite(.timeLimit(.minutes(1))) struct EdgeAccessTests {
    /// The status is for the edge's operator: on this machine, or with the token.
    @Test func theStatusIsForTheOperator() async throws {
        let origin = try ScriptedOrigin()
        for token in [nil, "t0ken"] {
            try await withEdge(before: origin.port, { $0.apiToken = token }) { edge in
                let client = try HLSPeer(port: edge.port)
                let path = "/api/v1/edge"
                let here = try await client.get(path)
                #expect(here.status == 200)
                #expect(here.headers["access-control-allow-origin"] == nil)
                // Another server on this machine passes the request on.
                let elsewhere = "X-Forwarded-For: 192.0.2.1"
                let refused = try await client.get(path, headers: [elsewhere])
                #expect(refused.status == 401 && refused.text.contains("oken"))
                #expect(!refused.text.contains("\(origin.port)"))
                let right = ["Authorization: Bearer t0ken", elsewhere]
                #expect(
                    try await client.get(path, headers: right).status == (token == nil ? 401 : 200))
                for _ in 0..<StreamKeys.patience {
                    _ = try await client.get(path, headers: ["Authorization: Bearer x", elsewhere])
                }
                let guess = ["Authorization: Bearer y", elsewhere]
                #expect(
                    try await client.get(path, headers: guess).status == (token == nil ? 401 : 429))
                #expect(
                    try await client.get(path, headers: right).status == (token == nil ? 401 : 200))
            }
        }
        var configuration = EdgeConfiguration(origin: "http://127.0.0.1:1")
        configuration.apiToken = ""
        #expect(configuration.problem?.contains("empty") == true)
        configuration.apiToken = "a"
        configuration.apiTokenFile = "/a"
        #expect(configuration.problem?.contains("twice") == true)
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
