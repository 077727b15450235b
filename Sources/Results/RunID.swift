import Foundation

/// Name of a run; names sort by start time and do not collide.
public struct RunID: Hashable, Sendable, CustomStringConvertible {
    public var description: String

    /// - Parameters:
    ///   - secondsSince1970: Start of the run, real time.
    ///   - entropy: Random bits, of which 24 are kept.
    public init(secondsSince1970: Double, entropy: UInt64) {
        let date = Date(timeIntervalSince1970: secondsSince1970)
        let stamp = ISO8601Format.text(date).filter { $0 != "-" && $0 != ":" }
        let suffix = String(entropy & 0xFF_FFFF | 0x100_0000, radix: 16).dropFirst()
        description = "\(stamp)-\(suffix)"
    }
}

/// Times in ISO 8601, in UTC and whole seconds.
public enum ISO8601Format {
    static func text(_ date: Date) -> String { date.formatted(.iso8601) }

    public static func text(secondsSince1970: Double) -> String {
        text(Date(timeIntervalSince1970: secondsSince1970))
    }
}
