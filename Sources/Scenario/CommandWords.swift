/// Splits the text of a command line into words as a POSIX shell does (IEEE Std 1003.1, Shell
/// Command Language, 2.2), without any expansion: no shell runs the command.
package enum CommandWords {
    /// Reason why a text is no command line of one program.
    package struct Fault: Error, Hashable, CustomStringConvertible {
        package var description: String
    }

    /// Most words of a command line.
    package static let countLimit = 1000
    /// Words that only a shell understands.
    private static let operators: Set<String> = ["|", "||", "&", "&&", ";"]
    /// Beginnings of words that only a shell understands.
    private static let redirections = [">", "<", "1>", "2>", "&>"]

    /// - Throws: `Fault` for a quote without an end, for an operator of the shell, and for too many
    ///   words.
    package static func split(_ text: String) throws(Fault) -> [String] {
        var words: [String] = []
        // nil = between words; quotes can make an empty word.
        var word: String?
        var quote: Character?
        var isQuoted = false
        var rest = text[...]
        func finish() throws(Fault) {
            guard let done = word else { return }
            if !isQuoted,
                operators.contains(done) || redirections.contains(where: { done.hasPrefix($0) })
            {
                throw Fault(
                    description:
                        "'\(done)' is for a shell, and none runs the command; write sh -c 'COMMAND', or quote '\(done)'"
                )
            }
            guard words.count < countLimit else {
                throw Fault(description: "the command has more than \(countLimit) words")
            }
            words.append(done)
            word = nil
            isQuoted = false
        }
        while let next = rest.popFirst() {
            if let open = quote {
                if next == open {
                    quote = nil
                } else if next == "\\", open == "\"", let after = rest.first,
                    "\"\\$`".contains(after) || after.isNewline
                {
                    rest.removeFirst()
                    // A line that ends in a \ goes on in the next one.
                    if !after.isNewline { word = (word ?? "") + String(after) }
                } else {
                    word = (word ?? "") + String(next)
                }
            } else if next == "'" || next == "\"" {
                quote = next
                isQuoted = true
                word = word ?? ""
            } else if next == "\\" {
                guard let after = rest.popFirst() else {
                    throw Fault(description: "the command ends in a \\ that quotes nothing")
                }
                guard !after.isNewline else { continue }
                isQuoted = true
                word = (word ?? "") + String(after)
            } else if next.isWhitespace {
                try finish()
            } else {
                word = (word ?? "") + String(next)
            }
        }
        if let quote {
            throw Fault(description: "the command has a \(quote) without its end; add it")
        }
        try finish()
        return words
    }
}
