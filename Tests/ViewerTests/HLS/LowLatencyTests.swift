import ABR
import HLS
import Testing

@testable import Viewer

/// LL-HLS in virtual time: parts of 500 ms, segments of 2 s from real time 0 on.
@Suite struct LowLatencyTests {
    static let joinedAt = 20_700.0

    /// What the playlist says once `parts` parts have been made in all.
    private static func playlist(parts: Int, window: Int = 6, skips: Bool = false) -> String {
        let made = parts / 4
        let first = max(0, made - window)
        var text = "#EXTM3U\n#EXT-X-VERSION:\(skips ? 9 : 6)\n#EXT-X-TARGETDURATION:2\n"
        text +=
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=1.5,HOLD-BACK=6.0\n"
        text += "#EXT-X-PART-INF:PART-TARGET=0.5\n#EXT-X-MEDIA-SEQUENCE:\(first)\n"
        var from = first
        if skips, made - first > 2 {
            text += "#EXT-X-SKIP:SKIPPED-SEGMENTS=\(made - first - 2)\n"
            from = made - 2
        }
        for i in from..<made + 1 {
            let date = ProgramDateTime(millisecondsSince1970: Int64(i) * 2000)
            let count = i == made ? parts % 4 : 4
            guard count > 0 else { break }
            text += "#EXT-X-PROGRAM-DATE-TIME:\(date)\n"
            if i >= made - 2 {
                for part in 0..<count {
                    text += "#EXT-X-PART:DURATION=0.5,URI=\"\(i).\(part).mp4\""
                    text += part == 0 ? ",INDEPENDENT=YES\n" : "\n"
                }
            }
            if i < made { text += "#EXTINF:2.0,\n\(i).mp4\n" }
        }
        return text
    }

    private static func number(_ name: String, in url: String) -> Int? {
        url.split(separator: "?").last?.split(separator: "&")
            .first { $0.hasPrefix(name + "=") }.flatMap { Int($0.dropFirst(name.count + 1)) }
    }

    /// - Parameter blocks: whether the server really holds reloads back.
    private static func origin(blocks: Bool = true) -> VirtualOrigin {
        VirtualOrigin { request, time in
            switch request.purpose {
            case .entry: return .init(body: HLSSessionTests.master)
            case .playlist:
                var parts = Int((joinedAt + time) / 500)
                var held = 0.0
                if blocks, let sequence = number("_HLS_msn", in: request.address) {
                    let part = number("_HLS_part", in: request.address) ?? 3
                    let wanted = sequence * 4 + part + 1
                    if wanted > parts {
                        parts = wanted
                        held = Double(wanted) * 500 - joinedAt
                    }
                }
                return .init(
                    body: playlist(parts: parts, skips: request.address.contains("_HLS_skip=YES")),
                    heldUntil: held)
            case .part: return .init(bytes: HLSSessionTests.bytes(request) / 4)
            default: return .init(bytes: HLSSessionTests.bytes(request))
            }
        }
    }

    @Test func playsParts() throws {
        var session = try HLSSessionTests.session("fixed:0", joinedAt: Self.joinedAt)
        var origin = Self.origin()
        origin.play(&session, until: 20_000)
        #expect(origin.ended == nil)
        let account = try #require(session.player).account
        #expect(account.stalls == 0)
        #expect(account.meanLatency > 1000 && account.meanLatency < 3500, "\(account.meanLatency)")
        #expect(session.counts.parts > 30)
        // Each part once, in order.
        let parts = origin.names.filter { $0.split(separator: ".").count == 3 }
        #expect(Set(parts).count == parts.count)
        let places = parts.map { name in
            let numbers = name.split(separator: ".").compactMap { Int($0) }
            return numbers[0] * 4 + numbers[1]
        }
        #expect(zip(places, places.dropFirst()).allSatisfy { $1 == $0 + 1 })
        // All reloads but the first are held back by the server, and most are delta updates.
        #expect(session.counts.blocked >= session.counts.playlists - 2)
        #expect(origin.log.contains { $0.request.address.contains("_HLS_skip=YES") })
        #expect(session.counts.tightestReload == nil)
        #expect(session.records.allSatisfy { $0.bytes == 75_000 || $0.isCut && $0.bytes < 75_000 })
    }

    /// A server that answers blocking reloads at once is polled no oftener than one without them.
    @Test func earlyAnswersMakeNoStorm() throws {
        var session = try HLSSessionTests.session("fixed:0", joinedAt: Self.joinedAt)
        var origin = Self.origin(blocks: false)
        origin.play(&session, until: 20_000)
        #expect(session.counts.playlists < 45, "\(session.counts.playlists)")
        #expect((session.player?.account.segments ?? 0) > 5)
    }

    /// Without parts it is plain HLS, three target durations behind.
    @Test func partsCanBeLeftAlone() throws {
        var session = try HLSSessionTests.session("fixed:0", joinedAt: Self.joinedAt) {
            $0.usesParts = false
        }
        var origin = Self.origin()
        origin.play(&session, until: 20_000)
        #expect(session.counts.parts == 0 && session.counts.blocked == 0)
        let account = try #require(session.player).account
        #expect(account.meanLatency > 6000 && account.stalls == 0)
    }

    /// A switch does not wait for a reload of the old rendition that the server holds back.
    @Test func switchesWithoutWaiting() throws {
        var session = try HLSSessionTests.session("throughput", joinedAt: Self.joinedAt)
        var origin = Self.origin()
        origin.play(&session, until: 20_000)
        #expect(session.records.map(\.rendition).max() == 2)
        #expect((session.player?.account.stalls ?? 9) == 0)
        #expect(origin.times("high/index.m3u8").count > 10)
    }

    /// A part that is refused is asked for again, those before it are not, and nothing is played twice.
    @Test func aRefusedPartCostsNoPhantomMedia() throws {
        var session = try HLSSessionTests.session("fixed:0", joinedAt: Self.joinedAt)
        var origin = Self.origin()
        let answer = origin.answer
        var refused: Set<String> = []
        origin.answer = { request, time in
            if request.address.hasSuffix(".2.mp4"), time < 12_000,
                refused.insert(request.address).inserted
            {
                return .init(status: 404)
            }
            // Nothing for 6 s from here on.
            if time > 12_000, time < 18_000 { return .init(never: true) }
            return answer(request, time)
        }
        origin.play(&session, until: 18_000)
        #expect(refused.count > 3)
        let parts = origin.log.filter { $0.time < 12_000 }.map(\.request.address).filter {
            $0.split(separator: ".").count == 3 && !$0.hasSuffix(".2.mp4")
        }
        #expect(Set(parts).count == parts.count)
        let account = try #require(session.player).account
        // 1.5 to 3.5 s behind: it cannot have had more than that to play on.
        #expect(account.stalled > 2_500, "\(account.stalled)")
    }

    /// Parts that the playlist lists no more are made up for by the whole segment.
    @Test func partsThatAreGone() throws {
        var session = try HLSSessionTests.session("fixed:0", joinedAt: Self.joinedAt)
        var origin = Self.origin()
        let answer = origin.answer
        origin.answer = { request, time in
            var answer = answer(request, time)
            guard case .playlist = request.purpose else { return answer }
            // Only the segment that is being made has parts.
            let lines = answer.body.split(separator: "\n")
            let last = lines.lastIndex { $0.hasPrefix("#EXTINF") } ?? 0
            answer.body = lines.enumerated().filter {
                $0.offset > last || !$0.element.hasPrefix("#EXT-X-PART:")
            }.map(\.element).joined(separator: "\n")
            return answer
        }
        origin.play(&session, until: 20_000)
        for record in session.records where record.isWhole {
            let fetched = origin.names.filter { $0.hasPrefix("\(record.sequence).") }
            let parts = fetched.filter { $0.split(separator: ".").count == 3 }
            #expect(parts.count == 4 || fetched.contains("\(record.sequence).mp4"), "\(fetched)")
        }
        #expect(session.records.count > 5)
        #expect(
            origin.names.contains { $0.split(separator: ".").count == 2 && $0.hasSuffix(".mp4") })
    }

    /// A server whose every answer is a delta update is not stormed.
    @Test func deltasThatCannotBeMerged() throws {
        var session = try HLSSessionTests.session("fixed:0", joinedAt: Self.joinedAt)
        var origin = VirtualOrigin { request, time in
            switch request.purpose {
            case .entry: .init(body: HLSSessionTests.master)
            case .playlist:
                .init(body: Self.playlist(parts: Int((Self.joinedAt + time) / 500), skips: true))
            default: .init(bytes: HLSSessionTests.bytes(request))
            }
        }
        origin.play(&session, until: 20_000)
        #expect(session.counts.broken > 2)
        #expect(session.counts.playlists < 25, "\(session.counts.playlists)")
    }
}
