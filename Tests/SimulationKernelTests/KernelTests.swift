import Foundation
import Testing

@testable import SimulationKernel

@Suite struct BitrateTests {
    @Test(
        arguments: [
            (8, 1_000_000_000, 1), (8, 999_999_999, 0), (1_000_000, 1_000_000, 125),
            (2_628_000, 20_000_000_000, 6_570_000), (0, 1_000_000_000, 0),
            (100_000_000_000, 86_400_000_000_000, 1_080_000_000_000_000),
        ] as [(Int, Int64, Int)])
    func bytesInATime(rate: Int, nanoseconds: Int64, bytes: Int) {
        #expect(Bitrate(bitsPerSecond: rate).bytes(inNanoseconds: nanoseconds) == bytes)
    }

    @Test func textAndJSON() throws {
        for (rate, text) in [(2_000_000, "2Mbps"), (2_628_000, "2628kbps"), (1, "1bps")] {
            #expect("\(Bitrate(bitsPerSecond: rate))" == text)
        }
        let rate = Bitrate(kilobitsPerSecond: 264)
        let bytes = try JSONEncoder().encode([rate])
        #expect(String(decoding: bytes, as: UTF8.self) == "[264000]")
        #expect(try JSONDecoder().decode([Bitrate].self, from: bytes) == [rate])
        #expect(throws: (any Error).self) {
            try JSONDecoder().decode([Bitrate].self, from: Data("[-1]".utf8))
        }
    }
}

@Suite struct WindowTests {
    @Test(
        arguments: [
            (0, 2_500_000_000, 2_500_000_000), (5, 5, 0), (9, 5, -4), (.min, .max, .max),
            (.max, .min, .min),
        ] as [(Int64, Int64, Int64)])
    func length(start: Int64, end: Int64, length: Int64) {
        let window = Window(startNanoseconds: start, endNanoseconds: end)
        #expect(window.lengthNanoseconds == length)
        #expect(window.seconds == Double(length) / 1e9)
    }
}

@Suite struct SeededGeneratorTests {
    private func draws(_ generator: SeededGenerator) -> [UInt64] {
        var generator = generator
        return (0..<16).map { _ in generator.next() }
    }

    @Test func sameSeedSameDraws() {
        #expect(draws(.init(seed: 1)) == draws(.init(seed: 1)))
        #expect(draws(.init(seed: 1)) != draws(.init(seed: 2)))
        #expect(draws(.init(seed: 1, entity: "a")) == draws(.init(seed: 1, entity: "a")))
        #expect(draws(.init(seed: 1, entity: "a")) != draws(.init(seed: 1, entity: "b")))
        #expect(draws(.init(seed: 1, entity: "a")) != draws(.init(seed: 2, entity: "a")))
    }

    /// SplitMix64 of 0 begins with these numbers (Vigna's reference), and xoshiro256** starts from
    /// them.
    @Test func referenceValues() {
        let state: [UInt64] = [
            0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F,
            0xF88B_B8A8_724C_81EC,
        ]
        let product = state[1] &* 5
        let expected = ((product << 7) | (product >> 57)) &* 9
        #expect(draws(.init(seed: 0))[0] == expected)
    }

    @Test func unitsAreUniform() {
        var generator = SeededGenerator(seed: 3)
        var buckets = [Int](repeating: 0, count: 10)
        for _ in 0..<100_000 {
            let value = generator.nextUnit()
            #expect(value >= 0 && value < 1)
            buckets[Int(value * 10)] += 1
        }
        // The limit is ten standard deviations.
        #expect(buckets.allSatisfy { abs($0 - 10_000) < 950 })
    }
}
