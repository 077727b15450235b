import SimulationKernel

/// The link language: `droptail:64KB`, `gemodel:p=1%,r=10%`, `20ms±5ms normal`. Every quantity has
/// a unit; KB is 1000 bytes, KiB 1024.
enum LinkNotation {
    enum Unit {
        case duration, bytes, share, bitrate

        var factors: [(name: String, factor: Double)] {
            switch self {
            case .duration: [("ns", 1), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("min", 60e9)]
            case .bytes:
                [
                    ("B", 1), ("KB", 1e3), ("KiB", 1024), ("MB", 1e6), ("MiB", 1_048_576),
                    ("GB", 1e9), ("GiB", 1_073_741_824),
                ]
            case .share: [("%", 0.01)]
            case .bitrate: [("bps", 1), ("kbps", 1e3), ("Mbps", 1e6), ("Gbps", 1e9)]
            }
        }

        var example: String {
            switch self {
            case .duration: "a duration such as 20ms"
            case .bytes: "a number of bytes such as 64KB"
            case .share: "a share such as 1%"
            case .bitrate: "a bit rate such as 2Mbps"
            }
        }
    }

    /// Returns the value of `text` in nanoseconds, bytes, fractions of 1 or bit/s.
    static func value(_ text: String, _ unit: Unit, _ name: String) throws(LinkError) -> Double {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let suffix = text.dropFirst(number.count).drop { $0 == " " }
        guard let value = Double(number), number.first != ".", number.last != "." else {
            throw LinkError("\(name) is '\(text)'; it takes \(unit.example), 0 or more")
        }
        guard let factor = unit.factors.first(where: { $0.name == suffix })?.factor else {
            let units = unit.factors.map(\.name)
            let nearest = NameDistance.nearest(to: String(suffix), among: units)
            throw LinkError(
                "\(name) is '\(text)'; "
                    + (suffix.isEmpty
                        ? "add a unit (\(units.joined(separator: ", ")))"
                        : "'\(suffix)' is no unit for it, "
                            + (nearest.map { "did you mean '\($0)'?" } ?? "it takes \(unit.example)"))
            )
        }
        // A share is divided and not multiplied, so that 5% is exactly 0.05.
        let held = unit == .share ? value / 100 : (value * factor).rounded()
        guard unit != .share || held <= 1 else {
            throw LinkError("\(name) is '\(text)'; it takes 0% to 100%")
        }
        guard held < 0x1p62 else { throw LinkError("\(name) is '\(text)', which is too much") }
        return held
    }

    static func nanoseconds(_ text: String, _ name: String) throws(LinkError) -> Int64 {
        Int64(try value(text, .duration, name))
    }

    static func limit(_ text: String) throws(LinkError) -> QueueLimit {
        if text.hasSuffix("p"), let count = Int(text.dropLast().filter { $0 != " " }) {
            return .packets(count)
        }
        return .bytes(Int(try value(text, .bytes, "the queue's limit (such as 64KB or 100p)")))
    }

    /// Splits `name` or `name:rest`.
    static func split(_ text: String) -> (name: String, rest: String?) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        return (
            trimmed(parts[0]).lowercased(), parts.count > 1 ? trimmed(parts[1]) : nil
        )
    }

    static func trimmed(_ text: some StringProtocol) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    static func unknown(_ name: String, _ what: String, among names: [String]) -> LinkError {
        let nearest = NameDistance.nearest(to: name, among: names)
        return LinkError(
            "there is no \(what) '\(name)'; "
                + (nearest.map { "did you mean '\($0)'?" }
                    ?? "it takes \(names.joined(separator: ", "))"))
    }

    /// Reads `key=value,key=value`; every key must be one of `known`.
    static func arguments(
        _ text: String?, of name: String, known: [String]
    ) throws(LinkError) -> [String: String] {
        var values: [String: String] = [:]
        guard let text, !text.isEmpty else { return values }
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let key = trimmed(pair[0])
            guard known.contains(key) else {
                throw unknown(key, "parameter of \(name)", among: known)
            }
            guard pair.count == 2, values[key] == nil else {
                throw LinkError("'\(key)' of \(name) takes one value, as in \(key)=VALUE")
            }
            values[key] = trimmed(pair[1])
        }
        return values
    }
}
