/// A kind of measured value in a scenario: always a number and a unit, such as `4s` or `3Mbps`.
package enum Quantity: String, Sendable, CaseIterable {
    /// Seconds, and fractions or multiples of seconds; held in nanoseconds.
    case duration
    /// Bits per second with decimal prefixes; held in bits per second.
    case bitrate
    /// Bytes with decimal (`KB`) or binary (`KiB`) prefixes; held in bytes.
    case byteCount
    /// A percentage, 0 % to 100 %; held as a fraction of 1.
    case share
    /// Events per unit of time; held per second.
    case rate
    /// CPU cores.
    case cores

    /// Unit names with their factors to the held unit, smallest first.
    var units: [(name: String, factor: Double)] {
        switch self {
        case .duration:
            [("ns", 1), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("min", 60e9), ("h", 3600e9)]
        case .bitrate: [("bps", 1), ("kbps", 1e3), ("Mbps", 1e6), ("Gbps", 1e9)]
        case .byteCount:
            [
                ("B", 1), ("KB", 1e3), ("KiB", 1024), ("MB", 1e6), ("MiB", 1_048_576), ("GB", 1e9),
                ("GiB", 1_073_741_824),
            ]
        case .share: [("%", 0.01)]
        case .rate: [("/min", 1 / 60.0), ("/s", 1)]
        case .cores: [("cores", 1)]
        }
    }

    /// The largest value accepted, in the held unit.
    var maximum: Double {
        switch self {
        case .duration: 86_400e9
        case .bitrate: 100e9
        case .byteCount: 64 * 1_073_741_824
        case .share: 1
        case .rate: 1e6
        case .cores: 1e5
        }
    }

    var noun: String {
        switch self {
        case .duration: "a duration"
        case .bitrate: "a bit rate"
        case .byteCount: "a byte count"
        case .share: "a share"
        case .rate: "a rate"
        case .cores: "a number of CPU cores"
        }
    }

    var example: String {
        switch self {
        case .duration: "4s"
        case .bitrate: "2628kbps"
        case .byteCount: "64KB"
        case .share: "5%"
        case .rate: "50/s"
        case .cores: "0.5cores"
        }
    }

    /// What the author of a scenario may write, for error messages.
    var hint: String {
        "\(noun) with a unit (\(units.map(\.name).joined(separator: ", "))), such as \(example)"
    }

    /// The same rule as an ECMA 262 regular expression, for the JSON Schema.
    func pattern(allowsZero: Bool) -> String {
        let names = units.map(\.name).joined(separator: "|")
        return "^\(allowsZero ? "" : "(?!0+(\\.0+)?[^0-9.])")[0-9]+(\\.[0-9]+)? ?(\(names))$"
    }

    /// Returns the value of `text` in the held unit; nil unless `text` is a plain decimal number
    /// and a unit.
    func parse(_ text: String) -> Double? {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }), let value = Double(number)
        else { return nil }
        var unit = text.dropFirst(number.count)
        if unit.first == " " { unit = unit.dropFirst() }
        guard let factor = units.first(where: { $0.name == unit })?.factor else { return nil }
        // Shares are divided rather than multiplied, so that 5% is exactly 0.05.
        let held = self == .share ? value / 100 : value * factor
        return self == .share || self == .rate || self == .cores ? held : held.rounded()
    }

    /// Returns `value` in the largest unit that prints it as a whole number, or in a given unit.
    package func format(_ value: Double, in unit: String? = nil) -> String {
        if let unit = units.first(where: { $0.name == unit }) {
            return "\(Self.plain(value / unit.factor))\(unit.name)"
        }
        if self == .share { return "\(Self.plain((value * 1e12).rounded() / 1e10))%" }
        if self == .rate { return "\(Self.plain(value))/s" }
        if self == .cores { return "\(Self.plain(value))cores" }
        let decimal = units.filter {
            self != .byteCount || $0.name.hasSuffix("iB") || $0.factor == 1
        }
        for unit in decimal.reversed() where value >= unit.factor {
            let scaled = value / unit.factor
            if scaled == scaled.rounded() { return "\(Self.plain(scaled))\(unit.name)" }
        }
        return value == 0 ? (self == .duration ? "0s" : "0\(units[0].name)") : "\(value)"
    }

    package static func plain(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
    }
}
