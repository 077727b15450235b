/// Parsing of the parts of HTTP/1.1 heads and framing that the capture needs (RFC 9112).
enum HTTPHead {
    /// Reads hexadecimal digits, which blanks and extensions may follow (RFC 9112, 7.1); nil for
    /// other lines.
    static func chunkSize(_ line: [UInt8]) -> Int? {
        let digits = line.drop { $0 == 0x20 || $0 == 0x09 }.prefix {
            Character(UnicodeScalar($0)).isHexDigit
        }
        let rest = line.drop { $0 == 0x20 || $0 == 0x09 }.dropFirst(digits.count)
        guard let next = rest.first, [0x0D, 0x0A, 0x3B, 0x20, 0x09].contains(next),
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size <= 1 << 40
        else { return nil }
        return size
    }

    static func fields(_ lines: some Sequence<Substring>) -> [String: String] {
        var fields: [String: String] = [:]
        for field in lines {
            let parts = field.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let value = parts[1].drop { $0 == " " || $0 == "\t" }.lowercased()
            // A field that occurs twice is one list.
            let name = parts[0].lowercased()
            fields[name] = fields[name].map { $0 + "," + value } ?? value
        }
        return fields
    }

    static func names(_ list: String?) -> [String] {
        (list ?? "").split(separator: ",").map { $0.filter { $0 != " " && $0 != "\t" } }.filter {
            !$0.isEmpty
        }
    }

    /// Reads a value of Content-Length; nil if it is not a length, or states two that differ.
    static func length(_ value: String) -> Int? {
        let names = Set(names(value))
        guard names.count == 1, let text = names.first, let length = Int(text), length >= 0 else {
            return nil
        }
        return length
    }
}
