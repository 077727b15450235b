import ABR
import HTTPWire
import SimulationKernel
import Testing

@testable import Viewer

/// Playlists with numbers at every edge: a viewer fails or plays, and nothing traps.
@Suite struct HostilePlaylistTests {
    private static let numbers = [
        "0", "1", "17", "4294967296", "9223372036854775807", "9223372036854775808",
        "18446744073709551615", "4611686018427387904",
    ]
    private static let durations = ["0", "0.000001", "0.5", "2", "999999999", "86400"]
    private static let dates = [
        "1970-01-01T00:00:00Z", "2026-11-29T12:00:00.5Z", "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
    ]

    private static func media(_ random: inout SeededGenerator) -> String {
        func pick(_ list: [String]) -> String { list.randomElement(using: &random) ?? "" }
        func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &random) < share }
        var text = "#EXTM3U\n#EXT-X-TARGETDURATION:\(pick(durations))\n"
        text += "#EXT-X-MEDIA-SEQUENCE:\(pick(numbers))\n"
        if chance(0.4) {
            text +=
                "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=\(pick(durations)),CAN-SKIP-UNTIL=\(pick(durations))\n#EXT-X-PART-INF:PART-TARGET=\(pick(durations))\n"
        }
        if chance(0.1) { text += "#EXT-X-SKIP:SKIPPED-SEGMENTS=\(pick(numbers))\n" }
        for number in 0..<Int.random(in: 0...6, using: &random) {
            if chance(0.2) { text += "#EXT-X-GAP\n" }
            if chance(0.3) { text += "#EXT-X-PROGRAM-DATE-TIME:\(pick(dates))\n" }
            if chance(0.2) {
                text += "#EXT-X-MAP:URI=\"i\",BYTERANGE=\"\(pick(numbers))@\(pick(numbers))\"\n"
            }
            if chance(0.2) { text += "#EXT-X-BYTERANGE:\(pick(numbers))@\(pick(numbers))\n" }
            if chance(0.2) {
                text +=
                    "#EXT-X-PART:DURATION=\(pick(durations)),URI=\"p\(number)\",GAP=\(pick(["YES", "NO"]))\n"
            }
            text +=
                "#EXTINF:\(pick(durations)),\n\(pick(["s", "é \(number)", "rtmp://x/", "//", "?"]))\n"
        }
        if chance(0.3) { text += "#EXT-X-PART:DURATION=0.5,URI=\"q\"\n" }
        if chance(0.3) { text += "#EXT-X-ENDLIST\n" }
        return text
    }

    @Test(arguments: 1...400) func nothingTraps(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let algorithms = ["throughput", "bola-e", "hls-js", "fixed:1", "lol-plus"]
        var session = try HLSSessionTests.session(
            algorithms.randomElement(using: &random) ?? "throughput", joinedAt: 1.79e12)
        var origin = VirtualOrigin { request, _ in
            switch request.purpose {
            case .entry where Bool.random(using: &random): .init(body: HLSSessionTests.master)
            case .entry, .playlist: .init(body: Self.media(&random))
            case _ where Double.random(in: 0..<1, using: &random) < 0.1: .init(status: 404)
            default: .init(bytes: Int.random(in: 0...100_000, using: &random))
            }
        }
        origin.play(&session, until: 20_000)
        if let player = session.player {
            let account = player.account
            #expect(account.playing.isFinite && account.stalled.isFinite, "seed \(seed)")
            #expect(account.missing >= 0, "seed \(seed)")
        }
        let facts = session.liveFacts(joinedAt: 1_000_000_000)
        #expect((facts?.epochNanoseconds ?? 0).magnitude <= 1_001_000_000_000_000_000)
    }
}
