import ABR
import Testing

@testable import Viewer

/// Viewers that have several edges to go to.
@Suite struct FailoverTests {
    /// An edge that dies: the second failure of a request leads to the next edge, and back when that
    /// one dies as well.
    @Test func movesToAnotherEdge() throws {
        var session = try HLSSessionTests.session(joinedAt: 20_000) {
            $0.alternatives = ["http://i:81/a/master.m3u8"]
            $0.failoverAfter = 2
        }
        func dies(_ url: String, _ time: Double) -> Bool {
            url.hasPrefix("http://h/") ? (5_000..<20_000).contains(time) : time > 22_000
        }
        var origin = VirtualOrigin { request, time in
            switch request.purpose {
            case _ where dies(request.address, time): .init(isBroken: true)
            case .entry: .init(body: HLSSessionTests.master)
            case .playlist: .init(body: HLSSessionTests.live(20_000 + time))
            default: .init(bytes: HLSSessionTests.bytes(request))
            }
        }
        origin.play(&session, until: 40_000)
        #expect(origin.ended == nil && session.counts.failovers == 2)
        #expect(session.player?.account.stalls == 0)
        let hosts = origin.log.map {
            ($0.time, $0.request.address.hasPrefix("http://h/") ? "h" : "i")
        }
        let away = try #require(hosts.first { $0.1 == "i" }).0
        let back = try #require(hosts.last { $0.1 == "i" }).0
        // hls.js tries again after a second, and goes on elsewhere at once.
        let failed = try #require(origin.log.first { dies($0.request.address, $0.time) }).time
        #expect(away - failed > 1_000 && away - failed < 1_100)
        #expect(hosts.allSatisfy { $0.0 < away || $0.0 > back || $0.1 == "i" })
        #expect(try #require(hosts.last).1 == "h" && back > 22_000)
        // The segments go on where they were.
        let sequences = session.records.map(\.sequence)
        #expect(sequences == Array(sequences[0]..<sequences[0] + sequences.count))
    }

    /// No edge answers: each is asked, then the viewer gives up.
    @Test func givesUpAfterEveryEdge() throws {
        var session = try HLSSessionTests.session {
            $0.alternatives = ["http://i/a/master.m3u8", "http://j/a/master.m3u8"]
            $0.failoverAfter = 2
        }
        var origin = VirtualOrigin { _, _ in .init(isBroken: true) }
        origin.play(&session, until: 60_000)
        #expect(
            origin.log.map { $0.request.address.split(separator: "/")[1] }
                == ["h", "h", "i", "i", "j", "j"])
        #expect(session.counts.failovers == 2)
        #expect(origin.ended?.reason == "reset for http://j/a/master.m3u8")
    }

    /// Playlists come, segments do not, from neither edge: one move, then the usual policy.
    @Test func failoverEnds() throws {
        var session = try HLSSessionTests.session(joinedAt: 20_000) {
            $0.alternatives = ["http://i/a/master.m3u8"]
            $0.failoverAfter = 2
        }
        var origin = VirtualOrigin { request, time in
            switch request.purpose {
            case .entry: .init(body: HLSSessionTests.master)
            case .playlist: .init(body: HLSSessionTests.live(20_000 + time))
            default: .init(status: 503)
            }
        }
        origin.play(&session, until: 400_000)
        #expect(session.counts.failovers == 1)
        #expect(origin.ended?.reason?.hasPrefix("the server answers 503") == true)
    }
}
