/// Frames a second as an exact fraction, such as 30 or 30000/1001.
public struct FrameRate: Hashable, Sendable, Codable, ExpressibleByIntegerLiteral,
    CustomStringConvertible
{
    public var numerator: Int
    public var denominator: Int

    public init(_ numerator: Int, over denominator: Int = 1) {
        self.numerator = numerator
        self.denominator = denominator
    }

    public init(integerLiteral value: Int) { self.init(value) }

    public var doubleValue: Double { Double(numerator) / Double(denominator) }

    /// Text such as `30` or `30000/1001`.
    public var description: String {
        denominator == 1 ? "\(numerator)" : "\(numerator)/\(denominator)"
    }

    /// Reads an integer or a string such as `30000/1001`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let whole = try? container.decode(Int.self) {
            self.init(whole)
            return
        }
        let text = try container.decode(String.self)
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard (1...2).contains(parts.count), let numerator = parts[0],
            let denominator = parts.count == 2 ? parts[1] : 1, denominator > 0
        else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is not a frame rate as 30000/1001")
        }
        self.init(numerator, over: denominator)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if denominator == 1 {
            try container.encode(numerator)
        } else {
            try container.encode(description)
        }
    }
}
