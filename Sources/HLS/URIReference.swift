/// Relative URIs (RFC 3986, 5.2), for URLs and for paths of files.
public enum URIReference {
    /// What `reference` means in a resource at `base`.
    public static func resolve(_ reference: String, against base: String) -> String {
        if hasScheme(reference) || reference.isEmpty {
            return reference.isEmpty ? base : reference
        }
        let (root, path) = split(base)
        if reference.hasPrefix("//") {
            return String(base[..<(base.firstIndex(of: ":") ?? base.startIndex)]) + ":" + reference
        }
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

    /// Scheme and authority, then the rest; a path of a file has no root.
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

    /// `url` with query parameters added, as blocking reloads need them.
    public static func adding(_ parameters: [(String, String)], to url: String) -> String {
        let query = parameters.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
        let plain = url.prefix { $0 != "#" }
        return plain + (plain.contains("?") ? "&" : "?") + query
    }
}

extension String {
    /// Foundation's would do; this target does without.
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
