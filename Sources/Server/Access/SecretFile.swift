import FoundationEssentials
import Sockets

/// Reading of small files with secrets, which should not stand on a command line.
enum SecretFile {
    /// - Throws: `ServerConfigurationError` that names the file.
    static func text(_ path: String, limit: Int) throws(ServerConfigurationError) -> String {
        if let problem = fileProblem(path) {
            throw ServerConfigurationError(
                description: "'\(path)' cannot be read: \(problem); give another file")
        }
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw ServerConfigurationError(description: "'\(path)' cannot be read: \(error)")
        }
        guard data.count <= limit else {
            throw ServerConfigurationError(
                description: "'\(path)' has \(data.count) bytes; at most \(limit) are taken")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// Removes blanks, tabs and carriage returns at both ends.
    static func trimmed(_ line: Substring) -> Substring {
        var line = line
        while let first = line.utf8.first, first <= 0x20 { line = line.dropFirst() }
        while let last = line.utf8.last, last <= 0x20 { line = line.dropLast() }
        return line
    }

    /// Reads a file with one secret.
    static func secret(_ path: String) throws(ServerConfigurationError) -> String {
        let text = try text(path, limit: 4096)
        let secret = trimmed(text[...])
        guard !secret.isEmpty, !secret.contains(where: \.isNewline) else {
            throw ServerConfigurationError(
                description: "'\(path)' must hold one secret on one line")
        }
        return String(secret)
    }
}
