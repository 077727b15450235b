import ABR
import HLS
import Testing

@testable import Viewer

/// Sessions in virtual time, by hand from RFC 8216bis and hls.js's documented policies.
@Suite struct HLSSessionTests {
    static let master = """
        #EXTM3U
        #EXT-X-STREAM-INF:BANDWIDTH=1100000,AVERAGE-BANDWIDTH=1000000,RESOLUTION=854x480
        mid/index.m3u8
        #EXT-X-STREAM-INF:BANDWIDTH=330000,AVERAGE-BANDWIDTH=300000,RESOLUTION=426x240
        low/index.m3u8
        #EXT-X-STREAM-INF:BANDWIDTH=3300000,AVERAGE-BANDWIDTH=3000000,RESOLUTION=1280x720
        high/index.m3u8

        """
    static let rates = ["low": 300, "mid": 1000, "high": 3000]

    static func rendition(_ request: HLSPlayerRequest) -> String {
        String(request.address.split(separator: "/").dropLast().last ?? "")
    }

    /// kbit/s for 2 s.
    static func bytes(_ request: HLSPlayerRequest) -> Int { (rates[rendition(request)] ?? 0) * 250 }

    static func vod(_ count: Int) -> String {
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"
            + (0..<count).map { "#EXTINF:2.0,\n\($0).ts\n" }.joined() + "#EXT-X-ENDLIST\n"
    }

    /// Segments of 2 s from real time 0 on, a window of `window`; the newest ends before `time` (ms).
    static func live(_ time: Double, window: Int = 5, stopsAt stop: Int = .max) -> String {
        let made = min(Int(time / 2000), stop)
        let first = max(0, made - window)
        var text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"
        text += "#EXT-X-MEDIA-SEQUENCE:\(first)\n"
        for i in first..<made {
            let date = ProgramDateTime(millisecondsSince1970: Int64(i) * 2000)
            text += "#EXT-X-PROGRAM-DATE-TIME:\(date)\n#EXTINF:2.0,\n\(i).ts\n"
        }
        return text
    }

    /// - Parameter joinedAt: real time of the join (ms).
    static func session(
        _ algorithm: String = "throughput", joinedAt: Double = 0,
        _ change: (inout HLSViewerSpec) -> Void = { _ in }
    ) throws -> HLSSessionStateMachine {
        var spec = HLSViewerSpec(index: 0, url: "http://h/a/master.m3u8")
        spec.algorithm = algorithm
        change(&spec)
        return try HLSSessionStateMachine(spec, joinedAt: joinedAt, recordLimit: 1000)
    }

    private static func vodOrigin(_ count: Int) -> VirtualOrigin {
        VirtualOrigin { request, _ in
            switch request.purpose {
            case .entry: .init(body: master)
            case .playlist: .init(body: vod(count))
            default: .init(bytes: bytes(request))
            }
        }
    }

    /// 8 Mbit/s: the lowest first, then the highest; the viewer leaves when the title is over.
    @Test func playsATitleToItsEnd() throws {
        var session = try Self.session()
        var origin = Self.vodOrigin(10)
        origin.play(&session, until: 60_000)
        #expect(origin.ended?.reason == nil)
        let end = try #require(origin.ended?.time)
        #expect(abs(end - (20_000 + (session.startup ?? 0))) < 1)
        let expected =
            ["master.m3u8", "index.m3u8", "0.ts", "index.m3u8"] + (1..<10).map { "\($0).ts" }
        #expect(origin.names == expected)
        #expect(session.records.map(\.rendition) == [0] + Array(repeating: 2, count: 9))
        #expect(session.records.map(\.sequence) == Array(0..<10))
        let account = try #require(session.player).account
        #expect(account.segments == 10 && account.switches == 1 && account.stalls == 0)
        #expect(abs(account.playing - 20_000) < 1)
        // Master, playlist and first segment: 10 ms each and their transfer.
        #expect((session.startup ?? 0) > 105 && (session.startup ?? 0) < 110)
        // Time to the first byte and the transfer, as the origin has them.
        #expect(session.records[1].timeToFirstByte.map { abs($0 - 10) < 1.5 } == true)
        #expect(abs(session.records[1].transferTime - 750) < 0.01)
        #expect(session.records[1].bytes == 750_000)
    }

    @Test func devicesCapTheHeight() throws {
        var session = try Self.session { $0.maximumHeight = 480 }
        var origin = Self.vodOrigin(6)
        origin.play(&session, until: 60_000)
        #expect(session.renditions.map(\.height) == [240, 480])
        #expect(session.renditions.map(\.name) == ["low", "mid"])
        #expect(session.records.map(\.rendition).max() == 1)
        var tiny = try Self.session { $0.maximumHeight = 100 }
        origin.play(&tiny, until: 1000)
        #expect(tiny.renditions.map(\.height) == [240])
    }

    /// A fixed rendition's playlist is the only one that is loaded.
    @Test func fixedRung() throws {
        var session = try Self.session("fixed:1")
        var origin = Self.vodOrigin(4)
        origin.play(&session, until: 60_000)
        #expect(origin.times("low/index.m3u8").isEmpty)
        #expect(session.records.allSatisfy { $0.rendition == 1 })
    }

    /// By its name, whatever its place; one that is not offered is waited for a while.
    @Test func namedRendition() throws {
        var session = try Self.session("fixed:2") { $0.rendition = "mid" }
        var origin = Self.vodOrigin(4)
        origin.play(&session, until: 60_000)
        #expect(session.records.map(\.rendition) == [1, 1, 1, 1])
        var lost = try Self.session("fixed:0") { $0.rendition = "ultra" }
        origin = Self.vodOrigin(4)
        origin.play(&lost, until: 60_000)
        #expect(origin.names == Array(repeating: "master.m3u8", count: 8))
        #expect(
            origin.ended?.reason
                == "http://h/a/master.m3u8 offers no rendition 'ultra' to this viewer, only low, mid, high"
        )
    }

    // MARK: Live

    private static func liveOrigin(
        _ joinedAt: Double, window: Int = 5, stopsAt stop: Int = .max
    ) -> VirtualOrigin {
        VirtualOrigin { request, time in
            switch request.purpose {
            case .entry: .init(body: master)
            case .playlist:
                .init(
                    body: live(joinedAt + time, window: window, stopsAt: stop)
                        + (joinedAt + time >= Double(stop) * 2000 + 3000 ? "#EXT-X-ENDLIST\n" : ""))
            default: .init(bytes: bytes(request))
            }
        }
    }

    /// Joins three target durations behind the edge, and stays there.
    @Test func joinsBehindTheEdge() throws {
        var session = try Self.session(joinedAt: 20_500)
        var origin = Self.liveOrigin(20_500)
        origin.play(&session, until: 30_000)
        // At 20.5 s, 6 s behind is 14.5 s: segment 7, of which 0.5 s is before that.
        #expect(session.records.first?.sequence == 7)
        let account = try #require(session.player).account
        #expect(account.stalls == 0)
        #expect(account.meanLatency > 6400 && account.meanLatency < 6700, "\(account.meanLatency)")
        #expect(session.isLive)
    }

    /// RFC 8216bis, 6.3.4: a target duration from the start of the last load, half of one where
    /// nothing was new.
    @Test func reloadsNoOftenerThanAllowed() throws {
        var session = try Self.session("fixed:0", joinedAt: 20_500)
        // Nothing new from segment 14 on: reloads at half the target duration.
        var origin = Self.liveOrigin(20_500, stopsAt: 14)
        origin.play(&session, until: 30_000)
        let times = origin.times("low/index.m3u8")
        let gaps = zip(times, times.dropFirst()).map { $1 - $0 }
        #expect(gaps.count >= 4)
        #expect(gaps.allSatisfy { $0 >= 1000 })
        #expect(gaps.contains { abs($0 - 2000) < 1 } && gaps.contains { abs($0 - 1000) < 1 })
        #expect(session.counts.tightestReload.map { $0 >= 1 } == true)
        // The stream has ended: what is there is played, then the viewer leaves.
        #expect(origin.ended != nil && origin.ended?.reason == nil)
        #expect(session.records.last?.sequence == 13)
    }

    /// A viewer too slow for the window goes on at the live edge, and does not ask for what is gone.
    @Test func fallsOutOfTheWindow() throws {
        var session = try Self.session("fixed:2", joinedAt: 20_500)
        var origin = Self.liveOrigin(20_500, window: 3)
        origin.rate = 1000
        origin.play(&session, until: 60_000)
        #expect(origin.ended == nil)
        let account = try #require(session.player).account
        #expect(account.skipped > 0 && account.stalled > 0)
        let sequences = session.records.map(\.sequence)
        #expect(sequences == sequences.sorted() && Set(sequences).count == sequences.count)
    }

    /// The encoder pauses for 10 s: the next segment's date says so, and latency is counted from it.
    @Test func followsTheEncoderOverAPause() throws {
        var session = try Self.session("fixed:0", joinedAt: 20_500) { $0.maximumLatencyRatio = 0 }
        var origin = VirtualOrigin { request, time in
            let now = 20_500 + time
            guard request.purpose != .entry else { return .init(body: Self.master) }
            guard case .playlist = request.purpose else {
                return .init(bytes: Self.bytes(request))
            }
            // From 30 s to 40 s nothing is made.
            let made = now < 30_000 ? now : max(30_000, now - 10_000)
            var text = Self.live(made, window: 8)
            for i in 15..<40 {
                let date = ProgramDateTime(millisecondsSince1970: Int64(i) * 2000)
                let later = ProgramDateTime(millisecondsSince1970: Int64(i) * 2000 + 10_000)
                text = text.replacing("\(date)\n", with: "\(later)\n")
            }
            return .init(body: text)
        }
        origin.play(&session, until: 50_000)
        let player = try #require(session.player)
        // The player waited longer than the encoder: it is closer to the edge now, by its dates
        // (12 s, counted from where media time 0 was thought to be at first).
        #expect(player.account.stalls >= 1)
        #expect(
            player.state.liveLatency > 2000 && player.state.liveLatency < 5000,
            "\(player.state.liveLatency)")
    }

    // MARK: Faults

    /// 404: final for this rendition; one rendition lower is asked for.
    @Test func refusedSegmentsAreAskedForLower() throws {
        var session = try Self.session("fixed:2")
        var base = Self.vodOrigin(4)
        let inner = base.answer
        base.answer = { request, time in
            request.address.hasSuffix("high/1.ts") ? .init(status: 404) : inner(request, time)
        }
        base.play(&session, until: 60_000)
        #expect(session.records.map(\.rendition) == [2, 1, 2, 2])
        #expect(session.counts.refused == 1 && session.counts.retries == 0)
        #expect(base.ended?.reason == nil)
    }

    /// 5xx and broken connections are tried again after 1, 2, 4 s.
    @Test func serverErrorsAreTriedAgain() throws {
        for isBroken in [false, true] {
            var session = try Self.session("fixed:0")
            var origin = Self.vodOrigin(4)
            let inner = origin.answer
            var count = 0
            origin.answer = { request, time in
                guard request.address.hasSuffix("low/1.ts") else { return inner(request, time) }
                count += 1
                return count <= 3 ? .init(status: 503, isBroken: isBroken) : inner(request, time)
            }
            origin.play(&session, until: 60_000)
            let times = origin.times("low/1.ts")
            #expect(times.count == 4)
            let gaps = zip(times, times.dropFirst()).map { $1 - $0 }
            for (gap, expected) in zip(gaps, [1010.0, 2010, 4010]) {
                #expect(abs(gap - expected) < 1)
            }
            #expect(session.counts.retries == 3)
            #expect(isBroken ? session.counts.broken == 3 : session.counts.serverErrors == 3)
            #expect(origin.ended?.reason == nil)
        }
    }

    /// An answer that never comes is given up after 10 s and asked for again at once.
    @Test func stalledAnswersTimeOut() throws {
        var session = try Self.session("fixed:0")
        var origin = Self.vodOrigin(3)
        let inner = origin.answer
        var count = 0
        origin.answer = { request, time in
            guard request.address.hasSuffix("low/1.ts") else { return inner(request, time) }
            count += 1
            return count == 1 ? .init(never: true) : inner(request, time)
        }
        origin.play(&session, until: 60_000)
        let times = origin.times("low/1.ts")
        #expect(times.count == 2 && abs(times[1] - times[0] - 10_000) < 1)
        #expect(session.counts.timeouts == 1)
        #expect(session.player?.account.stalls == 1)
    }

    @Test func givesUpInTheEnd() throws {
        var session = try Self.session("fixed:0")
        var origin = Self.vodOrigin(3)
        let inner = origin.answer
        origin.answer = { request, time in
            request.address.hasSuffix(".ts") ? .init(status: 404) : inner(request, time)
        }
        origin.play(&session, until: 600_000)
        #expect(origin.ended?.reason?.contains("404") == true)
        var early = try Self.session()
        var nothing = VirtualOrigin { _, _ in .init(status: 404) }
        nothing.play(&early, until: 600_000)
        #expect(nothing.ended?.reason?.contains("404") == true && nothing.log.count == 1)
        // Not there yet, says the server: asked again when it says.
        var patient = try Self.session()
        var soon = Self.vodOrigin(2)
        let later = soon.answer
        soon.answer = { request, time in
            time < 2500 ? .init(status: 404, retryAfter: 1) : later(request, time)
        }
        soon.play(&patient, until: 600_000)
        #expect(soon.ended?.reason == nil && patient.counts.refused == 3)
        // So is what the viewer itself has the patience for.
        for (patience, refusals) in [(30_000.0, 3), (2000, 2)] {
            var waiting = try Self.session { $0.patienceMilliseconds = patience }
            var late = Self.vodOrigin(2)
            let inner = late.answer
            late.answer = { $1 < 2500 ? .init(status: 404) : inner($0, $1) }
            late.play(&waiting, until: 600_000)
            #expect(waiting.counts.refused == refusals)
            #expect((late.ended?.reason == nil) == (patience > 2500))
        }
    }

    @Test func refusesNonsense() throws {
        #expect(throws: ViewerError.self) { try Self.session("bolla") }
        #expect(throws: ViewerError.self) {
            try Self.session { $0.url = "rtmp://h/a.m3u8" }
        }
        var session = try Self.session()
        var origin = VirtualOrigin { _, _ in .init(body: "<html>") }
        origin.play(&session, until: 600_000)
        #expect(origin.ended?.reason?.contains("master.m3u8") == true)
    }

    /// A playlist that is refused while a segment of it is on its way: that segment is still what it
    /// was asked as.
    @Test func aRefusedPlaylistLeavesTheSegmentUnderWayAlone() throws {
        var session = try Self.session("fixed:2", joinedAt: 20_000)
        var origin = VirtualOrigin { request, time in
            switch request.purpose {
            case .entry: .init(body: Self.master)
            case .playlist where time > 6_000 && time < 14_000: .init(status: 404)
            case .playlist: .init(body: Self.live(20_000 + time))
            default: .init(bytes: Self.bytes(request))
            }
        }
        // Segments take 1.9 s of every 2.
        origin.rate = 3_200
        origin.play(&session, until: 30_000)
        let segments = origin.log.filter { $0.request.purpose == .segment }.map(\.request)
        #expect(session.counts.refused > 0)
        let last = try #require(session.records.last)
        for (record, request) in zip(session.records, segments) {
            #expect(session.renditions[record.rendition].name == Self.rendition(request))
            #expect(record.size == Self.bytes(request) && record.isWhole == (record != last))
            #expect(record.isWhole == (record.bytes == record.size))
        }
        // Every request has a record, that which is under way at the end, too.
        #expect(session.records.count == segments.count)
        #expect(last.isCut && last.bytes > 0 && last.bytes < 750_000)
        // A retry is no reload: none was earlier than allowed.
        #expect(try #require(session.counts.tightestReload) >= 0.999)
    }
}
