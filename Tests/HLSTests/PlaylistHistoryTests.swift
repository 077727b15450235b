import SimulationKernel
import Testing

@testable import HLS

/// Older copies of a playlist come from caches and from servers behind a balancer.
@Suite struct PlaylistHistoryTests {
    /// Makes a playlist of the segments up to `next`, with a window of five and names by number.
    private func playlist(
        _ next: Int, window: Int = 5, parts: Int = 0, token: String = "s", ended: Bool = false
    ) -> MediaPlaylist {
        let first = max(0, next - window)
        return MediaPlaylist(
            targetDuration: 2, mediaSequence: first, hasEndList: ended,
            segments: (first..<max(first, next)).map {
                .init(uri: "\(token)\($0).ts", duration: 2)
            },
            partialSegment: parts == 0
                ? nil
                : .init(
                    parts: (0..<parts).map { .init(uri: "\(token)\(next).\($0)", duration: 0.5) }))
    }

    @Test func newsAreNews() {
        var history = PlaylistHistory()
        #expect(history.judge(playlist(6), atSeconds: 0) == .news)
        #expect(history.judge(playlist(6), atSeconds: 1) == .unchanged)
        #expect(history.judge(playlist(6, parts: 1), atSeconds: 1) == .news)
        #expect(history.judge(playlist(7), atSeconds: 2) == .news)
        #expect(history.judge(playlist(7, ended: true), atSeconds: 3) == .news)
    }

    /// Every other response is 6 s old (case 03). A window that has moved on altogether counts too.
    @Test(arguments: [1, 3, 4, 12])
    func olderCopiesAreKeptOut(_ behind: Int) {
        var history = PlaylistHistory()
        for step in 0..<100 {
            let time = Double(step) * 2
            #expect(history.judge(playlist(20 + step), atSeconds: time) == .news)
            let verdict = history.judge(playlist(20 + step - behind), atSeconds: time + 1)
            // A playlist with segments that were never seen is kept out as well.
            #expect(verdict == .olderCopy || (verdict == .doubtful && step < behind))
        }
    }

    @Test func fewerPartsAreOlder() {
        var history = PlaylistHistory()
        #expect(history.judge(playlist(6, parts: 3), atSeconds: 0) == .news)
        #expect(history.judge(playlist(6, parts: 1), atSeconds: 0.1) == .olderCopy)
        #expect(history.judge(playlist(6), atSeconds: 0.2) == .olderCopy)
        #expect(history.judge(playlist(6, parts: 3), atSeconds: 0.3) == .unchanged)
    }

    @Test func otherSegmentsAreANewStream() {
        var history = PlaylistHistory()
        #expect(history.judge(playlist(50), atSeconds: 0) == .news)
        #expect(history.judge(playlist(48, token: "other"), atSeconds: 2) == .newStream)
        #expect(history.judge(playlist(49, token: "other"), atSeconds: 4) == .news)
        // Numbers that were never seen count once they continue.
        #expect(history.judge(playlist(2, token: "third"), atSeconds: 6) == .doubtful)
        #expect(history.judge(playlist(2, token: "third"), atSeconds: 7) == .newStream)
    }

    /// A server began anew with the same names: it counts after three target durations without
    /// anything newer.
    @Test func patienceEnds() {
        var history = PlaylistHistory()
        for next in 1...8 { _ = history.judge(playlist(next), atSeconds: Double(next)) }
        #expect(history.judge(playlist(1), atSeconds: 10) == .olderCopy)
        #expect(history.judge(playlist(2), atSeconds: 12) == .olderCopy)
        #expect(history.judge(playlist(4), atSeconds: 16.1) == .newStream)
        #expect(history.judge(playlist(5), atSeconds: 18) == .news)
    }

    @Test func numbersWrapAround() {
        var history = PlaylistHistory()
        func at(_ first: Int) -> MediaPlaylist {
            MediaPlaylist(
                targetDuration: 2, mediaSequence: first,
                segments: (0..<3).map { .init(uri: "s\(first &+ $0)", duration: 2) })
        }
        #expect(history.judge(at(Int.max - 1), atSeconds: 0) == .news)
        #expect(history.judge(at(Int.max), atSeconds: 2) == .news)
        #expect(history.judge(at(Int.max - 1), atSeconds: 3) == .olderCopy)
        #expect(history.judge(at(Int.max &+ 1), atSeconds: 4) == .news)
    }

    /// Versions of one stream arrive in any order: the newest known one never goes back, and the
    /// history stays bounded.
    @Test(arguments: 1...30)
    func anyOrder(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var history = PlaylistHistory()
        var newest = 0
        for step in 0..<300 {
            let made = 10 + step
            let next = made - Int.random(in: 0...9, using: &random)
            let verdict = history.judge(playlist(next, window: 12), atSeconds: Double(step) * 0.1)
            switch verdict {
            case .news: #expect(next > newest, "seed \(seed)")
            case .unchanged: #expect(next == newest, "seed \(seed)")
            case .olderCopy: #expect(next < newest, "seed \(seed)")
            case .doubtful, .newStream: Issue.record("seed \(seed): one stream taken for another")
            }
            newest = max(newest, next)
        }
    }
}
