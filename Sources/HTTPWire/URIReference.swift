/// Relative URIs (RFC 3986, 5.2), for URLs and for paths of files.
public enum URIReference {
    /// Resolves `reference` in a resource at `base`.
    public static func resolve(_ reference: String, against base: String) -> String {
        if hasScheme(reference) || reference.isEmpty {
            return reference.isEmpty ? base : reference
        }
        let (root, path) = split(base)
        if reference.hasPrefix("//") {
            return String(base[..<(base.firstIndex(of: ":") ?? base.startIndex)]) + ":" + reference
        }
        if reference.hasPrefix("#") { return base.prefix { $0 != "#" } + reference }
        if reference.hasPrefix("?") { return root + path.prefix { $0 != "?" } + reference }
        let (target, query) = cut(reference)
        let directory = path.prefix { $0 != "?" && $0 != "#" }
        let slash = directory.lastIndex(of: "/").map { directory.index(after: $0) }
        let joined =
            target.hasPrefix("/")
            ? target : directory[..<(slash ?? directory.startIndex)] + target
        return root + withoutDots(String(joined)) + query
    }

    private static func hasScheme(_ text: String) -> Bool {
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else { return false }
        return text[..<colon].allSatisfy {
            $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0))
        }
            && text[text.startIndex].isLetter
    }

    /// Splits off scheme and authority from the rest; the path of a file has no root.
    private static func split(_ base: String) -> (root: String, path: Substring) {
        guard hasScheme(base), let slashes = base.range(of: "://") else { return ("", base[...]) }
        let rest = base[slashes.upperBound...]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        return (String(base[..<end]), end == rest.endIndex ? "/" : rest[end...])
    }

    private static func cut(_ reference: String) -> (path: Substring, query: Substring) {
        let end = reference.firstIndex { $0 == "?" || $0 == "#" } ?? reference.endIndex
        return (reference[..<end], reference[end...])
    }

    private static func withoutDots(_ path: String) -> String {
        var kept: [Substring] = []
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            let isLast = index == parts.count - 1
            switch part {
            case ".": if isLast { kept.append("") }
            case "..":
                if let last = kept.last, last != "..", !(kept.count == 1 && last.isEmpty) {
                    kept.removeLast()
                } else if !path.hasPrefix("/") {
                    kept.append(part)
                }
                if isLast { kept.append("") }
            default: kept.append(part)
            }
        }
        return kept.joined(separator: "/")
    }

    /// Returns `url` with query parameters added and its fragment removed. Blocking reloads need
    /// such parameters.
    public static func adding(_ parameters: [(String, String)], to url: String) -> String {
        guard !parameters.isEmpty else { return url }
        let query = parameters.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
        let plain = url.prefix { $0 != "#" }
        return plain + (plain.contains("?") ? "&" : "?") + query
    }

    // MARK: Characters

    /// Whether the byte is a letter, a digit, '.', '_' or '-'.
    static func isPlain(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte)
            || (0x30...0x39).contains(byte) || byte == 0x2E || byte == 0x5F || byte == 0x2D
    }

    /// Whether a URI may contain the byte unencoded (RFC 3986, 2): unreserved, reserved, or '%'.
    private static func mayStand(_ byte: UInt8) -> Bool {
        switch byte {
        // These are controls, blank, quote, '<', '>', '\\', '^', '`', braces and bar, and bytes
        // beyond ASCII.
        case 0...0x20, 0x22, 0x3C, 0x3E, 0x5C, 0x5E, 0x60, 0x7B...0x7D, 0x7F...0xFF: false
        default: true
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte)
            || (0x61...0x66).contains(byte)
    }

    /// Whether a reference contains no character that must be percent-encoded.
    public static func isEncoded(_ reference: some StringProtocol) -> Bool {
        var bytes = reference.utf8[...]
        while let byte = bytes.popFirst() {
            guard mayStand(byte) else { return false }
            if byte == 0x25, !bytes.prefix(2).allSatisfy(isHexadecimal) || bytes.count < 2 {
                return false
            }
        }
        return true
    }

    /// Percent-encodes the characters that a URI must not contain; existing encodings stay.
    public static func percentEncoded(_ text: some StringProtocol) -> String {
        guard !isEncoded(text) else { return String(text) }
        var result: [UInt8] = []
        var bytes = text.utf8[...]
        while let byte = bytes.popFirst() {
            let isStray =
                byte == 0x25 && (bytes.count < 2 || !bytes.prefix(2).allSatisfy(isHexadecimal))
            if mayStand(byte), !isStray {
                result.append(byte)
            } else {
                result.append(0x25)
                result.append(hexadecimal[Int(byte >> 4)])
                result.append(hexadecimal[Int(byte & 15)])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Percent-encodes a text that is to stand as one value in a query: everything but letters,
    /// digits, '.', '_', '-', '~' and '/', existing encodings too.
    public static func percentEncodedValue(_ text: some StringProtocol) -> String {
        var result: [UInt8] = []
        for byte in text.utf8 {
            if isPlain(byte) || byte == 0x7E || byte == 0x2F {
                result.append(byte)
            } else {
                result.append(0x25)
                result.append(hexadecimal[Int(byte >> 4)])
                result.append(hexadecimal[Int(byte & 15)])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static let hexadecimal = Array("0123456789ABCDEF".utf8)

    /// Decodes `%41` and the like; an invalid triple stays as it is.
    public static func percentDecoded(_ text: some StringProtocol) -> String {
        guard text.utf8.contains(0x25) else { return String(text) }
        var result: [UInt8] = []
        var bytes = text.utf8[...]
        while let byte = bytes.popFirst() {
            let digits = bytes.prefix(2)
            if byte == 0x25, digits.count == 2, digits.allSatisfy(isHexadecimal),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                result.append(value)
                bytes = bytes.dropFirst(2)
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension String {
    /// Finds `text`. Foundation has such a function, but this target does not import Foundation.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) {
                return start..<index(start, offsetBy: text.count)
            }
            start = index(after: start)
        }
        return nil
    }
}
