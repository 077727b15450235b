import Testing

@testable import Capture

extension HTTPAttributionTests {
    /// One keep-alive connection to a web server.
    struct Session {
        var script = PacketScript()
        var connection = PacketScript.Connection(clientPort: 50001, serverPort: 8080)

        init() { script.handshake(&connection) }

        mutating func request(_ target: String, method: String = "GET") {
            script.send(
                Array("\(method) \(target) HTTP/1.1\r\nHost: x\r\n\r\n".utf8), &connection, up: true
            )
        }

        static func response(
            _ body: [UInt8], status: String = "200 OK", isChunked: Bool = false,
            headers: String = ""
        ) -> [UInt8] {
            guard isChunked else {
                return Array(
                    "HTTP/1.1 \(status)\r\n\(headers)Content-Length: \(body.count)\r\n\r\n".utf8)
                    + body
            }
            var bytes = Array(
                "HTTP/1.1 \(status)\r\n\(headers)Transfer-Encoding: chunked\r\n\r\n".utf8)
            for start in stride(from: 0, to: body.count, by: 700) {
                let part = body[start..<min(body.count, start + 700)]
                bytes += Array("\(String(part.count, radix: 16))\r\n".utf8) + part + [13, 10]
            }
            return bytes + Array("0\r\nX-Trailer: 1\r\n\r\n".utf8)
        }

        /// Sends bytes in segments of `size`.
        mutating func answer(_ bytes: [UInt8], size: Int = 1000) {
            for start in stride(from: 0, to: bytes.count, by: size) {
                script.send(
                    Array(bytes[start..<min(bytes.count, start + size)]), &connection, up: false)
            }
        }

        mutating func get(_ target: String, _ response: [UInt8]) {
            request(target)
            answer(response)
        }

        /// Returns rows by rendition and kind.
        func rows(_ options: CaptureOptions = .init()) -> [String: HTTPTrafficRow] {
            let report = script.analyzed(options)
            let bytes = report.capture.ports.reduce(0) { $0 + $1.downstream.payloadBytes }
            let wire = report.capture.ports.reduce(0) { $0 + $1.downstream.linkBytes }
            // Every byte is in one row.
            #expect(report.http.reduce(0) { $0 + $1.payloadBytes } == bytes)
            #expect(report.http.reduce(0) { $0 + $1.wireBytes } == wire)
            #expect(report.streams.isEmpty)
            #expect(report.capture.undissectedFlows == 0)
            return Dictionary(
                uniqueKeysWithValues: report.http.map {
                    ("\($0.rendition) \($0.kind.rawValue)", $0)
                })
        }
    }
}
