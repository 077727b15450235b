import ABR
import HTTPWire
import Testing

@testable import Viewer

/// Answers that are no media, and playlists that have moved.
@Suite struct AnswerTests {
    /// A segment without a byte is no segment: nothing of it can be played.
    @Test(arguments: [200, 204]) func emptySegmentsAreNotPlayed(_ status: Int) throws {
        var session = try HLSSessionTests.session("fixed:2")
        var origin = VirtualOrigin { request, _ in
            switch request.purpose {
            case .entry: .init(body: HLSSessionTests.master)
            case .playlist: .init(body: HLSSessionTests.vod(4))
            default:
                request.address.hasSuffix("high/1.ts")
                    ? .init(status: status, bytes: 0) : .init(bytes: HLSSessionTests.bytes(request))
            }
        }
        origin.play(&session, until: 60_000)
        #expect(session.records.map(\.rendition) == [2, 1, 2, 2])
        #expect(session.records.allSatisfy { $0.bytes > 0 })
        #expect(session.counts.broken == 1)
    }

    /// No length of a body overflows the time that it takes on a fast network.
    @Test(
        arguments: [(0, 0), (1_250_000, 1_000_000), (.max, 7_378_697_629_483_820_645)]
            as [(Int, Int64)])
    func shortestTransfer(bytes: Int, nanoseconds: Int64) {
        #expect(HLSLoopViewer.shortestTransfer(of: bytes) == nanoseconds)
    }

    /// An event tells the socket that it belongs to from the sockets before and after.
    @Test(
        arguments: [(0, 0, 0), (1, 1, 1), (70_000, 0, .max), ((1 << 47) - 1, 1, 0x8001)]
            as [(Int, Int, UInt16)])
    func eventKeys(viewer: Int, slot: Int, serial: UInt16) {
        let key = HLSEventKey(viewer: viewer, slot: slot, serial: serial)
        #expect(HLSEventKey(bits: key.bits) == key)
        let next = HLSEventKey(viewer: viewer, slot: slot, serial: serial &+ 1)
        #expect(HLSEventKey(bits: next.bits) != key)
    }

    @Test func aViewerOfEmptySegmentsSaysSo() throws {
        var session = try HLSSessionTests.session()
        var origin = VirtualOrigin { request, _ in
            request.purpose == .entry
                ? .init(body: HLSSessionTests.vod(4)) : .init(status: 200, bytes: 0)
        }
        origin.play(&session, until: 60_000)
        #expect(origin.ended?.reason?.contains("200 OK with an empty body") == true)
        #expect(session.startup == nil)
    }

    /// What is loaded later than the redirect may have a place of its own: the base of its URIs.
    @Test func delayedRedirectsGiveTheBase() throws {
        var session = try HLSSessionTests.session(joinedAt: 20_000)
        var origin = VirtualOrigin { request, time in
            guard request.purpose.keepsBody else { return .init(bytes: 75_000) }
            let control = "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n#EXTINF"
            let isBlocking = request.address.contains("_HLS_msn")
            let text = HLSSessionTests.live(20_000 + time + (isBlocking ? 4000 : 2000))
            return .init(
                body: text.replacing("#EXTINF", with: control, maxReplacements: 1),
                heldUntil: isBlocking ? time + 2000 : 0,
                location: isBlocking
                    ? "http://edge/b/index.m3u8?s=1&_HLS_msn=9&x=2" : "http://h/a/index.m3u8")
        }
        origin.play(&session, until: 12_000)
        #expect(origin.log.contains { $0.request.address.hasPrefix("http://edge/b/1") })
        #expect(
            origin.log.contains {
                $0.request.address.hasPrefix("http://edge/b/index.m3u8?s=1&x=2&_HLS_msn=")
            })
    }

    /// Where a redirect led may be for a time only (RFC 9110, 15.4.3): what is refused there is
    /// asked for where it was asked for first.
    @Test func refusedAtTheEndOfARedirectTheFirstPlaceIsAskedAgain() throws {
        var session = try HLSSessionTests.session(joinedAt: 20_000)
        var tickets = 0
        var origin = VirtualOrigin { request, time in
            guard request.purpose.keepsBody else { return .init(bytes: 75_000) }
            // A ticket is good for five seconds.
            let now = Int(time / 5000)
            if request.address.contains("ticket="), !request.address.hasSuffix("ticket=\(now)") {
                return .init(status: 403)
            }
            if !request.address.contains("ticket=") { tickets += 1 }
            return .init(
                body: HLSSessionTests.live(20_000 + time),
                location: "http://edge/b/index.m3u8?ticket=\(now)")
        }
        origin.play(&session, until: 21_000)
        #expect(origin.ended == nil)
        #expect(tickets == 5)
        #expect(session.records.count >= 10)
        #expect(try #require(session.player).account.stalls == 0)
    }

    /// A coded answer whose end is the connection's is whole only where its coding says so.
    @Test func codedAnswersThatEndEarlyAreBroken() throws {
        let text = Array(HLSSessionTests.vod(4).utf8)
        let coded = Self.coded
        for count in [coded.count, coded.count - 9, 30] {
            let connection = HLSPlayerConnection()
            connection.request = HLSPlayerRequest(
                purpose: .entry, url: try HTTPURL("http://h/a.m3u8"))
            let bytes =
                Array("HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n".utf8)
                + coded.prefix(count)
            _ = try bytes.withUnsafeBytes { try connection.take($0) { _ in } }
            if count == coded.count {
                #expect(try connection.closedByPeer())
                #expect(connection.kept == text)
            } else {
                #expect(throws: HTTPResponseReader.Fault.self) { try connection.closedByPeer() }
            }
        }
    }

    /// `HLSSessionTests.vod(4)`, compressed by gzip.
    private static let coded: [UInt8] = {
        let digits = Array(
            """
            1f8b080000000000020353768d08f1350ee55206d2ba11ba61ae41c19efe7e56c6308110
            c72077d71097d020c71090b81158dcd3cfcdca48cf4087cb40afa41855c41043c40843c4
            18260234dfd5cfc5c73338840b00669395e388000000
            """.replacing("\n", with: ""))
        return stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)
        }
    }()
}
