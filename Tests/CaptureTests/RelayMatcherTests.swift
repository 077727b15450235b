import Testing

@testable import Capture

struct RelayMatcherTests {
    /// Matches ingress and egress, which are written as letters: small letters are audio, and "S"
    /// and "s" occur repeatedly. Ingress message i comes at i ms, egress message j at 1000 + j ms.
    /// Returns the pairs matched, "?" and "-n".
    private func match(_ ingress: String, _ egress: String, flushes: Bool = false) -> [String] {
        var window = IngressWindow(limit: 1000)
        for (i, letter) in ingress.enumerated() {
            window.append(
                hash: UInt64(letter.asciiValue!), time: Int64(i), isVideo: letter.isUppercase)
        }
        var matcher = RelayMatcher()
        var results: [String] = []
        for (j, letter) in egress.enumerated() {
            _ = matcher.receive(
                hash: UInt64(letter.asciiValue!), isVideo: letter.isUppercase,
                time: Int64(1000 + j), in: window
            ) { outcome in
                switch outcome {
                case .matched(let ingress, let egress):
                    results.append("\(ingress)>\(egress - 1000)")
                case .unmatched(let egress): results.append("?\(egress - 1000)")
                case .missing(let count, _): results.append("-\(count)")
                }
            }
        }
        if flushes {
            results += matcher.tentative.map { "\($0.ingress)>\($0.egress - 1000)" }
        }
        return results
    }

    @Test("distinct contents match wherever the subscriber begins")
    func distinct() {
        #expect(match("ABCD", "CD") == ["2>0", "3>1"])
        #expect(match("ABCD", "ACD") == ["0>0", "-1", "2>1", "3>2"])
        #expect(match("AB", "AXB") == ["0>0", "?1", "1>2"])
    }

    @Test("repeated contents are matched between anchors")
    func repeated() {
        #expect(match("ASSB", "ASSB") == ["0>0", "1>1", "2>2", "3>3"])
        #expect(match("SSAB", "SSAB") == ["?0", "?1", "2>2", "3>3"])
        #expect(match("ASS", "ASS", flushes: true) == ["0>0", "1>1", "2>2"])
    }

    @Test("where one of several equal messages was dropped, none of them counts")
    func dropped() {
        #expect(match("ASSB", "ASB") == ["0>0", "?1", "-1", "3>2"])
        #expect(match("ASSSB", "ASB").contains("-2"))
    }

    @Test("silence between distinct frames finds its place again")
    func interleaved() {
        #expect(match("AsBsCsD", "AsBsCsD", flushes: true).filter { !$0.hasPrefix("?") }.count == 7)
        // The first silence was dropped, and the second one follows B in both sequences.
        let results = match("AsBsCsD", "ABsCsD", flushes: true)
        #expect(results.contains("3>2") && results.contains("5>4"))
        #expect(!results.contains("1>2"))
    }

    @Test("a file that loops matches its latest copy")
    func loops() {
        var window = IngressWindow(limit: 1000)
        var matcher = RelayMatcher()
        var times: [Int64?] = []
        for round in 0..<3 {
            for i in 0..<10 {
                let time = Int64(round) * 10_000_000_000 + Int64(i) * 1_000_000_000
                window.append(hash: UInt64(i), time: time, isVideo: true)
                guard round > 0 else { continue }
                times.append(
                    matcher.receive(hash: UInt64(i), isVideo: true, time: time + 5, in: window) {
                        _ in
                    })
            }
        }
        #expect(times == (10..<30).map { Int64($0) * 1_000_000_000 })
    }

    @Test("the window forgets the oldest")
    func window() {
        var window = IngressWindow(limit: 4)
        for i in 0..<10 { window.append(hash: UInt64(i), time: 0, isVideo: true) }
        #expect(window[5] == nil)
        #expect(window[6]?.hash == 6)
        #expect(window.anchor(of: 5) == nil)
        #expect(window.anchor(of: 9)?.index == 9)
    }
}
