import HTTPWire
import Testing

@testable import HTTPWire

@Suite struct HTTPURLTests {
    @Test(arguments: [
        ("http://h/a", "h", 80, "/a"), ("https://H.example", "h.example", 443, "/"),
        ("http://h:8080?x=1", "h", 8080, "/?x=1"), ("http://[::1]:81/p#f", "::1", 81, "/p"),
        ("  http://127.0.0.1/a b/é.ts?q= \n", "127.0.0.1", 80, "/a%20b/%C3%A9.ts?q="),
        ("http://u:p%40x@h/x%20y%zz", "h", 80, "/x%20y%25zz"), ("HTTP://h\\a", "h", 80, "/%5Ca"),
    ])
    func isTakenApart(_ text: String, _ host: String, _ port: Int, _ target: String) throws {
        let url = try HTTPURL(text)
        #expect(url.host == host)
        #expect(url.port == port)
        #expect(url.target == target)
        // A URL that was read is written so that it reads the same.
        var plain = url
        plain.credentials = nil
        #expect(try HTTPURL(url.description) == plain)
    }

    @Test(arguments: [
        "", "ftp://h/", "http://", "http:///a", "http://h:0/", "http://h:99999/", "http://h:x/",
        "http://a:b:c/", "http://[::1]x/", "http://ü.example/", "http://a b/", "/path", "http:/h",
        "http://h/" + String(repeating: "a", count: 9000),
        "http://h/" + String(repeating: "é", count: 3000),
    ])
    func isRefused(_ text: String) {
        #expect(throws: HTTPURL.Fault.self) { try HTTPURL(text) }
    }

    @Test(arguments: [
        ("s.ts", "http://h/a/s.ts"), ("../s.ts?x", "http://h/s.ts?x"), ("/s", "http://h/s"),
        ("//g/s", "http://g/s"), ("?y", "http://h/a/i.m3u8?y"), ("a b.ts", "http://h/a/a%20b.ts"),
        ("https://g:444/s", "https://g:444/s"), ("./s", "http://h/a/s"),
        ("", "http://h/a/i.m3u8?q=1"), (" s.ts ", "http://h/a/s.ts"),
    ])
    func referencesResolve(_ reference: String, _ result: String) throws {
        let base = try HTTPURL("http://h/a/i.m3u8?q=1")
        #expect(try base.resolving(reference).description == result)
    }

    /// A plain name next to a playlist has the same limit as every other URL.
    @Test func longNamesAreRefused() throws {
        let base = try HTTPURL("http://h/a/index.m3u8")
        let name = String(repeating: "s", count: 4000)
        #expect(try base.resolving(name).target == "/a/" + name)
        #expect(throws: HTTPURL.Fault.self) { try base.resolving(name + name + name) }
    }

    @Test func credentialsStayWithTheirServer() throws {
        let base = try HTTPURL("http://me:secret@h/a/i.m3u8")
        #expect(try base.resolving("s.ts").credentials == "me:secret")
        #expect(try base.resolving("/x/../s.ts").credentials == "me:secret")
        #expect(try base.resolving("http://other/s.ts").credentials == nil)
        #expect(!base.description.contains("secret"))
    }

    @Test func hostFieldLeavesOutTheOwnPort() throws {
        #expect(try HTTPURL("http://h:80/").authority == "h")
        #expect(try HTTPURL("https://h:80/").authority == "h:80")
        #expect(try HTTPURL("http://[::1]:8080/").authority == "[::1]:8080")
    }

    @Test func controlsAreShownAndNotSent() {
        #expect("a\u{1B}]0;x\nb".printable(limit: 200) == "a\\u{1b}]0;x\\u{a}b")
        #expect(URIReference.percentEncoded("a\r\nX: y") == "a%0D%0AX:%20y")
        #expect(URIReference.percentDecoded("a%20%C3%A9%") == "a é%")
    }
}
