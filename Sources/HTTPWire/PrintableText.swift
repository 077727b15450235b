extension Unicode.Scalar {
    /// Whether a terminal or a log would obey it instead of showing it: it begins a line, colours,
    /// clears, turns the direction of writing, or is nothing to be seen.
    public var isControl: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: true
        default: false
        }
    }
}

extension StringProtocol {
    /// A stranger's text for a message, a log or a page: controls become `\u{…}`, and what goes beyond
    /// `limit` characters is left out.
    public func printable(limit: Int = 1024) -> String {
        let isPlain = utf8.count <= limit && utf8.allSatisfy { (0x20..<0x7F).contains($0) }
        guard !isPlain else { return String(self) }
        var result = ""
        for scalar in unicodeScalars.prefix(limit) {
            if scalar.isControl {
                result += "\\u{" + String(scalar.value, radix: 16) + "}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return unicodeScalars.dropFirst(limit).isEmpty ? result : result + "…"
    }

    public var printable: String { printable() }
}
