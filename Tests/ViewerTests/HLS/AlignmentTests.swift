import ABR
import HLS
import Testing

@testable import Viewer

/// Renditions and restarted servers whose media sequence numbers do not agree. Segments of 2 s are
/// named by when they were made, whatever their number.
@Suite struct AlignmentTests {
    /// - Parameters:
    ///   - shift: media sequence number of the segment that begins at time 0.
    ///   - begin: when the server began (ms); nothing older is listed.
    private static func live(
        _ time: Double, shift: Int, since begin: Double = 0, hasDates: Bool = true
    ) -> String {
        let oldest = Int((begin / 2000).rounded(.up))
        let made = Int(time / 2000)
        let first = min(made, max(oldest, made - 5))
        var text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"
        text += "#EXT-X-MEDIA-SEQUENCE:\(first + shift)\n"
        for i in first..<made {
            let date = ProgramDateTime(millisecondsSince1970: Int64(i) * 2000)
            if hasDates { text += "#EXT-X-PROGRAM-DATE-TIME:\(date)\n" }
            text += "#EXTINF:2.0,\n\(i).ts\n"
        }
        return text
    }

    /// What was fetched, as times made, in order.
    private static func fetched(_ origin: VirtualOrigin) -> [Int] {
        origin.names.compactMap { name in
            name.hasSuffix(".ts") ? Int(name.dropLast(3)) : nil
        }
    }

    @Test(arguments: [-3, 1, 40])
    func aSwitchGoesOnWhereTheOtherRenditionWas(shift: Int) throws {
        let joined = 20_000.0
        var session = try HLSSessionTests.session(joinedAt: joined)
        var origin = VirtualOrigin { request, time in
            switch request.purpose {
            case .entry: .init(body: HLSSessionTests.master)
            case .playlist:
                .init(
                    body: Self.live(
                        joined + time,
                        shift: HLSSessionTests.rendition(request) == "high" ? shift : 0))
            default: .init(bytes: HLSSessionTests.bytes(request))
            }
        }
        origin.play(&session, until: 30_000)
        #expect(Set(session.records.map(\.rendition)).count > 1)
        let fetched = Self.fetched(origin)
        #expect(fetched == Array(fetched[0]..<fetched[0] + fetched.count), "\(fetched)")
        // A record has the number that the rendition's own playlist gives.
        for (record, made) in zip(session.records, fetched) {
            #expect(record.sequence == made + (record.rendition == 2 ? shift : 0))
        }
        let account = try #require(session.player).account
        #expect(account.stalls == 0)
    }

    /// The server is away from 11 to 15 s and then counts from elsewhere.
    @Test(arguments: [(0, true), (0, false), (5000, true), (5000, false)])
    func aServerThatBeginsAnewIsFollowed(first: Int, hasDates: Bool) throws {
        let joined = 20_000.0
        var session = try HLSSessionTests.session("fixed:0", joinedAt: joined)
        let back = joined + 15_000
        var origin = VirtualOrigin { request, time in
            if time > 11_000, time < 15_000 { return .init(isBroken: true) }
            let isNew = time >= 15_000
            switch request.purpose {
            case .entry: return .init(body: HLSSessionTests.master)
            case .playlist:
                // Nothing is ready at first.
                if isNew, time < 18_500 { return .init(status: 404, retryAfter: 1) }
                return .init(
                    body: Self.live(
                        joined + time,
                        shift: isNew ? first - Int((back / 2000).rounded(.up)) : 0,
                        since: isNew ? back : 0, hasDates: hasDates))
            default: return .init(bytes: HLSSessionTests.bytes(request))
            }
        }
        origin.play(&session, until: 50_000)
        #expect(origin.ended == nil)
        let fetched = Self.fetched(origin)
        #expect(fetched == fetched.sorted())
        #expect(Set(fetched).count >= fetched.count - 3)
        // It is at the live edge again: the newest segment ends 50 s after the join.
        #expect(try #require(fetched.last) >= 31, "\(fetched)")
        let account = try #require(session.player).account
        #expect(account.stalls >= 1)
    }

    /// Case 03 of the field: every other answer is an old copy, without dates. Each segment is
    /// fetched once, and nobody is ahead of the live edge.
    @Test(arguments: [1, 3, 12]) func olderCopiesChangeNothing(_ behind: Int) throws {
        func playlist(_ time: Double, _ behind: Int) -> String {
            HLSSessionTests.live(time + 60_000 - Double(behind) * 2000)
                .split(separator: "\n").filter { !$0.hasPrefix("#EXT-X-PROGRAM-DATE-TIME") }
                .joined(separator: "\n") + "\n"
        }
        var answers = 0
        var session = try HLSSessionTests.session("fixed:0", joinedAt: 60_000)
        var origin = VirtualOrigin { request, time in
            switch request.purpose {
            case .entry: return .init(body: HLSSessionTests.master)
            case .playlist:
                answers += 1
                return .init(body: playlist(time, answers % 2 == 0 ? behind : 0))
            default: return .init(bytes: HLSSessionTests.bytes(request))
            }
        }
        origin.play(&session, until: 40_000)
        let sequences = session.records.filter { !$0.isCut }.map(\.sequence)
        #expect(sequences == Array(sequences[0]..<sequences[0] + sequences.count))
        #expect(sequences.count >= 16)
        // One segment behind is what was there before: no news, and no older copy.
        #expect(session.counts.olderCopies >= (behind > 1 ? 8 : 0))
        let player = try #require(session.player)
        #expect(player.state.liveLatency > 0 && player.account.meanLatency > 0)
        #expect(player.account.stalls == 0)
    }
}
