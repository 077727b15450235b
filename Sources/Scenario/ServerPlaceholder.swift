import SimulationKernel

/// A word in braces for which a run puts a value into the command, files and URLs of a server.
package enum ServerPlaceholder: String, Sendable, CaseIterable {
    case rtmpPort = "rtmp_port"
    case httpPort = "http_port"
    /// Address on which the server has to listen.
    case host
    /// The server's own directory.
    case directory = "dir"
    /// The scenario's number of threads or worker processes, `stack.threads`.
    case threads

    package var text: String { "{\(rawValue)}" }

    /// Returns a text with values in the places of their placeholders. Whatever else stands in
    /// braces remains.
    package static func fill(_ text: String, with values: [ServerPlaceholder: String]) -> String {
        var result = ""
        var rest = text[...]
        while let open = rest.firstIndex(of: "{") {
            result += rest[..<open]
            rest = rest[open...]
            let found = allCases.first { rest.hasPrefix($0.text) && values[$0] != nil }
            guard let known = found, let value = values[known] else {
                result.append(rest.removeFirst())
                continue
            }
            result += value
            rest = rest.dropFirst(known.text.count)
        }
        return result + rest
    }

    /// Returns a complaint about the first word in braces that is no placeholder; nil if all are.
    /// `${WORD}` is a variable of a shell.
    ///
    /// - Parameter others: Words that may stand in braces as well.
    static func complaint(about text: String, besides others: [String] = []) -> String? {
        let known = allCases.map(\.rawValue) + others
        let parts = text.split(separator: "{", omittingEmptySubsequences: false)
        for (before, part) in zip(parts, parts.dropFirst()) where before.last != "$" {
            guard let end = part.firstIndex(of: "}") else { continue }
            let word = String(part[..<end])
            guard !word.isEmpty, word.allSatisfy({ $0.isASCII && ($0.isLetter || $0 == "_") }),
                !known.contains(word)
            else { continue }
            let nearest = NameDistance.nearest(to: word, among: known)
            return "there is no placeholder {\(word)}; "
                + (nearest.map { "did you mean {\($0)}?" }
                    ?? "there are \(known.map { "{\($0)}" }.joined(separator: ", "))")
        }
        return nil
    }
}
