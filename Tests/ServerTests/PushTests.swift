import NIOCore
import RTMP
import Sockets
import TestServer
import TestSupport
import Testing

@testable import Server

/// Streams are pushed to other servers.
@Suite(.timeLimit(.minutes(2))) struct PushTests {
    private let frames = TestFrames()

    // MARK: Rules

    @Test(arguments: [
        ("rtmp://b/live/{stream}", "live/cam", "rtmp://b/live/cam"),
        ("rtmp://b/{app}/{stream}?key={stream}", "live/cam", "rtmp://b/live/cam?key=cam"),
        ("live/*=rtmp://b:1936/x/{app}-{stream}", "live/cam", "rtmp://b:1936/x/live-cam"),
        ("live/*=rtmp://b/live/one?a=b", "live/cam", "rtmp://b/live/one?a=b"),
        ("live/*=rtmp://b/live/{stream}", "vip/cam", nil),
        // A name in a query is one value there.
        (
            "rtmp://b/x?a={app}/{stream}?key={stream}", "live&c/a&b=c d%",
            "rtmp://b/x?a=live%26c/a&b=c d%?key=a%26b%3Dc%20d%25"
        ),
        // A stream's name is never read as a rule.
        ("rtmp://b/{app}/{stream}", "live/{app}", "rtmp://b/live/{app}"),
    ])
    func targets(rule: String, stream: String, target: String?) throws {
        #expect(try PushRule(rule).target(of: stream)?.description == target)
    }

    @Test(arguments: ["", "live/*=", "live/*", "http://b/live/x", "rtmp://b/live", "=rtmp://b/a/b"])
    func `a rule that cannot be used is told`(rule: String) {
        #expect(throws: ServerConfigurationError.self) { try PushRule(rule) }
    }

    @Test func `keys in queries are hidden`() throws {
        let url = try RTMPURL("rtmp://b/live?user=one/cam?key=two")
        #expect(url.withoutQuery == "rtmp://b/live/cam")
        #expect(url.hidingQueries(in: "cam?key=two, live?user=one") == "cam?…, live?…")
        #expect(try RTMPURL("rtmp://b/live/cam").hidingQueries(in: "no cam") == "no cam")
    }

    @Test func `targets come and go`() throws {
        let table = PushTable([
            try PushRule("live/*=rtmp://b/live/{stream}"), try PushRule("rtmp://b/live/{stream}"),
        ])
        let (first, second) = (try RTMPURL("rtmp://b/live/a"), try RTMPURL("rtmp://c/live/a"))
        #expect(table.targets(of: "live/a") == [first])
        #expect(table.add(second, to: "live/a") == nil && table.add(second, to: "live/a") == nil)
        #expect(table.targets(of: "live/a") == [first, second])
        #expect(table.remove(first, from: "live/a") && !table.remove(first, from: "live/a"))
        #expect(table.targets(of: "live/a") == [second])
        #expect(table.targets(of: "live/b") == [try RTMPURL("rtmp://b/live/b")])
        #expect(table.add(first, to: "live/a") == nil)
        #expect(table.targets(of: "live/a") == [first, second])
        #expect(table.remove(second, from: "live/a"))
        #expect(table.targets(of: "live/a") == [first])
        // A target is known by its URL without the query.
        let keyed = try RTMPURL("rtmp://b/live/a?key=x")
        #expect(table.add(keyed, to: "live/a")?.contains("key=x") == false)
        #expect(table.remove(keyed, from: "live/a") && table.add(keyed, to: "live/a") == nil)
        #expect(table.targets(of: "live/a") == [keyed])
        for number in 1..<PushTable.targetLimit {
            #expect(table.add(try RTMPURL("rtmp://b/live/\(number)"), to: "live/a") == nil)
        }
        #expect(table.add(try RTMPURL("rtmp://b/live/x"), to: "live/a") != nil)
    }

    // MARK: Targets on the same server

    @Test func `copies without end are recognised`() throws {
        func fault(
            _ rules: String..., listener: String = "127.0.0.1", host: String = "127.0.0.1"
        ) throws -> String? {
            let table = PushTable(try rules.map { try PushRule($0) })
            table.own.add(try SocketAddress(ipAddress: listener, port: 1935))
            let target = try #require(table.targets(of: "live/a").first)
            #expect(target.host == host)
            return table.fault(of: target, for: "live/a")
        }
        let further = try fault("rtmp://127.0.0.1/copy/{stream}-2")
        #expect(further?.contains("every copy would be copied again") == true)
        let same = try fault("rtmp://127.0.0.1/live/{stream}")
        #expect(same?.contains("to itself") == true)
        let pair = try fault(
            "live/*=rtmp://127.0.0.1/b/{stream}", "b/*=rtmp://127.0.0.1/live/{stream}")
        #expect(pair?.contains("to itself") == true)
        let anywhere = try fault("rtmp://127.0.0.1/copy/{stream}-2", listener: "0.0.0.0")
        #expect(anywhere != nil)
        // These end by themselves, or lead to another server.
        let once = try fault("live/*=rtmp://127.0.0.1/copy/{stream}")
        let port = try fault("rtmp://127.0.0.1:1936/copy/{stream}-2")
        let address = try fault("rtmp://127.0.0.2/copy/{stream}-2", host: "127.0.0.2")
        let other = try fault(
            "rtmp://192.0.2.1/copy/{stream}-2", listener: "0.0.0.0", host: "192.0.2.1")
        #expect(once == nil && port == nil && address == nil && other == nil)
    }

    /// A name leads to this server only as the first connection shows.
    @Test func `a name of this server is learned from the connection`() throws {
        let table = PushTable([try PushRule("rtmp://own.example/copy/{stream}-2")])
        let near = try SocketAddress(ipAddress: "192.0.2.7", port: 1935)
        let far = try SocketAddress(ipAddress: "192.0.2.8", port: 1935)
        let client = try SocketAddress(ipAddress: "192.0.2.7", port: 50_000)
        table.own.add(try SocketAddress(ipAddress: "0.0.0.0", port: 1935))
        let target = try #require(table.targets(of: "live/a").first)
        table.own.learn(target, remote: far, local: client)
        #expect(table.fault(of: target, for: "live/a") == nil)
        table.own.learn(target, remote: near, local: client)
        #expect(table.fault(of: target, for: "live/a") != nil)
    }

    @Test func `a stream is not pushed to itself`() async throws {
        try await withServer { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            let port = server.rtmpPort
            let refused = try await HTTPPeer(
                server, "/api/v1/push?stream=live/a&url=rtmp://127.0.0.1:\(port)/live/a",
                method: "POST")
            #expect(refused.status == 409)
            let text = try await refused.text()
            #expect(text.contains("to itself"))
            // The short form of the address is resolved when the session connects.
            let added = try await HTTPPeer(
                server, "/api/v1/push?stream=live/a&url=rtmp://127.1:\(port)/live/a",
                method: "POST")
            #expect(added.status == 200)
            try await eventually("the connection is given up") {
                try await server.status().pushes.first?.lastError?.contains("to itself") == true
            }
            // A copy under another name has its end.
            let copied = try await HTTPPeer(
                server, "/api/v1/push?stream=live/a&url=rtmp://127.0.0.1:\(port)/copy/a",
                method: "POST")
            #expect(copied.status == 200)
            try await eventually("the copy is published") {
                try await server.stream("copy/a")?.isPublished == true
            }
        }
    }

    // MARK: Streams

    /// A server whose streams are pushed to `targets` of another one.
    private func withPair(
        isolation: isolated (any Actor)? = #isolation,
        targets: [String] = ["copy/{stream}"], threads: Int = 1,
        configureTarget: (inout ServerConfiguration) -> Void = { _ in },
        _ body: (_ source: RelayServer, _ target: RelayServer) async throws -> Void
    ) async throws {
        try await withServer(configureTarget) { target in
            let rules = try targets.map {
                try PushRule("live/*=rtmp://127.0.0.1:\(target.rtmpPort)/\($0)")
            }
            try await withServer {
                $0.pushes = rules
                $0.threads = threads
            } _: { source in
                try await body(source, target)
            }
        }
    }

    private func waitUntilLive(_ server: RelayServer, _ count: Int = 1) async throws {
        try await eventually("\(count) targets take the stream") {
            try await server.status().pushes.count { $0.state == .live } == count
        }
    }

    @Test(arguments: [1, 2]) func `every target gets the stream`(threads: Int) async throws {
        let names = ["copy/{stream}", "copy/{stream}-2", "other/{app}-{stream}"]
        try await withPair(targets: names, threads: threads) { source, target in
            let publisher = try await RTMPPeer(source)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            try await waitUntilLive(source, 3)
            try await publisher.send(frames, 0..<15)
            try await eventually("the targets have the frames") {
                try await target.status().streams.map(\.videoFrames) == [15, 15, 15]
            }
            for (application, name) in [("copy", "a"), ("copy", "a-2"), ("other", "live-a")] {
                let player = try await RTMPPeer(target)
                try await player.open(application)
                try await player.play(name)
                let media = try await player.media(upToVideo: 14)
                #expect(media.compactMap(\.videoNumber) == Array(10..<15))
                #expect(media.prefix(3).map(\.type) == [.dataAMF0, .video, .audio])
                #expect(media.first?.payload == frames.metadata().payload.dropSetDataFrame)
            }
            let status = try await source.status()
            #expect(status.pushes.allSatisfy { $0.sentBytes > 15 * 200 && $0.reconnects == 0 })
            #expect(try await source.stream()?.rtmpSubscribers == 0)
            try await publisher.unpublish("a")
            try await eventually("the copies have ended") {
                try await target.status().streams.allSatisfy { !$0.isPublished }
            }
            #expect(try await source.status().pushes.isEmpty)
        }
    }

    @Test func `a target that refuses is asked again`() async throws {
        let refusesAll: (inout ServerConfiguration) -> Void = { $0.streamKeys = ["none"] }
        try await withPair(configureTarget: refusesAll) { source, _ in
            let publisher = try await RTMPPeer(source)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            try await eventually("the target was asked again") {
                try await source.status().pushes.first?.reconnects ?? 0 >= 2
            }
            let push = try #require(try await source.status().pushes.first)
            #expect(push.lastError?.contains("NetStream.Publish.Denied") == true)
            // The stream itself goes on.
            try await publisher.send(frames, 0..<12)
            let player = try await RTMPPeer(source)
            try await player.play("a")
            _ = try await player.media(upToVideo: 11)
        }
    }

    @Test func `a lost connection comes back and begins with a key frame`() async throws {
        try await withPair { source, target in
            let publisher = try await RTMPPeer(source)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<12)
            try await waitUntilLive(source)
            let player = try await RTMPPeer(target)
            try await player.open("copy")
            try await player.play("a")
            _ = try await player.media(upToVideo: 11)
            let sentBytes = try await source.status().pushes.first?.sentBytes ?? 0
            let kick = try await HTTPPeer(
                target, "/api/v1/kick?stream=copy/a", method: "POST")
            #expect(kick.status == 200)
            try await eventually("the session connected again") {
                let push = try await source.status().pushes.first
                return push?.state == .live && push?.reconnects == 1
            }
            try await publisher.send(frames, 12..<25)
            // The connection began with frame 10, from the cache.
            try await eventually("the target has the frames") {
                try await target.stream("copy/a")?.videoFrames == 15
            }
            #expect(try await target.stream("copy/a")?.keyFrames == 2)
            let second = try await RTMPPeer(target)
            try await second.open("copy")
            try await second.play("a")
            let media = try await second.media(upToVideo: 24)
            #expect(media.compactMap(\.videoNumber) == Array(20..<25))
            let push = try #require(try await source.status().pushes.first)
            #expect(push.lastError != nil)
            // 1537 bytes begin the handshake.
            #expect(push.sentBytes > sentBytes + 1537 + 15 * frames.size)
        }
    }

    /// The targets' connections outlive a publisher that returns, and the timeline goes on.
    @Test func `a publisher that returns continues at its targets`() async throws {
        try await withPair { source, target in
            let first = try await RTMPPeer(source)
            try await first.publish("a")
            try await first.send(frames.headers)
            try await waitUntilLive(source)
            try await first.send(frames, 0..<15)
            try await eventually("the target has the frames") {
                try await target.stream("copy/a")?.videoFrames == 15
            }
            let player = try await RTMPPeer(target)
            try await player.open("copy")
            try await player.play("a")
            var media = try await player.media(upToVideo: 14)
            let publisher = try await target.stream("copy/a")?.publisher
            first.socket.abort()
            try await eventually("the publisher is away") {
                try await source.stream()?.isPublished == false
            }
            let second = try await RTMPPeer(source)
            try await second.publish("a")
            try await second.send(frames.headers)
            try await second.send(frames, 0..<12)
            media += try await player.media(upToVideo: 11)
            let times = media.filter { $0.videoNumber != nil }.map(\.timestamp)
            #expect(times == times.sorted())
            #expect(media.compactMap(\.videoNumber) == Array(10..<15) + Array(0..<12))
            #expect(try await target.stream("copy/a")?.publisher == publisher)
            #expect(try await source.status().pushes.first?.reconnects == 0)
        }
    }

    // MARK: Slow targets

    /// A target that reads nothing costs no other target a frame, and what it gets later begins
    /// with headers and a key frame.
    @Test func `a target that reads nothing holds up nobody`() async throws {
        let stalled = try StalledTarget()
        try await withServer { target in
            let rules = [
                try PushRule("rtmp://127.0.0.1:\(target.rtmpPort)/copy/{stream}"),
                try PushRule("rtmp://127.0.0.1:\(stalled.port)/copy/{stream}"),
            ]
            try await withServer {
                $0.pushes = rules
                $0.queueByteLimit = 64 << 10
            } _: { source in
                let publisher = try await RTMPPeer(source)
                try await publisher.publish("a")
                try await publisher.send(frames.headers)
                try await stalled.accept()
                try await waitUntilLive(source, 2)
                let player = try await RTMPPeer(target)
                try await player.open("copy")
                try await player.play("a")
                var large = frames
                large.size = 20_000
                for start in stride(from: 0, to: 500, by: 10) {
                    try await publisher.send(large, start..<start + 10)
                    _ = try await player.media(upToVideo: start + 9)
                }
                let pushes = try await source.status().pushes
                let slow = try #require(pushes.first { $0.target.contains(":\(stalled.port)/") })
                let fast = try #require(pushes.first { $0.target != slow.target })
                #expect(slow.droppedFrames > 0 && fast.droppedFrames == 0)
                let numbers = try await stalled.read(upToVideo: 500) {
                    try await publisher.send(large, $0)
                }
                // A frame may follow only its predecessor, or be a key frame.
                for (a, b) in zip(numbers, numbers.dropFirst()) where b != a + 1 {
                    #expect(b % large.gop == 0, "\(b) follows \(a)")
                }
            }
        }
    }

    // MARK: API

    @Test func `the API adds and removes targets`() async throws {
        try await withPair(targets: []) { source, target in
            let publisher = try await RTMPPeer(source)
            try await publisher.publish("a")
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<12)
            let url = "rtmp%3A%2F%2F127.0.0.1%3A\(target.rtmpPort)%2Fcopy%2Fa"
            let path = "/api/v1/push?stream=live%2Fa&url=\(url)"
            for _ in 0..<2 {
                let added = try await HTTPPeer(source, path, method: "POST")
                #expect(added.status == 200)
                #expect(try await added.text() == "{\"targets\":1}\n")
            }
            try await waitUntilLive(source)
            try await eventually("the copy is published") {
                try await target.stream("copy/a")?.isPublished == true
            }
            #expect(try await HTTPPeer(source, path, method: "DELETE").status == 200)
            try await eventually("the copy has ended") {
                try await target.stream("copy/a")?.isPublished != true
            }
            #expect(try await source.status().pushes.isEmpty)
            #expect(try await source.stream()?.isPublished == true)
            #expect(try await HTTPPeer(source, path, method: "DELETE").status == 404)
            #expect(try await HTTPPeer(source, path).status == 405)
            for bad in [
                "", "?stream=live/a", "?stream=live/a&url=http%3A%2F%2Fx%2Fa%2Fb",
                "?stream=a&url=rtmp://x/a/b", "?stream=live/a&url=rtmp://x/a/b?c=d&e=f",
            ] {
                #expect(
                    try await HTTPPeer(source, "/api/v1/push\(bad)", method: "POST").status == 400)
            }
        }
    }
}

extension ByteBuffer {
    /// Metadata as players get it.
    fileprivate var dropSetDataFrame: ByteBuffer {
        var rest = self
        _ = try? AMF0.read(&rest)
        return rest
    }
}
