import ArgumentParser

/// A size such as `256MiB`, `1GiB` or `64MB`; a number alone is in bytes.
struct EdgeSize: ExpressibleByArgument {
    var bytes: Int

    init(bytes: Int) { self.bytes = bytes }

    init?(argument: String) {
        let units: [(String, Double)] = [
            ("KiB", 0x1p10), ("MiB", 0x1p20), ("GiB", 0x1p30), ("KB", 1e3), ("MB", 1e6),
            ("GB", 1e9), ("B", 1), ("", 1),
        ]
        guard let value = SuffixedNumber.read(argument, units), value < 0x1p50 else { return nil }
        bytes = Int(value)
    }

    var defaultValueDescription: String { "\(bytes >> 20)MiB" }
}

/// A rate such as `100Mbps`, `1Gbps` or `500kbps`.
struct EdgeRate: ExpressibleByArgument {
    var bitsPerSecond: Int

    init?(argument: String) {
        let units: [(String, Double)] = [("kbps", 1e3), ("Mbps", 1e6), ("Gbps", 1e9), ("bps", 1)]
        guard let value = SuffixedNumber.read(argument, units), value < 0x1p50 else { return nil }
        bitsPerSecond = Int(value)
    }
}

/// A duration such as `500ms`, `2s`, `1m` or `1h`; a number alone is in seconds.
struct HLSDuration: ExpressibleByArgument {
    var seconds: Double

    init(seconds: Double) { self.seconds = seconds }

    init?(argument: String) {
        let units: [(String, Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("", 1)]
        guard let value = SuffixedNumber.read(argument, units) else { return nil }
        seconds = value
    }

    var defaultValueDescription: String { "\(seconds)s" }
}

private enum SuffixedNumber {
    /// Reads a number with one of the units at its end; longer units come first.
    ///
    /// - Returns: The number times the unit's factor; nil if the text is anything else.
    static func read(_ text: String, _ units: [(String, Double)]) -> Double? {
        guard text.first?.isNumber ?? false else { return nil }
        for (unit, factor) in units where text.hasSuffix(unit) {
            guard let value = Double(text.dropLast(unit.count)), value.isFinite else { continue }
            return value * factor
        }
        return nil
    }
}
