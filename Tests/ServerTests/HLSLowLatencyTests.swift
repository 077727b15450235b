import HLS
import Media
import NIOCore
import Server
import TestServer
import TestSupport
import Testing

/// Blocking reloads, delta updates, preload hints and rendition reports work as rfc8216bis says.
@Suite(.timeLimit(.minutes(2))) struct HLSLowLatencyTests {
    static let path = "/hls/live/a/index.m3u8"

    /// Requests really wait, and are answered when the requested part is there, not before.
    @Test(arguments: [1, 2]) func blockingReload(threads: Int) async throws {
        try await withServer({
            $0.packageHLS(.fmp4, part: 0.2)
            $0.threads = threads
        }) { server in
            let feed = try await MediaFeed(server, "a")
            try await feed.send(upTo: 2.1)
            try await server.segments(2)
            let segment = try HLSPeer(server)
            let next = try await segment.playlist(Self.path).nextSequence
            var peers: [HLSPeer] = []
            for _ in 0..<20 {
                let peer = try HLSPeer(server)
                try await peer.ask(Self.path + "?_HLS_msn=\(next)&_HLS_part=1")
                peers.append(peer)
            }
            try await segment.ask(Self.path + "?_HLS_msn=\(next)")
            try await server.blocked(21)
            try await feed.send(upTo: 2.3)
            try await eventually("a part") {
                try await server.stream()?.hls?.parts == 6
            }
            try await server.blocked(21)
            try await feed.send(upTo: 2.6)
            for peer in peers {
                let answer = try #require(try await peer.answer())
                #expect(answer.status == 200)
                #expect(answer.headers["cache-control"] == "max-age=6")
                let playlist = try MediaPlaylist(parsing: answer.text)
                #expect(playlist.partialSegment?.parts.count == 2)
            }
            try await server.blocked(1)
            try await feed.send(upTo: 3.1)
            let answer = try #require(try await segment.answer())
            #expect(try MediaPlaylist(parsing: answer.text).nextSequence == next + 1)
        }
    }

    @Test func wrongDirectivesAndTimeOut() async throws {
        try await withServer({ $0.packageHLS(.ts, part: 0.2) }) { server in
            let feed = try await MediaFeed(server, "a")
            try await feed.send(upTo: 2.1)
            try await server.segments(2)
            let peer = try HLSPeer(server)
            let next = try await peer.playlist(Self.path).nextSequence
            for query in ["_HLS_msn=\(next + 2)", "_HLS_part=1", "_HLS_msn=x", "_HLS_msn=-1"] {
                #expect(try await peer.get(Self.path + "?" + query).status == 400, "\(query)")
            }
            // Nothing more comes: the response comes three target durations later.
            let query = "?_HLS_msn=\(next + 1)&_HLS_part=0"
            #expect(try await peer.get(Self.path + query).status == 503)
        }
    }

    @Test func preloadHintsBlock() async throws {
        try await withServer({ $0.packageHLS(.fmp4, part: 0.2) }) { server in
            let feed = try await MediaFeed(server, "a")
            try await feed.send(upTo: 2.1)
            try await server.segments(2)
            let peer = try HLSPeer(server)
            let hint = try #require(try await peer.playlist(Self.path).preloadHints.first)
            try await peer.ask("/hls/live/a/\(hint.uri)")
            try await server.blocked(1)
            try await feed.send(upTo: 2.35)
            let part = try #require(try await peer.answer())
            #expect(part.status == 200)
            #expect(part.headers["content-type"] == "video/mp4")
            let playlist = try await peer.playlist(Self.path)
            #expect(playlist.partialSegment?.parts.first?.uri == hint.uri)
            #expect(playlist.partialSegment?.parts.first?.isIndependent == true)
            // The publisher's end makes a hint untrue.
            let next = try #require(playlist.preloadHints.first)
            try await peer.ask("/hls/live/a/\(next.uri)")
            try await server.blocked(1)
            try await feed.peer.unpublish("a")
            // The frames of the hinted part so far become the last part.
            let last = try #require(try await peer.answer())
            #expect([200, 404].contains(last.status))
            #expect(try await peer.playlist(Self.path).hasEndList)
        }
    }

    @Test func deltaUpdates() async throws {
        try await withServer({ $0.packageHLS(.fmp4, part: 0.2) }) { server in
            let feed = try await MediaFeed(server, "a")
            try await feed.send(upTo: 15.1)
            try await server.segments(15)
            let peer = try HLSPeer(server)
            let old = try await peer.playlist(Self.path)
            try await feed.send(upTo: 17.4)
            try await server.segments(17)
            let delta = try await peer.playlist(Self.path + "?_HLS_skip=YES")
            #expect(delta.skippedSegments == 11)
            #expect(delta.version == 9)
            var merged = try old.merging(delta: delta)
            merged.version = 6
            // Parts that have left the end of the old playlist are still in the client's copy.
            let whole = try await peer.playlist(Self.path)
            #expect(merged.segments.map(\.uri) == whole.segments.map(\.uri))
            #expect(merged.partialSegment == whole.partialSegment)
        }
    }

    @Test func renditionReports() async throws {
        try await withServer({ $0.packageHLS(.fmp4, part: 0.2) }) { server in
            let first = try await MediaFeed(server, "a_low")
            let second = try await MediaFeed(server, "a_high")
            try await first.send(upTo: 2.6)
            try await second.send(upTo: 3.1)
            try await server.segments(3, of: "live/a_high")
            try await server.segments(2, of: "live/a_low")
            let peer = try HLSPeer(server)
            let low = try await peer.playlist("/hls/live/a_low/index.m3u8").nextSequence
            try await eventually("the parts of the other") {
                try await peer.playlist("/hls/live/a_high/index.m3u8").renditionReports == [
                    .init(uri: "../a_low/index.m3u8", lastSequence: low, lastPart: 1)
                ]
            }
            let high = try await peer.playlist("/hls/live/a_high/index.m3u8").nextSequence
            #expect(
                try await peer.playlist("/hls/live/a_low/index.m3u8").renditionReports == [
                    .init(uri: "../a_high/index.m3u8", lastSequence: high - 1, lastPart: 4)
                ])
        }
    }
}
