import Testing

@testable import HTTPWire

/// Cookies, redirects and dates are handled in the same way by every client of this project.
@Suite struct HTTPClientPolicyTests {
    private func head(_ fields: String...) throws -> HTTPResponseHead {
        try HTTPResponseHead(
            parsing: Array(
                ("HTTP/1.1 302 Found\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n").utf8))
    }

    @Test func cookiesComeBackToTheirServerAlone() throws {
        var jar = CookieJar()
        let url = try HTTPURL("http://cdn.example.com/live/a/index.m3u8")
        jar.take(
            try head(
                "Set-Cookie: sid=abc; Path=/; HttpOnly", "Set-Cookie: here=1",
                "Set-Cookie: all=2; Domain=.example.com; Path=/", "Set-Cookie: tls=3; Secure",
                "Set-Cookie: evil=4; Domain=com", "Set-Cookie: other=5; Domain=other.com",
                "Set-Cookie: nonsense"),
            from: url, now: 0)
        func sent(_ text: String) throws -> String? { jar.header(for: try HTTPURL(text), now: 1) }
        #expect(try sent("http://cdn.example.com/live/a/s.ts") == "here=1; sid=abc; all=2")
        #expect(try sent("http://cdn.example.com/live/ab/s.ts") == "sid=abc; all=2")
        #expect(try sent("https://cdn.example.com/live/a/s.ts") == "here=1; tls=3; sid=abc; all=2")
        #expect(try sent("http://x.example.com/") == "all=2")
        #expect(try sent("http://other.com/") == nil)
    }

    @Test func cookiesEnd() throws {
        var jar = CookieJar()
        let url = try HTTPURL("http://h/")
        jar.take(
            try head(
                "Set-Cookie: a=1; Max-Age=10",
                "Set-Cookie: b=2; Expires=Thu, 01 Jan 1970 00:00:05 GMT",
                "Set-Cookie: c=3; Expires=Thu, 01-Jan-70 00:00:05 GMT; Max-Age=100"),
            from: url, now: 0)
        #expect(jar.header(for: url, now: 1) == "a=1; b=2; c=3")
        #expect(jar.header(for: url, now: 6) == "a=1; c=3")
        jar.take(try head("Set-Cookie: a=; Max-Age=0"), from: url, now: 6)
        #expect(jar.header(for: url, now: 6) == "c=3")
    }

    @Test func jarsAreBounded() throws {
        var jar = CookieJar()
        let url = try HTTPURL("http://h/")
        for index in 0..<1000 {
            jar.take(try head("Set-Cookie: n\(index)=v"), from: url, now: 0)
        }
        #expect(jar.cookies.count == CookieJar.mostCookies)
        jar.take(
            try head("Set-Cookie: long=" + String(repeating: "x", count: 5000)), from: url, now: 0)
        #expect(!(jar.header(for: url, now: 0) ?? "").contains("long"))
    }

    @Test func redirectsAreFollowedWithinReason() throws {
        var redirects = HTTPRedirects()
        let url = try HTTPURL("http://h/entry/master.m3u8")
        let next = try redirects.next(try head("Location: /edge7/master.m3u8"), from: url)
        #expect(next?.description == "http://h/edge7/master.m3u8")
        for status in [200, 302] {
            let answer = try redirects.next(HTTPResponseHead(status: status), from: url)
            #expect(answer == nil)
        }
        #expect(throws: HTTPRedirects.Fault.self) {
            try redirects.next(try head("Location: rtmp://h/x"), from: url)
        }
        #expect(throws: HTTPRedirects.Fault.self) {
            for _ in 0...HTTPRedirects.most {
                _ = try redirects.next(try head("Location: /loop"), from: url)
            }
        }
    }

    @Test(arguments: [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
        ("Sun Nov  6 08:49:37 1994", 784_111_777), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ])
    func datesAreRead(_ text: String, _ seconds: Int64) {
        #expect(HTTPDate.seconds(text) == seconds)
    }

    @Test func whatIsNoDateIsNone() {
        for text in ["", "tomorrow", "99", "1 Jan 99999 00:00:00", "32 Foo 1990 25:00:00"] {
            #expect(HTTPDate.seconds(text) == nil)
        }
    }

    @Test func requestsSayWhatTheyTake() throws {
        var request = HTTPRequest(
            try HTTPURL("http://me:secret@h:8080/a b?x"), agent: "millrace", range: 5..<10)
        request.cookies = "a=1"
        let text = String(decoding: request.bytes, as: UTF8.self)
        #expect(text.hasPrefix("GET /a%20b?x HTTP/1.1\r\nHost: h:8080\r\n"))
        #expect(text.contains("Range: bytes=5-9\r\n"))
        #expect(text.contains("Accept-Encoding: identity\r\n"))
        #expect(text.contains("Authorization: Basic bWU6c2VjcmV0\r\n"))
        #expect(text.contains("Cookie: a=1\r\n"))
        request.acceptsCoding = true
        #expect(String(decoding: request.bytes, as: UTF8.self).contains("gzip, deflate"))
    }
}
