/// Numbers as playlists write them (RFC 8216, 4.2).
///
/// Decimal numbers are kept to the microsecond: a number that is read and written again stays the
/// same.
enum PlaylistNumber {
    /// Reads a decimal-integer that counts something: bytes, bits, segments. A number from 2^62 on
    /// is refused, so that a sum of two never overflows.
    static func integer(_ text: Substring) -> Int? {
        guard let value = wide(text), value < 1 << 62 else { return nil }
        return Int(value)
    }

    /// Reads a decimal-integer from 0 to 2^64 − 1 (RFC 8216, 4.2), the range of media sequence
    /// numbers.
    static func wide(_ text: Substring) -> UInt64? {
        guard (1...20).contains(text.utf8.count) else { return nil }
        var value: UInt64 = 0
        for byte in text.utf8 {
            guard (0x30...0x39).contains(byte) else { return nil }
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(byte - 0x30))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }

    /// Reads a decimal-floating-point or, with a minus sign, a signed-decimal-floating-point; below
    /// 10^9.
    static func decimal(_ text: Substring) -> Double? {
        var rest = text.utf8[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative { rest = rest.dropFirst() }
        var whole: Int64 = 0
        var micros: Int64 = 0
        var wholeDigits = 0
        var fractionDigits = 0
        var inFraction = false
        for byte in rest {
            if byte == UInt8(ascii: "."), !inFraction {
                inFraction = true
                continue
            }
            guard (0x30...0x39).contains(byte) else { return nil }
            let digit = Int64(byte - 0x30)
            if !inFraction {
                wholeDigits += 1
                guard wholeDigits <= 9 else { return nil }
                whole = whole * 10 + digit
            } else {
                fractionDigits += 1
                if fractionDigits <= 6 {
                    micros = micros * 10 + digit
                } else if fractionDigits == 7, digit >= 5 {
                    micros += 1
                }
            }
        }
        guard wholeDigits + fractionDigits > 0 else { return nil }
        for _ in 0..<max(0, 6 - fractionDigits) { micros *= 10 }
        let value = Double(whole * 1_000_000 + micros) / 1_000_000
        return isNegative ? -value : value
    }

    /// Writes a number in fixed notation with three to six decimals; a number that cannot be
    /// written so becomes 0.
    static func text(_ value: Double) -> String {
        guard value.isFinite, value.magnitude < 1e9 else { return "0.000" }
        let micros = Int64((value.magnitude * 1_000_000).rounded())
        var fraction = String(micros % 1_000_000)
        fraction = String(repeating: "0", count: 6 - fraction.utf8.count) + fraction
        while fraction.utf8.count > 3, fraction.utf8.last == 0x30 { fraction.removeLast() }
        let sign = value < 0 && micros > 0 ? "-" : ""
        return "\(sign)\(micros / 1_000_000).\(fraction)"
    }
}
