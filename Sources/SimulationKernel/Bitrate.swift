/// A bit rate in bits per second; never negative.
public struct Bitrate: Hashable, Comparable, Codable, Sendable, CustomStringConvertible {
    public var bitsPerSecond: Int

    public init(bitsPerSecond: Int) {
        precondition(bitsPerSecond >= 0, "a bit rate is not negative")
        self.bitsPerSecond = bitsPerSecond
    }

    public init(kilobitsPerSecond: Int) { self.init(bitsPerSecond: kilobitsPerSecond * 1000) }

    public var kilobitsPerSecond: Double { Double(bitsPerSecond) / 1000 }

    /// Number of whole bytes that pass in `nanoseconds`, rounded down.
    public func bytes(inNanoseconds nanoseconds: Int64) -> Int {
        let bits = Int64(bitsPerSecond).multipliedFullWidth(by: nanoseconds)
        return Int(Int64(8_000_000_000).dividingFullWidth(bits).quotient)
    }

    public static func < (a: Self, b: Self) -> Bool { a.bitsPerSecond < b.bitsPerSecond }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let value = try container.decode(Int.self)
        guard value >= 0 else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "a bit rate is not negative")
        }
        self.init(bitsPerSecond: value)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bitsPerSecond)
    }

    public var description: String {
        switch bitsPerSecond {
        case let b where b >= 1_000_000 && b % 1_000_000 == 0: "\(b / 1_000_000)Mbps"
        case let b where b % 1000 == 0: "\(b / 1000)kbps"
        default: "\(bitsPerSecond)bps"
        }
    }
}
