import Foundation
import TestSupport

/// The Swift files of the package's targets, with the imports and declarations that a text scan
/// finds in them.
struct SourceTree {
    struct File {
        /// Name of the target that contains the file.
        var target: String
        /// Folder below the target's folder; empty for the target's root.
        var folder: String
        /// Path from the repository's root.
        var path: String
        /// Lines without comments and without the contents of string literals.
        var lines: [String]
        var imports: [String]
        var declarations: [Declaration]
    }

    /// A type or an extension at the top level of a file.
    struct Declaration {
        var name: String
        var isExtension: Bool
        var isPrivate: Bool
        /// Number of lines from the first line to the closing brace.
        var length: Int
    }

    var files: [File]

    /// Reads every file below `Sources`.
    ///
    /// - Parameter root: Path of the repository's root, or of a copy of it.
    init(root: String = Programs.repository) throws {
        files = []
        let sources = URL(fileURLWithPath: root).appending(path: "Sources")
            .resolvingSymlinksInPath()
        let enumerator = FileManager.default.enumerator(atPath: sources.path)
        while let name = enumerator?.nextObject() as? String {
            guard name.hasSuffix(".swift") else { continue }
            let text = try String(contentsOf: sources.appending(path: name), encoding: .utf8)
            files.append(File(name, text))
        }
        files.sort { $0.path < $1.path }
    }

    init(files: [File]) { self.files = files }
}

extension SourceTree.File {
    /// Targets by their folders, if the folder does not have the target's name.
    private static let nested = ["Netem/Model": "Netem", "Netem/Shell": "NetemShell"]

    /// - Parameter name: Path below `Sources`.
    init(_ name: String, _ text: String) {
        path = "Sources/\(name)"
        var parts = name.split(separator: "/").map(String.init).dropLast()
        if let target = Self.nested[parts.prefix(2).joined(separator: "/")] {
            self.target = target
            parts = parts.dropFirst(2)
        } else {
            target = parts.first ?? ""
            parts = parts.dropFirst()
        }
        folder = parts.joined(separator: "/")
        lines = Self.code(of: text)
        imports = lines.compactMap { line in
            let words = line.split(separator: " ")
            guard let place = words.firstIndex(of: "import"), place < 2, place + 1 < words.count
            else { return nil }
            // An import may name one type of a module: `import struct HTTPWire.HTTPURL`.
            let module = words[(place + 1)...].first { !Self.kinds.contains($0) }
            return module.map { String($0.prefix { $0 != "." }) }
        }
        declarations = Self.declarations(in: lines)
    }

    /// Returns the lines of the text without comments and with empty string literals.
    static func code(of text: String) -> [String] {
        var isInLongString = false
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            if line.contains("\"\"\"") {
                isInLongString.toggle()
                return String(line.prefix { $0 != "\"" })
            }
            guard !isInLongString else { return "" }
            var result = ""
            var isInString = false
            var last: Character = " "
            for character in line {
                if character == "\"", last != "\\" {
                    isInString.toggle()
                    result.append(character)
                } else if !isInString {
                    if character == "/", last == "/" { return String(result.dropLast()) }
                    result.append(character)
                }
                last = last == "\\" && character == "\\" ? " " : character
            }
            return result
        }
    }

    private static let kinds: Set<Substring> = [
        "struct", "class", "enum", "actor", "protocol", "extension",
    ]

    private static func declarations(in lines: [String]) -> [SourceTree.Declaration] {
        lines.indices.compactMap { index in
            let line = lines[index]
            guard let first = line.first, first.isLetter || first == "@" else { return nil }
            let words = line.split { !($0.isLetter || $0.isNumber || "_@.".contains($0)) }
            guard let place = words.firstIndex(where: { kinds.contains($0) }),
                place + 1 < words.count, !words[..<place].contains("import"),
                words[..<place].allSatisfy({ $0.first?.isUppercase == false })
            else { return nil }
            return SourceTree.Declaration(
                name: String(words[place + 1].prefix { $0 != "." }),
                isExtension: words[place] == "extension",
                isPrivate: words[..<place].contains { $0 == "private" || $0 == "fileprivate" },
                length: length(of: lines, from: index))
        }
    }

    private static func length(of lines: [String], from start: Int) -> Int {
        var depth = 0
        var hasBegun = false
        for index in start..<lines.count {
            for character in lines[index] {
                if character == "{" {
                    depth += 1
                    hasBegun = true
                } else if character == "}" {
                    depth -= 1
                }
            }
            if hasBegun, depth <= 0 { return index - start + 1 }
        }
        return lines.count - start
    }
}
