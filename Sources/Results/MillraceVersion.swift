import Foundation

/// The version that results carry.
public enum MillraceVersion {
    public static let current = "0.1.0"

    /// The commit of the checkout that holds the program; empty if no checkout does.
    public static var commit: String {
        let program =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        var directory = URL(fileURLWithPath: program).deletingLastPathComponent()
        while directory.path != "/" {
            let git = directory.appendingPathComponent(".git").path
            if let head = text(of: "\(git)/HEAD") {
                let text = head.trimmingCharacters(in: .whitespacesAndNewlines)
                guard text.hasPrefix("ref: ") else { return text }
                return (self.text(of: "\(git)/\(text.dropFirst(5))") ?? "")
                    .trimmingCharacters(in: .whitespacesAndNewlines)
            }
            directory = directory.deletingLastPathComponent()
        }
        return ""
    }

    private static func text(of path: String) -> String? {
        try? String(contentsOfFile: path, encoding: .utf8)
    }
}
