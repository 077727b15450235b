import Foundation
import HLS
import Media
import NIOCore
import RTMP
import Server
import TestServer
import TestSupport
import Testing

/// The origin, as a client of its HTTP sees it.
@Suite(.timeLimit(.minutes(2))) struct HLSOriginTests {
    @Test(arguments: SegmenterConfiguration.Container.allCases)
    func playlistAndSegments(_ container: SegmenterConfiguration.Container) async throws {
        try await withServer({ $0.packageHLS(container) }) { server in
            let feed = try await MediaFeed(server, "a")
            try await feed.send(upTo: 4.2)
            try await server.segments(4)
            let peer = try HLSPeer(server)
            let answer = try await peer.get("/hls/live/a/index.m3u8")
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "application/vnd.apple.mpegurl")
            #expect(answer.headers["access-control-allow-origin"] == "*")
            #expect(answer.headers["cache-control"] == "max-age=1")
            let playlist = try MediaPlaylist(parsing: answer.text)
            #expect(playlist.segments.map(\.duration) == [1, 1, 1, 1])
            #expect(playlist.serverControl == nil)
            #expect(playlist.version == (container == .ts ? 3 : 6))
            var frames = 0
            var published: Int64 = 0
            var reader: FragmentedMP4Reader?
            if let map = playlist.segments[0].map {
                let answer = try await peer.get("/hls/live/a/\(map.uri)")
                #expect(answer.headers["content-type"] == "video/mp4")
                reader = try FragmentedMP4Reader(initializationSegment: answer.body)
            }
            for segment in playlist.segments {
                let answer = try await peer.get("/hls/live/a/\(segment.uri)")
                #expect(answer.status == 200)
                #expect(answer.headers["cache-control"] == "max-age=86400, immutable")
                // Publication times rise, and none is later than now.
                let time = try #require(answer.headers["millrace-published"].flatMap { Int64($0) })
                #expect(time > published && time <= NIODeadline.now().uptimeNanoseconds)
                published = time
                if let reader {
                    frames += try reader.samples(answer.body).filter { $0.kind == .video }.count
                } else {
                    #expect(answer.headers["content-type"] == "video/mp2t")
                    frames += try TransportStreamDemuxer.accessUnits(answer.body).filter {
                        $0.kind == .video
                    }.count
                }
            }
            #expect(frames == 100)
        }
    }

    @Test func rangesHeadAndErrors() async throws {
        try await withServer({ $0.packageHLS(.ts) }) { server in
            let feed = try await MediaFeed(server, "a")
            try await feed.send(upTo: 2.2)
            try await server.segments(2)
            let peer = try HLSPeer(server)
            let name = try #require(
                try await peer.playlist("/hls/live/a/index.m3u8").segments.first?.uri)
            let path = "/hls/live/a/\(name)"
            let whole = try await peer.get(path)
            let count = whole.body.readableBytes
            let head = try await peer.get(path, method: "HEAD")
            #expect(head.status == 200)
            #expect(head.headers["content-length"] == "\(count)")
            for (range, expected) in [
                ("bytes=0-187", 0..<188), ("bytes=188-", 188..<count),
                ("bytes=-10", count - 10..<count), ("bytes=5-999999999", 5..<count),
            ] {
                let part = try await peer.get(path, headers: ["Range: \(range)"])
                #expect(part.status == 206)
                #expect(
                    part.headers["content-range"]
                        == "bytes \(expected.lowerBound)-\(expected.upperBound - 1)/\(count)")
                #expect(
                    part.body
                        == whole.body.getSlice(at: expected.lowerBound, length: expected.count))
            }
            for range in ["bytes=9-5", "bytes=x", "lines=1-2", "bytes=0-1,5-6"] {
                #expect(try await peer.get(path, headers: ["Range: \(range)"]).status == 200)
            }
            #expect(
                try await peer.get(path, headers: ["Range: bytes=999999999-"]).status == 416)
            let missing = try await peer.get("/hls/live/a/none.ts")
            #expect(missing.status == 404)
            #expect(missing.text.contains("none.ts"))
            let nobody = try await peer.get("/hls/live/b/index.m3u8")
            #expect(nobody.status == 404)
            #expect(nobody.headers["retry-after"] == "1")
            #expect(!nobody.text.contains("live/a"))
            #expect(try await peer.get("/hls/x").status == 404)
            // Requests sent ahead are answered in order.
            for _ in 0..<5 { try await peer.ask(path) }
            try await peer.ask("/hls/live/a/none.ts")
            for _ in 0..<5 { #expect(try await peer.answer()?.body == whole.body) }
            #expect(try await peer.answer()?.status == 404)
            try await peer.ask(path, headers: ["Connection: close"])
            #expect(try await peer.answer()?.status == 200)
            #expect(try await peer.answer() == nil)
        }
    }

    @Test func channelsBySuffix() async throws {
        try await withServer({ $0.packageHLS(.fmp4) }) { server in
            let small = try await MediaFeed(server, "cam_240p", size: 160)
            let large = try await MediaFeed(server, "cam_480p", size: 320)
            let other = try await MediaFeed(server, "solo")
            for feed in [small, large, other] { try await feed.send(upTo: 2.2) }
            try await server.segments(2, of: "live/solo")
            let peer = try HLSPeer(server)
            let answer = try await peer.get("/hls/live/cam/master.m3u8")
            let playlist = try MultivariantPlaylist(parsing: answer.text)
            #expect(
                Set(playlist.variants.map(\.uri))
                    == ["../cam_240p/index.m3u8", "../cam_480p/index.m3u8"])
            #expect(playlist.hasIndependentSegments)
            for variant in playlist.variants {
                #expect(variant.codecs.count == 2)
                #expect(variant.frameRate == 25)
                #expect(variant.bandwidth >= variant.averageBandwidth ?? 0)
                #expect((280_000...340_000).contains(variant.bandwidth))
                #expect(
                    variant.resolution?.width == (variant.uri.contains("240") ? 160 : 320))
            }
            let alone = try await peer.get("/hls/live/solo/master.m3u8")
            #expect(
                try MultivariantPlaylist(parsing: alone.text).variants.map(\.uri)
                    == ["../solo/index.m3u8"])
            // Renditions of one clock have equal dates.
            let dates = try await [
                peer.playlist("/hls/live/cam_240p/index.m3u8"),
                peer.playlist("/hls/live/cam_480p/index.m3u8"),
            ].map { $0.segments.map(\.programDateTime) }
            #expect(dates[0] == dates[1])
        }
    }

    @Test func channelsByConfiguration() async throws {
        try await withServer({
            $0.packageHLS(.ts)
            $0.hls?.channels = [
                .init(
                    name: "event",
                    renditions: [
                        .init(name: "low", stream: "x"), .init(name: "high", stream: "y"),
                        .init(name: "absent", stream: "z"),
                    ])
            ]
        }) { server in
            let first = try await MediaFeed(server, "x")
            let second = try await MediaFeed(server, "y")
            for feed in [first, second] { try await feed.send(upTo: 2.2) }
            let peer = try HLSPeer(server)
            let answer = try await peer.get("/hls/live/event/master.m3u8")
            #expect(
                try Set(MultivariantPlaylist(parsing: answer.text).variants.map(\.uri))
                    == ["../x/index.m3u8", "../y/index.m3u8"])
            #expect(try await peer.get("/hls/live/x/master.m3u8").status == 404)
        }
    }

    /// A playlist is requested before the first segment is whole.
    @Test func earlyRequestsWait() async throws {
        try await withServer({ $0.packageHLS(.ts) }) { server in
            let feed = try await MediaFeed(server, "a")
            try await feed.send(upTo: 0.5)
            let media = try HLSPeer(server)
            let master = try HLSPeer(server)
            try await media.ask("/hls/live/a/index.m3u8")
            try await master.ask("/hls/live/a/master.m3u8")
            try await server.blocked(2)
            try await feed.send(upTo: 1.1)
            #expect(try await media.answer()?.status == 200)
            #expect(try await master.answer()?.status == 200)
            try await server.blocked(0)
        }
        try await withServer({
            $0.packageHLS(.ts)
            $0.hls?.firstSegmentWaitSeconds = 0.05
        }) { server in
            let feed = try await MediaFeed(server, "a")
            try await feed.send(upTo: 0.5)
            try await eventually("the stream is known") { try await server.stream() != nil }
            let peer = try HLSPeer(server)
            for file in ["index", "master"] {
                let answer = try await peer.get("/hls/live/a/\(file).m3u8")
                #expect(answer.status == 404)
                #expect(answer.headers["retry-after"] == "1")
            }
        }
    }

    /// A publisher that leaves for good ends the playlist; one that returns continues it.
    @Test func endAndReturn() async throws {
        try await withServer({
            $0.packageHLS(.ts)
            $0.publisherGraceMilliseconds = 60_000
        }) { server in
            let first = try await MediaFeed(server, "a")
            try await first.send(upTo: 2.5)
            try await server.segments(2)
            first.peer.socket.abort()
            try await eventually("away") { try await server.stream()?.isPublished == false }
            let peer = try HLSPeer(server)
            #expect(try await !peer.playlist("/hls/live/a/index.m3u8").hasEndList)
            let second = try await MediaFeed(server, "a")
            try await second.send(upTo: 2.2)
            try await server.segments(5)
            var playlist = try await peer.playlist("/hls/live/a/index.m3u8")
            #expect(playlist.segments.map(\.isDiscontinuity) == [false, false, false, true, false])
            try await second.peer.unpublish("a")
            try await eventually("ended") { try await server.stream()?.hls?.hasEnded == true }
            playlist = try await peer.playlist("/hls/live/a/index.m3u8")
            #expect(playlist.hasEndList)
            let third = try await MediaFeed(server, "a")
            try await third.send(upTo: 1.2)
            let number = playlist.nextSequence
            try await eventually("a new playlist") {
                try await server.stream()?.hls?.mediaSequence == number
            }
            let next = try await peer.playlist("/hls/live/a/index.m3u8")
            #expect(!next.hasEndList)
            #expect(next.segments[0].isDiscontinuity)
            #expect(next.discontinuitySequence == playlist.discontinuitySequence + 1)
        }
    }

    @Test func impossibleSettingsAreRefused() async throws {
        var configuration = ServerConfiguration()
        configuration.hls = HLSConfiguration()
        configuration.hls?.segmentSeconds = 0
        await #expect(throws: HLSConfigurationError.self) {
            try await RelayServer.start(configuration, logger: quiet)
        }
    }

    @Test func configurationTravels() throws {
        var configuration = ServerConfiguration()
        configuration.packageHLS(.fmp4, part: 0.5)
        configuration.hls?.channels = [
            .init(name: "live/cam", renditions: [.init(name: "low", stream: "cam_low")])
        ]
        let data = try JSONEncoder().encode(configuration)
        #expect(try JSONDecoder().decode(ServerConfiguration.self, from: data) == configuration)
        let sparse = try JSONDecoder().decode(
            HLSConfiguration.self, from: Data(#"{"container":"fmp4"}"#.utf8))
        #expect(sparse.container == .fmp4)
        #expect(sparse.segmentSeconds == 2)
        #expect(sparse.problem == nil)
        var bad = HLSConfiguration()
        bad.partSeconds = 3
        #expect(bad.problem?.contains("part duration") == true)
    }

    @Test func endedStreamsGo() async throws {
        try await withServer({
            $0.packageHLS(.ts)
            $0.hls?.lingerSeconds = 0.05
        }) { server in
            let feed = try await MediaFeed(server, "a")
            try await feed.send(upTo: 2.5)
            try await server.segments(2)
            try await feed.peer.unpublish("a")
            try await eventually("gone") { try await server.stream() == nil }
            #expect(try await HLSPeer(server).get("/hls/live/a/index.m3u8").status == 404)
        }
    }

    /// If the publisher leaves before the first frame, nothing will come, so no request waits.
    @Test func endedBeforeItBegan() async throws {
        try await withServer({ $0.packageHLS(.ts) }) { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            let early = try HLSPeer(server)
            try await eventually("it is known") { try await server.stream() != nil }
            try await early.ask("/hls/live/a/master.m3u8")
            try await server.blocked(1)
            try await publisher.unpublish("a")
            #expect(try await early.answer()?.status == 404)
            for file in ["index", "master"] {
                #expect(try await early.get("/hls/live/a/\(file).m3u8").status == 404)
            }
            #expect(try await server.stream()?.hls?.hasEnded == true)
        }
    }

    /// A request that waited in vain does not disturb the next one.
    @Test func timeOutsOnOneConnection() async throws {
        try await withServer({
            $0.packageHLS(.fmp4, part: 0.2)
            $0.hls?.firstSegmentWaitSeconds = 0.01
        }) { server in
            let feed = try await MediaFeed(server, "a")
            try await eventually("it is known") { try await server.stream() != nil }
            let peer = try HLSPeer(server)
            for _ in 0..<20 {
                #expect(try await peer.get("/hls/live/a/index.m3u8").status == 404)
            }
            try await feed.send(upTo: 2.1)
            try await server.segments(2)
            let next = try await peer.playlist("/hls/live/a/index.m3u8").nextSequence
            try await peer.ask("/hls/live/a/index.m3u8?_HLS_msn=\(next)&_HLS_part=0")
            try await server.blocked(1)
            try await feed.send(upTo: 2.3)
            #expect(try await peer.answer()?.status == 200)
        }
    }

    @Test func unsupportedCodecsAreNamed() async throws {
        try await withServer({ $0.packageHLS(.ts) }) { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            let frames = TestFrames()
            try await publisher.send([frames.message(.video, [0x1C, 0, 0, 0, 0, 1, 2, 3])])
            try await eventually("a problem") { try await server.stream()?.hls?.problem != nil }
            let answer = try await HLSPeer(server).get("/hls/live/a/index.m3u8")
            #expect(answer.status == 404)
            #expect(answer.text.contains("HEVC"))
        }
    }

    /// A client that does not read holds one segment and is cut.
    @Test func slowReadersAreCut() async throws {
        try await withServer({
            $0.packageHLS(.ts)
            $0.stalledSubscriberMilliseconds = 100
        }) { server in
            let feed = try await MediaFeed(server, "a", gopFrames: 250)
            try await feed.send(upTo: 10.5)
            try await server.segments(1)
            let name = try #require(
                try await HLSPeer(server).playlist("/hls/live/a/index.m3u8").segments.first?.uri)
            let slow = try HLSPeer(server, receiveBuffer: 4096)
            for _ in 0..<60 { try await slow.ask("/hls/live/a/\(name)") }
            // A client that does not read notices the cut by sending: half a request, byte by byte.
            try await eventually("it is cut") {
                try await !slow.socket.send(ByteBuffer(string: "G"))
            }
        }
    }
}
