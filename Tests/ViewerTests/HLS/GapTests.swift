import ABR
import HLS
import HTTPWire
import SimulationKernel
import Testing

@testable import Viewer

/// EXT-X-GAP (rfc8216bis, 4.4.4.7 and 6.3.3), wherever it stands.
@Suite struct GapTests {
    /// A title of segments of 2 s; `gaps` are missing.
    private static func vod(_ count: Int, gaps: Set<Int>, before: Bool = false) -> String {
        var text = "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:2\n"
        for segment in 0..<count {
            let gap = gaps.contains(segment) ? "#EXT-X-GAP\n" : ""
            text += (before ? gap : "") + "#EXTINF:2.0,\n" + (before ? "" : gap)
            text += "\(segment).ts\n"
        }
        return text + "#EXT-X-ENDLIST\n"
    }

    private static func origin(_ count: Int, gaps: [String: Set<Int>], before: Bool = false)
        -> VirtualOrigin
    {
        VirtualOrigin { request, _ in
            switch request.purpose {
            case .entry: .init(body: HLSSessionTests.master)
            case .playlist:
                .init(
                    body: vod(
                        count, gaps: gaps[HLSSessionTests.rendition(request)] ?? [],
                        before: before))
            default: .init(bytes: HLSSessionTests.bytes(request))
            }
        }
    }

    private static let all = ["low", "mid", "high"]

    /// Case 01 of the field: the third of four segments is missing everywhere.
    @Test(arguments: [false, true])
    func aGapOfAllRenditionsIsPassedOver(before: Bool) throws {
        var session = try HLSSessionTests.session()
        var origin = Self.origin(
            4, gaps: Dictionary(uniqueKeysWithValues: Self.all.map { ($0, [2]) }), before: before)
        origin.play(&session, until: 60_000)
        #expect(origin.ended?.reason == nil)
        #expect(!origin.names.contains("2.ts"))
        #expect(session.records.map(\.sequence) == [0, 1, 3])
        let account = try #require(session.player).account
        #expect(abs(account.missing - 2000) < 1e-6)
        #expect(abs(account.playing - 6000) < 1e-6)
        #expect(account.segments == 3)
        #expect(session.counts.missingSegments == 1)
    }

    @Test func aLoneMediaPlaylistHasNoOtherRendition() throws {
        var session = try HLSSessionTests.session()
        var origin = VirtualOrigin { request, _ in
            request.purpose == .entry
                ? .init(body: Self.vod(4, gaps: [0, 3])) : .init(bytes: 75_000)
        }
        origin.play(&session, until: 60_000)
        #expect(session.records.map(\.sequence) == [1, 2])
        #expect(try abs(#require(session.player).account.missing - 4000) < 1e-6)
    }

    /// The rendition below, else the one above, is played where it has the segment.
    @Test func anotherRenditionIsPlayed() throws {
        var session = try HLSSessionTests.session("fixed:1")
        var origin = Self.origin(5, gaps: ["mid": [1, 3], "low": [3]])
        origin.play(&session, until: 60_000)
        #expect(session.records.map(\.rendition) == [1, 0, 1, 2, 1])
        #expect(session.records.map(\.sequence) == [0, 1, 2, 3, 4])
        #expect(session.counts.missingSegments == 0)
    }

    @Test func aViewerThatStaysOnOneRenditionPassesItsGaps() throws {
        var session = try HLSSessionTests.session { $0.rendition = "mid" }
        var origin = Self.origin(4, gaps: ["mid": [1]])
        origin.play(&session, until: 60_000)
        #expect(session.records.map(\.sequence) == [0, 2, 3])
        #expect(session.records.allSatisfy { $0.rendition == 1 })
    }

    /// A hundred thousand gaps take no stack and no time.
    @Test func titlesOfNothingButGapsEnd() throws {
        var session = try HLSSessionTests.session()
        var origin = Self.origin(
            20_000,
            gaps: Dictionary(uniqueKeysWithValues: Self.all.map { ($0, Set(0..<20_000)) }))
        origin.play(&session, until: 60_000)
        #expect(origin.ended?.reason?.contains("EXT-X-GAP") == true)
        #expect(session.counts.missingSegments == 20_000)
        #expect(session.counts.segments == 0)
    }

    /// Live: what is missing is passed at once, and the distance from the live edge stays.
    @Test func liveGoesOnBehindAGap() throws {
        var session = try HLSSessionTests.session(joinedAt: 20_000)
        var origin = VirtualOrigin { request, time in
            switch request.purpose {
            case .entry: return .init(body: HLSSessionTests.master)
            case .playlist:
                let text = HLSSessionTests.live(time + 20_000)
                return .init(
                    body: text.replacing(
                        "#EXTINF:2.0,\n12.ts", with: "#EXT-X-GAP\n#EXTINF:2.0,\n12.ts"))
            default: return .init(bytes: HLSSessionTests.bytes(request))
            }
        }
        origin.play(&session, until: 40_000)
        #expect(origin.ended == nil)
        #expect(!origin.names.contains("12.ts"))
        let sequences = session.records.map(\.sequence)
        #expect(Set(sequences).isSuperset(of: [11, 13, 14, 20]))
        let account = try #require(session.player).account
        #expect(account.missing == 2000)
        #expect(session.player.map { $0.state.liveLatency > 0 } ?? false)
    }

    /// Parts with GAP=YES, and parts of a segment behind EXT-X-GAP.
    @Test(arguments: [false, true])
    func partsThatAreMissingArePassedOver(whole: Bool) throws {
        func playlist(_ time: Double) -> String {
            // A part is 0.5 s, a segment four of them; the stream is 20 s old at the join.
            let parts = Int((time + 20_000) / 500)
            let segment = parts / 4
            var text = """
                #EXTM3U
                #EXT-X-VERSION:9
                #EXT-X-TARGETDURATION:2
                #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5
                #EXT-X-PART-INF:PART-TARGET=0.5
                #EXT-X-MEDIA-SEQUENCE:\(segment - 5)

                """
            for number in segment - 5...segment {
                let isGap = number == 12
                if isGap, whole { text += "#EXT-X-GAP\n" }
                for part in 0..<(number == segment ? parts % 4 : 4) {
                    let gap = isGap && (whole || part >= 2) ? ",GAP=YES" : ""
                    text += "#EXT-X-PART:DURATION=0.5,URI=\"\(number).\(part).mp4\"\(gap)\n"
                }
                guard number < segment else { continue }
                text += (isGap ? "#EXT-X-GAP\n" : "") + "#EXTINF:2.0,\n\(number).mp4\n"
            }
            return text
        }
        var session = try HLSSessionTests.session(joinedAt: 20_000)
        var origin = VirtualOrigin { request, time in
            switch request.purpose {
            case .entry: return .init(body: playlist(time))
            case .playlist(_, let isBlocking):
                let due = isBlocking ? ((time / 500).rounded(.down) + 1) * 500 : time
                return .init(body: playlist(due), heldUntil: due)
            case .part: return .init(bytes: 10_000)
            default: return .init(bytes: 40_000)
            }
        }
        origin.play(&session, until: 16_000)
        #expect(origin.ended == nil)
        #expect(!origin.names.contains("12.mp4"))
        #expect(origin.names.contains("12.0.mp4") == !whole)
        #expect(!origin.names.contains("12.2.mp4") && !origin.names.contains("12.3.mp4"))
        #expect(origin.names.contains("13.0.mp4"))
        let account = try #require(session.player).account
        #expect(abs(account.missing - (whole ? 2000 : 1000)) < 1)
    }

    /// Every sequence of gaps over any number of renditions ends, and no second is lost or counted
    /// twice: what was played and what is missing is the title.
    @Test(arguments: 1...60)
    func everySequenceOfGapsEnds(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let count = Int.random(in: 1...30, using: &random)
        let density = Double.random(in: 0...1, using: &random)
        let names = Array(Self.all.prefix(Int.random(in: 1...3, using: &random)))
        var gaps: [String: Set<Int>] = [:]
        for name in names {
            gaps[name] = Set(
                (0..<count).filter { _ in Double.random(in: 0..<1, using: &random) < density })
        }
        let algorithms = ["throughput", "bola-e", "hls-js", "fixed:0", "dynamic", "l2a-ll"]
        let algorithm = algorithms.randomElement(using: &random) ?? "throughput"
        let text =
            "#EXTM3U\n"
            + names.map {
                "#EXT-X-STREAM-INF:BANDWIDTH=\(HLSSessionTests.rates[$0] ?? 1)000\n\($0)/index.m3u8\n"
            }.joined()
        var session = try HLSSessionTests.session(algorithm)
        var origin = Self.origin(count, gaps: gaps, before: seed % 2 == 0)
        let inner = origin.answer
        origin.answer = { $0.purpose == .entry ? .init(body: text) : inner($0, $1) }
        origin.play(&session, until: 600_000)
        let missing = names.map { gaps[$0] ?? [] }.reduce(Set(0..<count)) {
            $0.intersection($1)
        }
        #expect(
            origin.ended != nil,
            "seed \(seed) \(algorithm) \(session.nextTime) \(session.wanted as Any) \(session.player?.bufferLevel ?? 0) \(session.requests)"
        )
        #expect(session.counts.missingSegments == missing.count, "seed \(seed)")
        for (_, request) in origin.log where request.purpose == .segment {
            let number = Int(request.url.path.split(separator: "/").last?.dropLast(3) ?? "") ?? -1
            #expect(
                gaps[HLSSessionTests.rendition(request)]?.contains(number) == false,
                "seed \(seed): \(request.url) is a gap")
        }
        let account = try #require(session.player).account
        let played = Double(count - missing.count) * 2000
        #expect(abs(account.playing - played) < 1, "seed \(seed) \(algorithm)")
        // What is missing at the very end is never reached.
        #expect(account.missing <= Double(missing.count) * 2000 + 1, "seed \(seed)")
    }
}
