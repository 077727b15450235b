import Digests
import Foundation
import HLS
import NIOCore
import NIOHTTP1
import RTMP
import TestServer
import TestSupport
import Testing

@testable import Server

/// Keys, addresses, call-backs and the token of the API decide who may connect, publish and play.
@Suite(.timeLimit(.minutes(1))) struct AccessTests {
    static let hash = SHA256.hexadecimal(Array("s3cret".utf8))

    @Test func keysOfApplicationsAndHashes() throws {
        func judge(_ rule: String, _ name: String, _ query: String) throws -> Bool {
            let slash = try #require(name.firstIndex(of: "/"))
            let verdict = try StreamKeys([rule]).judge(
                String(name[slash...].dropFirst()), of: String(name[..<slash]), query: query,
                address: "a")
            return verdict == .accepted
        }
        let (hash, key) = (Self.hash, "key=s3cret")
        for (rule, name, query, isRight) in [
            ("cam", "live/cam", "", true), ("cam", "other/cam", "", true),
            ("live/cam", "live/cam", "", true), ("live/cam", "other/cam", "", false),
            ("live/cam:s3cret", "live/cam", key, true),
            ("live/cam:s3cret", "live/cam", "key=s3cre", false),
            ("live/cam:s3cret", "other/cam", key, false),
            ("cam:sha256:\(hash)", "live/cam", key, true),
            ("cam:sha256:\(hash)", "live/cam", "key=\(hash)", false),
            ("sha256:\(hash)", "a/b", key, true), ("sha256:\(hash)", "a/b", "", false),
            ("live/*:s3cret", "live/x", key, true), ("live/*:s3cret", "other/x", key, false),
            ("cam:a b", "live/cam", "x=1&key=a%20b", true), ("cam", "live/cam_720p", "", false),
        ] {
            #expect(try judge(rule, name, query) == isRight, "\(rule) \(name) \(query)")
        }
        for (rule, words) in [
            ("", "empty"), (":a", "no name"), ("cam:", "empty secret"), ("sha256:12", "64"),
            ("cam:sha256:zz", "64"), ("/cam", "cut off"), ("live/:a", "cut off"),
        ] {
            #expect(StreamKeys.problem(of: rule)?.contains(words) == true, "\(rule)")
        }
        // A player's key also opens the renditions of its stream.
        let play = try StreamKeys(["cam:s3cret"], coversRenditions: true)
        #expect(play.judge("cam_720p", query: key, address: "a") == .accepted)
        #expect(play.judge("camera", query: key, address: "a") == .denied)
    }

    @Test func filesOfKeys() async throws {
        let path = Shell.temporaryPath("keys")
        defer { try? FileManager.default.removeItem(atPath: path) }
        func write(_ text: String) throws {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        }
        try write("# cameras\n\n  live/cam:s3cret  \r\nopen\n")
        try await withServer({ $0.access.streamKeyFile = path }) { server in
            func publish(_ name: String) async throws -> String {
                try await RTMPPeer(server).publish(name).code
            }
            #expect(try await publish("cam?key=s3cret") == "NetStream.Publish.Start")
            #expect(try await publish("cam") == "NetStream.Publish.Denied")
            #expect(try await publish("open") == "NetStream.Publish.Start")
            // A bad file keeps the old keys.
            try write("new\ncam:\n")
            server.reload()
            #expect(try await publish("new") == "NetStream.Publish.Denied")
            try write("new\n")
            server.reload()
            #expect(try await publish("new") == "NetStream.Publish.Start")
            #expect(try await publish("open2") == "NetStream.Publish.Denied")
        }
        try write("open\n\ncam:\n")
        var configuration = ServerConfiguration()
        configuration.access.streamKeyFile = path
        #expect {
            _ = try AccessPolicy(configuration.access)
        } throws: {
            "\($0)".hasPrefix("\(path):3: ") && "\($0)".contains("empty secret")
        }
        configuration.access.streamKeyFile = path + ".missing"
        #expect {
            _ = try AccessPolicy(configuration.access)
        } throws: { "\($0)".contains("No such file") }
    }

    @Test func playersNeedTheirKey() async throws {
        try await withServer({
            $0.access.playKeys = ["a:s3cret"]
            $0.packageHLS(.fmp4, part: 0.2)
        }) { server in
            let feed = try await MediaFeed(server, "a")
            try await feed.send(upTo: 4.2)
            try await server.segments(4)
            #expect(try await RTMPPeer(server).play("a").code == "NetStream.Play.Failed")
            #expect(try await RTMPPeer(server).play("a?key=s3cret").code == "NetStream.Play.Start")
            #expect(try await HTTPPeer(server, "/live/a.flv").status == 403)
            #expect(try await HTTPPeer(server, "/live/a.flv?key=s3cret").status == 200)
            let peer = try HLSPeer(server)
            #expect(try await peer.get("/hls/live/a/index.m3u8").status == 403)
            let master = try await peer.get("/hls/live/a/master.m3u8?key=s3cret").text
            #expect(master.contains("../a/index.m3u8?key=s3cret"), "\(master)")
            let text = try await peer.get("/hls/live/a/index.m3u8?key=s3cret").text
            var count = 0
            for line in text.split(separator: "\n") {
                var uri = line
                if line.hasPrefix("#") {
                    guard let start = line.firstRange(of: "URI=\"") else { continue }
                    uri = line[start.upperBound...].prefix { $0 != "\"" }
                }
                #expect(uri.hasSuffix("?key=s3cret"), "\(line)")
                guard !line.contains("PRELOAD") else { continue }
                #expect(try await peer.get("/hls/live/a/\(uri)").status == 200, "\(uri)")
                let bare = uri.prefix { $0 != "?" }
                if count < 2 { #expect(try await peer.get("/hls/live/a/\(bare)").status == 403) }
                count += 1
            }
            #expect(count > 8)
        }
    }

    @Test func addresses() {
        for (range, address, isIn) in [
            ("192.0.2.0/24", "192.0.2.255", true), ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.7", true), ("192.0.2.128/25", "192.0.2.127", false),
            ("10.1.2.3", "10.1.2.3", true), ("10.1.2.3", "10.1.2.4", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "8.8.8.8", true), ("fe80::/10", "fe80::1%eth0", true),
        ] {
            #expect(AddressRange(range)?.contains(address) == isIn, "\(range)")
        }
        for text in ["", "1.2.3", "1.2.3.4/33", "::/129", "a", "1.2.3.4/", "1.2.3.4/+1", "::1/-1"] {
            #expect(AddressRange(text) == nil, "\(text)")
        }
        let table = AddressRules.Table(.init(allow: ["10.0.0.0/8"], deny: ["10.1.0.0/16"]))
        #expect(table.admits("10.2.0.1") && !table.admits("10.1.0.1") && !table.admits("11.0.0.1"))
        #expect(!table.admits(nil))
    }

    @Test func addressesAreRefused() async throws {
        try await withServer({ $0.access.publish.deny = ["127.0.0.0/8"] }) { server in
            let refused = try await RTMPPeer(server).publish("a")
            #expect(refused.code == "NetStream.Publish.Denied")
            #expect(try await RTMPPeer(server).play("a").code == "NetStream.Play.Start")
        }
        try await withServer({ $0.access.play.allow = ["192.0.2.1"] }) { server in
            let accepted = try await RTMPPeer(server).publish("a")
            #expect(accepted.code == "NetStream.Publish.Start")
            #expect(try await HTTPPeer(server, "/live/a.flv").status == 403)
        }
        try await withServer({ $0.access.connections.allow = ["192.0.2.1"] }) { server in
            let socket = try TCPSocket(port: server.rtmpPort)
            #expect(try await socket.receive() == nil)
            #expect(server.admissions.refused[.addresses] == 1)
        }
    }

    // MARK: Call-backs

    private static let connect = Command(
        "connect", transactionID: 1, [.object([.init("app", .string("live"))])]
    ).message()

    @Test func callBacksAreAskedAndTold() async throws {
        let hook = try ScriptedOrigin()
        try await withServer({ $0.access.hook = "http://127.0.0.1:\(hook.port)/auth?x=1" }) {
            server in
            func answer(_ event: String, _ status: String = "200 OK") async throws {
                let (peer, request) = try await hook.next()
                #expect(request.hasPrefix("POST /auth?x=1 HTTP/1.1\r\n"), "\(request)")
                var body = ""
                try await eventually("the body comes") {
                    if case .bytes(let more) = peer.socket.poll() { body += String(buffer: more) }
                    body += peer.rest()
                    return body.hasSuffix("}")
                }
                #expect(body.contains("\"event\":\"\(event)\""), "\(body)")
                try await peer.answer("", status: status)
            }
            let publisher = try await RTMPPeer(server)
            try await publisher.send(Self.connect)
            try await answer("connect")
            _ = try #require(try await publisher.command("_result"))
            try await publisher.send(Command("createStream", transactionID: 2, [.null]).message())
            _ = try #require(try await publisher.command("_result"))
            let command = Command(
                "publish", transactionID: 3, [.null, .string("a?key=x"), .string("live")])
            try await publisher.send(command.message(messageStreamID: 1))
            try await answer("publish")
            #expect(try await publisher.status()?.code == "NetStream.Publish.Start")
            let player = try HLSPeer(server)
            try await player.ask("/live/a.flv")
            try await answer("play", "403 Forbidden")
            #expect(try await player.answer()?.status == 403)
            try await publisher.unpublish("a")
            try await answer("end")
            let stranger = try await RTMPPeer(server)
            try await stranger.send(Self.connect)
            try await answer("connect", "500 Internal Server Error")
            #expect(try await stranger.command("_error") != nil)
        }
    }

    /// A call-back that is silent, or not there, refuses.
    @Test func callBacksFailClosed() async throws {
        let silent = try ScriptedOrigin()
        try await withServer({
            $0.access.hook = "http://127.0.0.1:\(silent.port)/"
            $0.access.hookTimeoutMilliseconds = 100
            $0.packageHLS(.ts)
        }) { server in
            #expect(try await HTTPPeer(server, "/live/a.flv").status == 403)
            #expect(try await HLSPeer(server).get("/hls/live/a/index.m3u8").status == 403)
            let peer = try await RTMPPeer(server)
            try await peer.send(Self.connect)
            #expect(try await peer.command("_error") != nil)
            #expect(server.admissions.refused[.callBacks] ?? 0 >= 3)
        }
    }

    // MARK: The API

    private func head(_ fields: [(String, String)] = []) -> HTTPRequestHead {
        HTTPRequestHead(
            version: .http1_1, method: .GET, uri: "/metrics", headers: HTTPHeaders(fields))
    }

    @Test func theAPIIsForThisMachineOrWithAToken() throws {
        var configuration = ServerConfiguration()
        let closed = try AccessPolicy(configuration.access)
        configuration.access.apiToken = "t0ken"
        let policy = try AccessPolicy(configuration.access)
        func accepts(_ policy: AccessPolicy, _ address: String, _ fields: [(String, String)] = [])
            -> Bool
        {
            policy.api.judge(head(fields), address: address, changes: false) == .accepted
        }
        #expect(accepts(closed, "127.0.0.1") && accepts(closed, "::1"))
        #expect(!accepts(closed, "192.0.2.1"))
        // Another server on this machine passes the request on.
        #expect(!accepts(closed, "127.0.0.1", [("Via", "1.1 edge")]))
        #expect(!accepts(closed, "127.0.0.1", [("X-Forwarded-For", "192.0.2.1")]))
        #expect(accepts(policy, "192.0.2.1", [("Authorization", "Bearer t0ken")]))
        #expect(!accepts(policy, "192.0.2.1", [("Authorization", "Bearer t0ke")]))
        #expect(!accepts(policy, "192.0.2.1", [("Authorization", "Basic t0ken")]))
        // A page in a browser on this machine must not change anything.
        let page = head([("Origin", "http://evil.example")])
        #expect(closed.api.judge(page, address: "127.0.0.1", changes: true) != .accepted)
        for _ in 0..<StreamKeys.patience {
            _ = accepts(policy, "192.0.2.9", [("Authorization", "Bearer no")])
        }
        #expect(!accepts(policy, "192.0.2.9", [("Authorization", "Bearer t0ken")]))
    }

    @Test func kick() async throws {
        try await withServer({ $0.publisherGraceMilliseconds = 60_000 }) { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            let player = try await RTMPPeer(server)
            try await player.play("a")
            let bystander = try await RTMPPeer(server)
            try await bystander.publish("b")
            let wrong = try await HTTPPeer(server, "/api/v1/kick?stream=live/none", method: "POST")
            #expect(wrong.status == 404)
            #expect(try await HTTPPeer(server, "/api/v1/kick", method: "POST").status == 400)
            #expect(try await HTTPPeer(server, "/api/v1/kick?stream=live/a").status == 405)
            let kick = try await HTTPPeer(server, "/api/v1/kick?stream=live%2Fa", method: "POST")
            #expect(kick.status == 200)
            #expect(try await kick.text() == "{\"kicked\":2}\n")
            while try await publisher.next() != nil {}
            while try await player.next() != nil {}
            try await eventually("the stream is gone at once") {
                try await server.stream() == nil
            }
            let address = try #require(try await server.stream("live/b")?.publisher)
            let one = try await HTTPPeer(
                server, "/api/v1/kick?connection=\(address)", method: "POST")
            #expect(one.status == 200)
            while try await bystander.next() != nil {}
        }
    }

    /// A refused peer learns nothing about publishers.
    @Test func refusalsNameNoAddress() async throws {
        try await withServer { server in
            let first = try await RTMPPeer(server)
            try await first.publish("a")
            let second = try await RTMPPeer(server).publish("a")
            #expect(second.code == "NetStream.Publish.BadName")
            #expect(!second.description.contains("127.0.0.1"), "\(second.description)")
        }
    }
}
