/// Hides secrets in results: passwords in URLs, the values of their queries, and stream keys.
public enum Redaction {
    static let mask = "***"

    /// Hides the secrets in each URL of the text. A comma is part of a URL, so the caller passes
    /// the cells of a table one by one.
    public static func urls(in text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "/")), text.contains("://") else { return text }
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        var rest = Array(text.utf8)[...]
        let mark = Array("://".utf8)
        while let found = rest.firstRange(of: mark) {
            result += rest[..<found.upperBound]
            rest = rest[found.upperBound...]
            let isQuoted = isAfterQuote(result)
            let end =
                rest.indices.first {
                    isOutside(rest[$0]) || isQuoted && isClosingQuote($0, of: rest)
                } ?? rest.endIndex
            result += hidden(rest[..<end])
            rest = rest[end...]
        }
        return String(decoding: result + rest, as: UTF8.self)
    }

    /// Whether the byte cannot be part of a URL: blanks, double quotes and brackets.
    private static func isOutside(_ byte: UInt8) -> Bool {
        byte <= 0x20 || "\"<>`\\".utf8.contains(byte)
    }

    /// Whether an apostrophe stands before the scheme and the `://` at the end of `text`.
    private static func isAfterQuote(_ text: [UInt8]) -> Bool {
        let scheme = text.dropLast(3).reversed().prefix(32)
        return scheme.first { !isLetterOrDigit($0) && !"+-.".utf8.contains($0) }
            == UInt8(ascii: "'")
    }

    /// Whether an apostrophe closes a quote. It may also be part of a URL (RFC 3986, 2.2), and it
    /// closes a quote if nothing of the URL follows.
    private static func isClosingQuote(_ place: Int, of text: ArraySlice<UInt8>) -> Bool {
        guard text[place] == UInt8(ascii: "'") else { return false }
        guard place + 1 < text.endIndex else { return true }
        let next = text[place + 1]
        return !isLetterOrDigit(next) && !"-_~/?#[@!$&'(*+=%".utf8.contains(next)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }

    /// Hides the secrets in the text after `://`.
    private static func hidden(_ tail: ArraySlice<UInt8>) -> [UInt8] {
        var tail = tail
        var result: [UInt8] = []
        let authority = tail.prefix { !"/?#".utf8.contains($0) }
        if let at = authority.lastIndex(of: UInt8(ascii: "@")) {
            result += Array(mask.utf8)
            tail = tail[at...]
        }
        guard let question = tail.firstIndex(of: UInt8(ascii: "?")) else { return result + tail }
        result += tail[..<question]
        var isValue = false
        for byte in tail[question...] {
            if byte == UInt8(ascii: "&") || byte == UInt8(ascii: "?") { isValue = false }
            if !isValue { result.append(byte) }
            if byte == UInt8(ascii: "="), !isValue {
                isValue = true
                result += Array(mask.utf8)
            }
        }
        return result
    }

    /// Hides the secrets of a scenario's `keys:`: `NAME:SECRET` becomes `NAME:***`.
    public static func keys(in scenario: String) -> String {
        var depth: Int?
        let lines = scenario.split(separator: "\n", omittingEmptySubsequences: false).map {
            line -> String in
            let indent = line.prefix { $0 == " " }.count
            let content = line.dropFirst(indent)
            if let own = depth, content.hasPrefix("- "), indent >= own {
                return line.prefix(indent) + "- " + key(content.dropFirst(2))
            }
            depth = nil
            guard content.hasPrefix("keys:") else { return String(line) }
            depth = indent
            guard let open = content.firstIndex(of: "["), let close = content.lastIndex(of: "]")
            else { return String(line) }
            let entries = content[content.index(after: open)..<close].split(separator: ",").map {
                key($0.drop { $0 == " " })
            }
            return line.prefix(indent) + "keys: [" + entries.joined(separator: ", ") + "]"
        }
        return lines.joined(separator: "\n")
    }

    private static func key(_ entry: Substring) -> String {
        guard let colon = entry.firstIndex(of: ":") else { return String(entry) }
        let quote = entry.first.flatMap { $0 == "\"" || $0 == "'" ? String($0) : nil } ?? ""
        return entry[...colon] + mask + quote
    }
}
