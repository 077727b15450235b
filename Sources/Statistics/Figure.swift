/// Figures as text for people, in tables and lines of fixed-width text.
package enum Figure {
    /// Formats `value` with exactly `digits` decimals and a typographic minus sign; "–" if there is
    /// no finite value.
    package static func number(_ value: Double?, digits: Int = 1) -> String {
        fixed(value, digits, minus: "−")
    }

    /// Formats `value` like `number`, but with the hyphen as the minus sign, so that other programs
    /// can read the text.
    package static func plain(_ value: Double?, digits: Int = 2) -> String {
        fixed(value, digits, minus: "-")
    }

    /// Rounds `value` to `digits` decimals and leaves out the zeros at the end, except the first.
    package static func short(_ value: Double, digits: Int) -> String {
        let scale = scale(digits)
        return "\((value * scale).rounded() / scale)"
    }

    package static func integer(_ value: Int?) -> String { value.map(String.init) ?? "–" }

    package static func bytes(_ value: Int?) -> String {
        guard let value else { return "–" }
        return value < 1_000_000
            ? number(Double(value) / 1e3) + " kB" : number(Double(value) / 1e6) + " MB"
    }

    package static func percent(_ share: Double?) -> String {
        share.map { number($0 * 100) + " %" } ?? "–"
    }

    /// Writes `count` and the noun that belongs to it: "1 probe", "2 probes".
    package static func count(_ count: Int, _ singular: String) -> String {
        "\(count) \(singular)\(count == 1 ? "" : "s")"
    }

    /// Fills `text` with spaces on the right up to `width` characters. Longer text stays as it is.
    package static func flushLeft(_ text: String, _ width: Int) -> String {
        text + spaces(width - text.count)
    }

    /// Fills `text` with spaces on the left up to `width` characters. Longer text stays as it is.
    package static func flushRight(_ text: String, _ width: Int) -> String {
        spaces(width - text.count) + text
    }

    private static func fixed(_ value: Double?, _ digits: Int, minus: String) -> String {
        guard let value, value.isFinite else { return "–" }
        let scale = scale(digits)
        let scaled = (value.magnitude * scale).rounded()
        // The numbers of a hostile capture may be of any size.
        guard value.magnitude < 1e15, scaled < 9e18 else { return "\(value)" }
        let (whole, fraction) = Int(scaled).quotientAndRemainder(dividingBy: Int(scale))
        // The sign stands apart, because -0.05 has no whole part that could carry it.
        let sign = value < 0 && scaled > 0 ? minus : ""
        guard digits > 0 else { return "\(sign)\(whole)" }
        let decimals = String(fraction)
        return sign + "\(whole)." + String(repeating: "0", count: digits - decimals.count)
            + decimals
    }

    private static func scale(_ digits: Int) -> Double {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        return scale
    }

    private static func spaces(_ count: Int) -> String {
        String(repeating: " ", count: max(0, count))
    }
}
