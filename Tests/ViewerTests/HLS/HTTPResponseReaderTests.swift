import Testing

@testable import Viewer

@Suite struct HTTPResponseReaderTests {
    /// What came out of a stream of responses: each head's status, the bodies, the ends.
    private static func read(_ text: String, pieces: Int = .max, closes: Bool = false) throws
        -> [String]
    {
        var reader = HTTPResponseReader()
        var said: [String] = []
        var body = ""
        let bytes = Array(text.utf8)
        var at = 0
        while at < bytes.count {
            let piece = Array(bytes[at..<min(bytes.count, at + min(pieces, bytes.count))])
            try piece.withUnsafeBytes { raw in
                try reader.receive(raw) { event in
                    switch event {
                    case .head(let head):
                        said.append("\(head.status)\(head.keepsAlive ? "" : " close")")
                    case .body(let range):
                        body += String(decoding: raw[range], as: UTF8.self)
                    case .end:
                        said.append("'\(body)'")
                        body = ""
                    }
                }
            }
            at += piece.count
        }
        if closes, reader.closed() { said.append("'\(body)'") }
        return said
    }

    static let cases: [(name: String, text: String, closes: Bool, said: [String])] = [
        (
            "length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false,
            ["200", "'hello'"]
        ),
        (
            "two on one connection",
            "HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\nabHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            false, ["200", "'ab'", "404 close", "''"]
        ),
        (
            "chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\nX: y\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            false, ["200", "'abc0123456789'", "204", "''"]
        ),
        ("until the end", "HTTP/1.0 200 OK\r\n\r\nall of it", true, ["200 close", "'all of it'"]),
        (
            "information first",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", false,
            ["200", "'x'"]
        ),
        ("bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", false, ["200", "'x'"]),
        (
            "not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false,
            ["304", "''"]
        ),
    ]

    @Test func responses() throws {
        for c in Self.cases {
            // Whole, and cut at every length.
            for pieces in [Int.max] + Array(1...12) {
                let said = try Self.read(c.text, pieces: pieces, closes: c.closes)
                #expect(said == c.said, "\(c.name) in pieces of \(pieces)")
            }
        }
    }

    @Test func discarding() throws {
        var reader = HTTPResponseReader()
        let head = Array("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".utf8)
        try head.withUnsafeBytes { try reader.receive($0) { _ in } }
        #expect(reader.discardable == 7 && reader.remaining == 7)
        let (before, after) = (reader.discarded(4), reader.discarded(3))
        #expect(!before && after)
        #expect(reader.discardable == 0 && !reader.isInside)
    }

    @Test func faults() {
        let long = "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 20_000)
        for text in [
            "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 200\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + String(repeating: "0", count: 2000), long,
        ] {
            #expect(throws: HTTPResponseReader.Fault.self, "\(text.prefix(60))") {
                _ = try Self.read(text)
            }
        }
    }
}
