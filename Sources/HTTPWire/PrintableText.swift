extension Unicode.Scalar {
    /// Whether a terminal or a log would obey the character instead of showing it: the character
    /// begins a line, sets colours, clears the screen, changes the direction of writing, or is
    /// invisible.
    public var isControl: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: true
        default: false
        }
    }
}

extension StringProtocol {
    /// Returns a peer's text in a form that is safe for a message, a log or a page: controls become
    /// `\u{…}`, and characters beyond `limit` are left out.
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
