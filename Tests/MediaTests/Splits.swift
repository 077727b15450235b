import NIOCore
import SimulationKernel

/// Returns lists of piece sizes: all bytes at once, one by one, and every split into two.
func everySplit(of count: Int) -> [[Int]] {
    [[count], Array(repeating: 1, count: count)] + (0...count).map { [$0, count - $0] }
}

/// Returns piece sizes of 1…`limit`, drawn from `seed`.
func randomSplit(of count: Int, limit: Int, seed: UInt64) -> [Int] {
    var generator = SeededGenerator(seed: seed)
    var sizes: [Int] = []
    var left = count
    while left > 0 {
        let size = min(left, Int.random(in: 1...limit, using: &generator))
        sizes.append(size)
        left -= size
    }
    return sizes
}

extension ByteBuffer {
    /// Returns the readable bytes, cut into pieces of the given sizes.
    func pieces(_ sizes: [Int]) -> [ByteBuffer] {
        var rest = self
        return sizes.compactMap { rest.readSlice(length: $0) }
    }

    init(hex: String) {
        var digits: [UInt8] = []
        for character in hex.utf8 where character != 0x20 {
            digits.append(UInt8(String(UnicodeScalar(character)), radix: 16)!)
        }
        self.init(
            bytes: stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        )
    }

    var bytes: [UInt8] { Array(readableBytesView) }
}
