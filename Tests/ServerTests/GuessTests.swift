import HLS
import NIOCore
import RTMP
import TestServer
import Testing

@testable import Server

/// Guesses of a key are limited, and guessing keeps nobody else out.
@Suite(.timeLimit(.minutes(1))) struct GuessTests {
    private var start: NIODeadline { .uptimeNanoseconds(1_000_000_000) }

    /// A peer with a key of its own does not cancel its wrong guesses by using it.
    @Test func aRightKeyForgivesNothing() throws {
        let keys = try StreamKeys(["cam:s3cret", "mine:own"])
        var now = start
        var guesses = 0
        for number in 0..<600 {
            now = now + .milliseconds(500)
            if number % 4 == 0 {
                _ = keys.judge("mine", query: "key=own", address: "a", now: now)
            } else if keys.judge("cam", query: "key=\(number)", address: "a", now: now) == .denied {
                guesses += 1
            }
        }
        #expect(guesses < 25, "\(guesses) guesses in five minutes")
    }

    /// Behind a proxy or an edge, strangers and viewers have one address.
    @Test func aStrangerKeepsNobodyOut() throws {
        let keys = try StreamKeys(["cam:s3cret", "open"], coversRenditions: true)
        var now = start
        for query in ["key=s3cret", "x=1&key=s3cret"] {
            #expect(keys.judge("cam", query: query, address: "edge", now: now) == .accepted)
        }
        #expect(keys.judge("open", query: "", address: "edge", now: now) == .accepted)
        for number in 0..<100 {
            now = now + .seconds(1)
            _ = keys.judge("cam", query: "key=\(number)", address: "edge", now: now)
            #expect(keys.judge("cam", query: "key=s3cret", address: "edge", now: now) == .accepted)
            #expect(keys.judge("open", query: "", address: "edge", now: now) == .accepted)
        }
        // A right key is accepted only for the stream for which it was used before: this stream's
        // key has not been used here.
        #expect(keys.judge("cam_720p", query: "key=s3cret", address: "edge", now: now) != .accepted)
        now = now + .seconds(31)
        #expect(keys.judge("cam_720p", query: "key=s3cret", address: "edge", now: now) == .accepted)
    }

    /// Wrong guesses of long ago do not count.
    @Test func guessesAreForgotten() throws {
        let keys = try StreamKeys(["cam:s3cret"])
        var now = start
        for number in 0..<50 {
            now = now + .seconds(61)
            #expect(keys.judge("cam", query: "key=\(number)", address: "a", now: now) == .denied)
        }
    }

    /// A peer with one IPv6 address of a network can use all of them, so they count as one.
    @Test func networksAreOneAddress() throws {
        for (address, site) in [
            ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
            ("2001:db8:1:2:3::4", "20.1.d.b8.0.1.0.2/64"), ("?", "?"),
        ] {
            #expect(AddressRange.site(of: address) == site)
        }
        var limits = ServerLimits()
        limits.connectionsPerAddress = 2
        let admissions = Admissions(limits, logger: quiet)
        let places = (0..<5).map { admissions.admit(from: "2001:db8::\($0)") }
        #expect(places.count { $0 != nil } == 2)
        #expect(admissions.admit(from: "2001:db8:0:1::1") != nil)
        let keys = try StreamKeys(["cam:s3cret"])
        let verdicts = (0..<50).map {
            keys.judge("cam", query: "key=\($0)", address: "2001:db8::\($0)", now: start)
        }
        #expect(verdicts.count { $0 == .denied } == StreamKeys.patience)
    }

    /// `live` and `vip/cam` are the stream `live/vip/cam`, just as `live/vip` and `cam` are.
    @Test func aNameIsOneHoweverItIsCut() async throws {
        try await withServer({
            $0.streamKeys = ["live/*", "live/vip/*:s3cret"]
            $0.access.playKeys = ["live/*", "live/vip/*:s3cret"]
        }) { server in
            func ask(_ command: String, _ application: String, _ name: String) async throws
                -> String?
            {
                let peer = try await RTMPPeer(server)
                try await peer.open(application)
                try await peer.send(
                    Command(command, transactionID: 3, [.null, .string(name)]).message(
                        messageStreamID: peer.messageStreamID))
                return try await peer.status()?.code
            }
            let cut = try await ask("publish", "live", "vip/cam")
            #expect(cut == "NetStream.Publish.Denied")
            #expect(try await ask("publish", "live/vip", "cam") == "NetStream.Publish.Denied")
            #expect(try await ask("play", "live", "vip/cam") == "NetStream.Play.Failed")
            #expect(try await HTTPPeer(server, "/live/vip/cam.flv").status == 403)
            #expect(
                try await ask("publish", "live", "vip/cam?key=s3cret")
                    == "NetStream.Publish.Start")
            #expect(try await ask("publish", "live", "cam") == "NetStream.Publish.Start")
        }
    }

    /// A call-back that has admitted one viewer by a token has not admitted another one of the same
    /// address.
    @Test func callBacksAreAskedAboutEachToken() async throws {
        let hook = try ScriptedOrigin()
        try await withServer({
            $0.access.hook = "http://127.0.0.1:\(hook.port)/"
            $0.packageHLS(.ts)
        }) { server in
            func status(_ query: String, _ verdict: String) async throws -> Int? {
                let viewer = try HLSPeer(server)
                try await viewer.ask("/hls/live/a/index.m3u8\(query)")
                let (peer, _) = try await hook.next()
                try await peer.answer("", status: verdict)
                return try await viewer.answer()?.status
            }
            let right = try await status("?token=right", "200 OK")
            #expect(right == 404)
            #expect(try await status("?token=wrong", "403 Forbidden") == 403)
            #expect(try await status("", "403 Forbidden") == 403)
            // A reload belongs to the same viewer.
            #expect(
                try await HLSPeer(server).get("/hls/live/a/index.m3u8?token=right&_HLS_msn=7")
                    .status
                    == 404)
        }
    }
}
