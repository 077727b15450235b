import HLS
import NIOCore
import TestServer
import Testing

@testable import Server

/// The server accepts requests that RFC 9112 allows, and refuses all others.
@Suite(.timeLimit(.minutes(1))) struct HTTPRequestTests {
    struct Case: CustomTestStringConvertible {
        var name: String
        var request: String
        var status: Int

        var testDescription: String { name }
    }

    static let cases = [
        Case(name: "origin form", request: "GET /none HTTP/1.1\r\nHost: x\r\n\r\n", status: 404),
        Case(
            name: "absolute form",
            request: "GET http://a.example:80/metrics HTTP/1.1\r\nHost: b\r\n\r\n", status: 200),
        Case(
            name: "absolute form in capitals",
            request: "GET HTTP://a/metrics HTTP/1.1\r\nHost: b\r\n\r\n", status: 200),
        Case(
            name: "absolute form without a path",
            request: "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", status: 404),
        Case(name: "no Host", request: "GET /metrics HTTP/1.1\r\n\r\n", status: 400),
        Case(name: "no Host in 1.0", request: "GET /metrics HTTP/1.0\r\n\r\n", status: 200),
        Case(
            name: "two Hosts", request: "GET /metrics HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            status: 400),
        Case(
            name: "empty Host", request: "GET /metrics HTTP/1.1\r\nHost:\r\n\r\n", status: 200),
        Case(
            name: "bad Host", request: "GET /metrics HTTP/1.1\r\nHost: a b\r\n\r\n", status: 400),
        Case(name: "no request", request: "hello\r\n\r\n", status: 400),
        Case(name: "no version", request: "GET /metrics\r\n\r\n", status: 505),
        Case(
            name: "folded field", request: "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
            status: 400),
        Case(
            name: "blank before the colon", request: "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
            status: 400),
        Case(
            name: "both lengths",
            request:
                "POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            status: 400),
        Case(
            name: "two lengths",
            request: "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
            status: 400),
        Case(
            name: "another coding",
            request: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            status: 501),
        Case(
            name: "long body",
            request: "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
            status: 413),
        Case(
            name: "long field",
            request:
                "GET / HTTP/1.1\r\nHost: x\r\nA: \(String(repeating: "b", count: 20_000))\r\n\r\n",
            status: 431),
        Case(
            name: "many fields",
            request: "GET / HTTP/1.1\r\nHost: x\r\n"
                + String(repeating: "A: b\r\n", count: 200) + "\r\n", status: 431),
        Case(name: "no proxy", request: "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", status: 405),
        Case(
            name: "options of all", request: "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", status: 204),
    ]

    /// Returns the first response's status, after the connection's end.
    private func status(_ port: Int, _ request: String) async throws -> Int? {
        let socket = try TCPSocket(port: port)
        try await socket.send(ByteBuffer(string: request))
        var answer = ""
        while let bytes = try await socket.receive() { answer += String(buffer: bytes) }
        #expect(answer.hasPrefix("HTTP/1.1 "), "\(answer)")
        return answer.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }

    @Test(arguments: cases) func requests(_ test: Case) async throws {
        try await withServer { server in
            let port = try #require(server.httpPort)
            #expect(try await status(port, test.request) == test.status)
            // A request that is cut anywhere means the same.
            let middle = test.request.index(
                test.request.startIndex, offsetBy: test.request.count / 2)
            let socket = try TCPSocket(port: port)
            try await socket.send(ByteBuffer(string: String(test.request[..<middle])))
            try await Task.sleep(for: .milliseconds(5))
            _ = try await socket.send(ByteBuffer(string: String(test.request[middle...])))
            var answer = ""
            while let bytes = try await socket.receive() { answer += String(buffer: bytes) }
            #expect(answer.hasPrefix("HTTP/1.1 \(test.status) "), "\(answer)")
        }
    }

    @Test func edgesRefuseTheSame() async throws {
        let origin = try ScriptedOrigin()
        try await withEdge(before: origin.port) { edge in
            for (request, code) in [
                ("GET / HTTP/1.1\r\n\r\n", 400), ("hello\r\n\r\n", 400),
                ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413),
            ] {
                let answered = try await status(edge.port, request)
                #expect(answered == code)
            }
            #expect(origin.isUnasked)
        }
    }

    /// A body is read and dropped, and the bytes after it are the next request.
    @Test func bodiesAreDrained() async throws {
        try await withServer({ $0.packageHLS(.ts) }) { server in
            let peer = try HLSPeer(server)
            for (fields, body) in [
                ("Content-Length: 26", "GET /a HTTP/1.1\r\nHost: x\r\n"),
                ("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
                ("Content-Length: 0", ""),
            ] {
                let request =
                    "GET /hls/live/a/index.m3u8 HTTP/1.1\r\nHost: x\r\n\(fields)\r\n\r\n\(body)"
                try await peer.socket.send(ByteBuffer(string: request))
                #expect(try await peer.answer()?.status == 404)
            }
            // Two requests in one write get two responses.
            let one = "GET /hls/live/a/index.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n"
            try await peer.socket.send(ByteBuffer(string: one + one))
            #expect(try await peer.answer()?.status == 404)
            #expect(try await peer.answer()?.status == 404)
        }
    }
}
