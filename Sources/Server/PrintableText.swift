extension StringProtocol {
    /// The text as a log or a page can show it: control characters, which would begin lines of their
    /// own or colour a terminal, are escaped, and what is longer than a name may be is cut.
    var printable: String {
        var text = ""
        for scalar in unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate:
                text += "\\u{\(String(scalar.value, radix: 16))}"
            default: text.unicodeScalars.append(scalar)
            }
            if text.utf8.count > 1024 { return text + "…" }
        }
        return text
    }
}
