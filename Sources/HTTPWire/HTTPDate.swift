/// Dates of HTTP fields (RFC 9110, 5.6.7) in all three forms.
public enum HTTPDate {
    private static let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]

    /// Reads a date as seconds since 1970; nil if the text is not a date. Dates of cookies (RFC
    /// 6265, 5.1.1) are read too.
    public static func seconds(_ text: some StringProtocol) -> Int64? {
        var clock: [Int]?
        var day: Int?
        var month: Int?
        var year: Int?
        let words = text.split { $0 == " " || $0 == "," || $0 == "-" || $0 == "\t" }
        guard words.count <= 12 else { return nil }
        for word in words {
            let parts = word.split(separator: ":")
            if clock == nil, parts.count == 3 {
                let numbers = parts.compactMap { $0.utf8.count <= 2 ? Int($0) : nil }
                guard numbers.count == 3 else { return nil }
                clock = numbers
            } else if month == nil,
                let place = months.firstIndex(of: word.prefix(3).lowercased())
            {
                month = place + 1
            } else if let number = Int(word), number >= 0 {
                if day == nil, word.utf8.count <= 2 {
                    day = number
                } else if year == nil, word.utf8.count == 4 || word.utf8.count == 2 {
                    year = word.utf8.count == 4 ? number : number + (number < 70 ? 2000 : 1900)
                }
            }
        }
        guard let clock, let day, let month, let year, (1601...9999).contains(year),
            (1...31).contains(day), clock[0] < 24, clock[1] < 60, clock[2] <= 60
        else { return nil }
        return Int64(days(year, month, day)) * 86_400
            + Int64(clock[0] * 3600 + clock[1] * 60 + clock[2])
    }

    /// Returns the days since 1970-01-01 in the Gregorian calendar.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let era = y / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
            - 719_468
    }
}
