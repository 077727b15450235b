import SimulationKernel
import Testing

@testable import HTTPWire

/// Events that a reader returns for a whole connection's bytes, fed in the given pieces.
private struct Transcript: Equatable {
    struct Answer: Equatable {
        var status: Int
        var body: [UInt8] = []
        var isWhole = false
    }
    var answers: [Answer] = []
    var fault: String?

    init(_ pieces: [ArraySlice<UInt8>], closes: Bool = true) {
        var reader = HTTPResponseReader()
        var answers: [Answer] = []
        do {
            for piece in pieces {
                try Array(piece).withUnsafeBytes { bytes in
                    try reader.receive(bytes) { event in
                        switch event {
                        case .head(let head): answers.append(Answer(status: head.status))
                        case .body(let range):
                            answers[answers.count - 1].body += bytes[range]
                        case .end: answers[answers.count - 1].isWhole = true
                        }
                    }
                }
            }
        } catch {
            fault = "\(error)"
        }
        if closes, reader.closed() { answers[answers.count - 1].isWhole = true }
        self.answers = answers
    }
}

/// The reader understands HTTP/1.1 framing, however the bytes are split.
@Suite struct HTTPResponseReaderTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var text: String
        var bodies: [String]
        var statuses: [Int] = [200]
        var testDescription: String { name }
    }

    static let cases: [Case] = [
        .init(
            name: "length, twice on one connection",
            text:
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
            bodies: ["abc", ""], statuses: [200, 404]),
        .init(
            name: "chunks with extensions and trailers",
            text:
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n02;x=\"y\"\r\nbc\r\n3 ;e\r\ndef\r\n0\r\nX: y\r\nZ: w\r\n\r\nHTTP/1.1 204 N\r\n\r\n",
            bodies: ["abcdef", ""], statuses: [200, 204]),
        .init(
            name: "chunked overrules a length",
            text:
                "HTTP/1.1 200 OK\r\nContent-Length: 99\r\ntransfer-encoding:  Chunked \r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
            bodies: ["0123456789"]),
        .init(
            name: "up to the end", text: "HTTP/1.0 200 OK\nServer: old\n\nwhatever\r\n\r\ncomes",
            bodies: ["whatever\r\n\r\ncomes"]),
        .init(
            name: "1xx before the answer",
            text:
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 206 Partial\r\nContent-Length: 1\r\n\r\nx",
            bodies: ["x"], statuses: [206]),
        .init(
            name: "the same length twice, empty lines, a folded line, a line without a colon",
            text:
                "\r\n\r\nHTTP/1.1 200\r\nContent-Length: 2, 2\r\nX-Long: a\r\n b\r\nnonsense\r\ncontent-length: 2\r\n\r\nok",
            bodies: ["ok"]),
        .init(
            name: "no reason, no space", text: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
            bodies: [""]),
        .init(
            name: "identity is no transfer coding",
            text:
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Identity\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 204 N\r\n\r\n",
            bodies: ["ok", ""], statuses: [200, 204]),
        .init(
            name: "not modified has no body whatever its length",
            text: "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", bodies: [""],
            statuses: [304]),
    ]

    @Test(arguments: cases)
    func everySplit(_ item: Case) {
        let bytes = Array(item.text.utf8)
        let whole = Transcript([bytes[...]])
        #expect(whole.fault == nil)
        #expect(whole.answers.map { String(decoding: $0.body, as: UTF8.self) } == item.bodies)
        #expect(whole.answers.map(\.status) == item.statuses)
        #expect(whole.answers.allSatisfy { $0.isWhole })
        #expect(Transcript(bytes.map { [$0][...] }) == whole)
        for cut in 0...bytes.count {
            #expect(Transcript([bytes[..<cut], bytes[cut...]]) == whole)
        }
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "ICY 200 OK\r\n\r\n",
    ])
    func whatIsNoHTTPIsSaid(_ text: String) {
        let bytes = Array(text.utf8)
        #expect(Transcript([bytes[...]]).fault != nil)
        #expect(Transcript(bytes.map { [$0][...] }).fault != nil)
    }

    @Test func headsAndTrailersAreBounded() {
        let head = "HTTP/1.1 200 OK\r\n" + String(repeating: "X: yyyyyyyyyy\r\n", count: 4000)
        #expect(Transcript([Array(head.utf8)[...]]).fault != nil)
        let trailer =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
            + String(repeating: "X: yyyyyyyyyy\r\n", count: 4000)
        #expect(Transcript([Array(trailer.utf8)[...]]).fault != nil)
    }

    @Test func connectionsAreKeptAsTheServerSays() throws {
        func keeps(_ head: String) throws -> Bool {
            try HTTPResponseHead(parsing: Array((head + "\r\n\r\n").utf8)).keepsAlive
        }
        #expect(try keeps("HTTP/1.1 200 OK"))
        #expect(try keeps("HTTP/1.1 200 OK\r\nConnection: Close") == false)
        #expect(try keeps("HTTP/1.1 200 OK\r\nConnection: upgrade, close") == false)
        #expect(try keeps("HTTP/1.0 200 OK") == false)
        #expect(try keeps("HTTP/1.0 200 OK\r\nConnection: Keep-Alive"))
        #expect(try keeps("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip") == false)
    }

    @Test func fieldsAreRead() throws {
        let head = try HTTPResponseHead(
            parsing: Array(
                "HTTP/1.1 503 Busy\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nContent-Range: bytes 10-19/*\r\nContent-Encoding: identity\r\n\r\n"
                    .utf8))
        #expect(head.retryAfter(now: 946_684_796) == 3)
        #expect(head.contentRange?.bytes == 10..<20)
        #expect(head.contentCoding == "")
        #expect(head.statusText == "503 Busy")
        #expect(HTTPResponseHead.ContentRange("bytes 5-4/10") == nil)
        #expect(HTTPResponseHead.ContentRange("items 0-4/10") == nil)
        #expect(HTTPResponseHead.ContentRange("bytes 0-9223372036854775807/*") == nil)
    }

    /// Names come in lower case, values without the blanks around them, and broken bytes are shown
    /// as such.
    @Test func textsOfFields() throws {
        let text =
            "HTTP/1.1 200  All \t Right \r\nX-MiXed: \t a : b \t\r\nno colon\r\n  c\r\nÄ-Name:ö\n"
        let head = try HTTPResponseHead(
            parsing: Array(text.utf8) + Array("Broken: ".utf8) + [0xFF, 0x0D, 0x0A, 0x0D, 0x0A])
        #expect(head.reason == "All \t Right")
        #expect(head.fields.map { $0.name } == ["x-mixed", "ä-name", "broken"])
        #expect(head.fields.map { $0.value } == ["a : b c", "ö", "\u{FFFD}"])
        #expect(head.byteCount == text.utf8.count + 13)
    }

    /// Random bodies in random framings and random pieces are read unchanged.
    @Test(arguments: 1...40)
    func randomFramings(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var wire: [UInt8] = []
        var bodies: [[UInt8]] = []
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let body = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            bodies.append(body)
            let end = Bool.random(using: &random) ? "\r\n" : "\n"
            if Bool.random(using: &random) {
                wire += Array("HTTP/1.1 200 OK\(end)Content-Length: \(body.count)\(end)\(end)".utf8)
                wire += body
            } else {
                wire += Array("HTTP/1.1 200 OK\(end)Transfer-Encoding: chunked\(end)\(end)".utf8)
                var rest = body[...]
                while !rest.isEmpty {
                    let count = Int.random(in: 1...min(rest.count, 50), using: &random)
                    wire += Array(
                        (String(count, radix: 16) + (count % 3 == 0 ? ";a=b" : "") + end).utf8)
                    wire += rest.prefix(count) + Array(end.utf8)
                    rest = rest.dropFirst(count)
                }
                wire += Array("0\(end)\(end)".utf8)
            }
        }
        var pieces: [ArraySlice<UInt8>] = []
        var rest = wire[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...min(rest.count, 40), using: &random)
            pieces.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        let transcript = Transcript(pieces, closes: false)
        #expect(transcript.fault == nil, "seed \(seed)")
        #expect(transcript.answers.map(\.body) == bodies, "seed \(seed)")
        #expect(transcript.answers.allSatisfy { $0.isWhole }, "seed \(seed)")
    }
}
