import SimulationKernel
import Testing

@testable import Capture

struct TCPReassemblerTests {
    /// Feeds segments and notes the results: bytes as they are, gaps as negative lengths.
    struct Script {
        var reassembler = TCPReassembler()
        var output: [Int] = []
        var times: [Int64] = []
        var seen = 0

        mutating func segment(_ sequence: UInt32, _ bytes: [UInt8], time: Int64 = 0) {
            var output: [Int] = []
            var times: [Int64] = []
            seen += bytes.withUnsafeBytes {
                reassembler.accept(
                    sequence: sequence, payload: $0, length: $0.count, time: time
                ) { event, time in
                    Self.note(event, &output)
                    times.append(time)
                }
            }
            self.output += output
            self.times += times
        }

        mutating func expire(time: Int64, acknowledged: UInt32?, force: Bool = false) {
            var output: [Int] = []
            reassembler.expire(time: time, acknowledged: acknowledged, force: force) {
                event, _ in Self.note(event, &output)
            }
            self.output += output
        }

        static func note(_ event: TCPReassembler.Event, _ output: inout [Int]) {
            switch event {
            case .data(let bytes): output += bytes.map(Int.init)
            case .gap(let length), .cut(let length): output.append(-length)
            }
        }
    }

    @Test("retransmissions, whole and partial, are counted to the byte")
    func retransmissions() {
        var script = Script()
        script.segment(100, [1, 2, 3])
        script.segment(100, [1, 2, 3])
        script.segment(101, [2, 3, 4, 5])
        #expect(script.output == [1, 2, 3, 4, 5])
        #expect(script.seen == 5)
    }

    @Test("reordering: the later bytes count from when the hole is filled")
    func reordering() {
        var script = Script()
        script.segment(100, [1], time: 1)
        script.segment(103, [4], time: 2)
        script.segment(102, [3, 4], time: 3)
        #expect(script.seen == 1)
        script.segment(101, [2, 3], time: 9)
        #expect(script.output == [1, 2, 3, 4])
        #expect(script.seen == 2)
        #expect(script.times.last == 9)
        #expect(script.reassembler.pendingBytes == 0)
        #expect(script.reassembler.outOfOrderSegments == 2)
    }

    @Test("sequence numbers wrap, also inside a segment and a hole")
    func wrap() {
        var script = Script()
        script.reassembler.synchronize(0xFFFF_FFFD)
        script.segment(0xFFFF_FFFE, [1, 2, 3, 4])
        script.segment(5, [8])
        script.segment(2, [5, 6, 7])
        #expect(script.output == [1, 2, 3, 4, 5, 6, 7, 8])
    }

    @Test("an acknowledged hole becomes a gap soon, another one late")
    func gaps() {
        var script = Script()
        script.segment(100, [1])
        script.segment(103, [4], time: 10)
        script.expire(time: 30_000_000, acknowledged: 101)
        #expect(script.output == [1])
        script.expire(time: 30_000_000, acknowledged: 104)
        #expect(script.output == [1, -2, 4])
        script.segment(106, [7], time: 40_000_000)
        script.expire(time: 3_000_000_000, acknowledged: nil)
        #expect(script.output == [1, -2, 4])
        script.expire(time: 3_040_000_001, acknowledged: nil)
        #expect(script.output == [1, -2, 4, -2, 7])
    }

    @Test("out-of-order data without end is bounded")
    func bounds() {
        var script = Script()
        script.segment(0, [1])
        let part = [UInt8](repeating: 9, count: 1400)
        for i in 0..<5000 {
            script.segment(UInt32(10 + i * 1500), part)
            script.expire(time: 0, acknowledged: nil)
            #expect(
                script.reassembler.pendingBytes <= TCPReassembler.pendingBytesLimit + 1400)
        }
        script.segment(0xF000_0000, [1])
        script.segment(0x3000_0000, [1])
        #expect(script.reassembler.pendingBytes == 0)
    }

    @Test("any order of any pieces gives the same bytes", arguments: 0..<50)
    func shuffled(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let bytes = (0..<200).map { UInt8($0) }
        var pieces: [Range<Int>] = []
        for start in stride(from: 0, to: 200, by: 10) {
            pieces.append(start..<min(200, start + Int.random(in: 10...40, using: &generator)))
        }
        var script = Script()
        script.reassembler.synchronize(UInt32.max - 100)
        for piece in pieces.shuffled(using: &generator) {
            let sequence = UInt32.max - 99 &+ UInt32(piece.lowerBound)
            script.segment(sequence, Array(bytes[piece]))
        }
        #expect(script.output == bytes.map(Int.init), "seed \(seed)")
        #expect(script.seen == pieces.reduce(0) { $0 + $1.count } - 200, "seed \(seed)")
    }
}
