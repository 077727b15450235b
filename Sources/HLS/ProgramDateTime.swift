/// A point of wall-clock time as `EXT-X-PROGRAM-DATE-TIME` gives it (RFC 8216, 4.3.2.6).
public struct ProgramDateTime: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Milliseconds in UTC, without leap seconds.
    public var millisecondsSince1970: Int64

    public init(millisecondsSince1970: Int64) {
        self.millisecondsSince1970 = millisecondsSince1970
    }

    public static func < (a: ProgramDateTime, b: ProgramDateTime) -> Bool {
        a.millisecondsSince1970 < b.millisecondsSince1970
    }

    /// ISO 8601 in UTC with milliseconds: `2026-11-21T13:38:35.250Z`; years 0…9999, others clamped.
    public var description: String {
        let millisecondsADay: Int64 = 86_400_000
        let clamped = min(max(millisecondsSince1970, -62_167_219_200_000), 253_402_300_799_999)
        var day = clamped / millisecondsADay
        var rest = clamped % millisecondsADay
        if rest < 0 {
            rest += millisecondsADay
            day -= 1
        }
        let (year, month, dayOfMonth) = Self.civil(daysSince1970: day)
        func padded(_ value: Int64, _ width: Int) -> String {
            let digits = "\(value)"
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))"
        let time = [
            padded(rest / 3_600_000, 2), padded(rest / 60_000 % 60, 2), padded(rest / 1000 % 60, 2),
        ].joined(separator: ":")
        return "\(date)T\(time).\(padded(rest % 1000, 3))Z"
    }

    /// Reads `YYYY-MM-DDThh:mm:ss` with any fraction (rounded down to milliseconds) and a zone of
    /// `Z`, `+hh:mm`, `+hhmm` or `+hh`; without a zone UTC is meant. The result is nil for any
    /// other text.
    public init?(_ text: Substring) {
        let bytes = Array(text.utf8.prefix(64))
        guard bytes.count >= 19, bytes[4] == 0x2D, bytes[7] == 0x2D,
            bytes[10] == 0x54 || bytes[10] == 0x74 || bytes[10] == 0x20,
            bytes[13] == 0x3A, bytes[16] == 0x3A
        else { return nil }
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count else { return nil }
            return bytes[range].reduce(0) { value, byte in
                guard let value, (0x30...0x39).contains(byte) else { return nil }
                return value * 10 + Int64(byte - 0x30)
            }
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var at = 19
        var milliseconds: Int64 = 0
        if at < bytes.count, bytes[at] == 0x2E {
            at += 1
            var scale: Int64 = 100
            while at < bytes.count, (0x30...0x39).contains(bytes[at]) {
                milliseconds += Int64(bytes[at] - 0x30) * scale
                scale /= 10
                at += 1
            }
        }
        var offsetMinutes: Int64 = 0
        switch at < bytes.count ? bytes[at] : 0x5A {
        case 0x5A, 0x7A:
            guard bytes.count <= at + 1 else { return nil }
        case let sign where sign == 0x2B || sign == 0x2D:
            guard let hours = number(at + 1..<at + 3) else { return nil }
            var rest = at + 3
            if rest < bytes.count, bytes[rest] == 0x3A { rest += 1 }
            let minutes = rest < bytes.count ? number(rest..<rest + 2) : 0
            guard let minutes, bytes.count <= max(rest, at + 3) + 2, hours < 24, minutes < 60
            else { return nil }
            offsetMinutes = (hours * 60 + minutes) * (sign == 0x2D ? -1 : 1)
        default: return nil
        }
        let days = Self.daysSince1970(year: year, month: month, day: day)
        let seconds = ((days * 24 + hour) * 60 + minute - offsetMinutes) * 60 + second
        millisecondsSince1970 = seconds * 1000 + milliseconds
    }

    /// Returns days of the proleptic Gregorian calendar; years start in March, so that leap days
    /// are last.
    private static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month > 2 ? year : year - 1
        let monthFromMarch = (month + 9) % 12
        let leapDays =
            shifted.flooredQuotient(4) - shifted.flooredQuotient(100)
            + shifted.flooredQuotient(400)
        return shifted * 365 + leapDays + (monthFromMarch * 306 + 5) / 10 + day - 1 - 719_468
    }

    private static func civil(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
        // Any 400 years have 146,097 days.
        let days = daysSince1970 + 719_468
        let era = days.flooredQuotient(146_097)
        let dayOfEra = days - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
    }
}

extension Int64 {
    fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
        self >= 0 ? self / divisor : (self - divisor + 1) / divisor
    }
}
