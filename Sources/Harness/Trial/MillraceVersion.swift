import Foundation

/// What this program calls itself.
public enum MillraceVersion {
    public static let current = "0.1.0"

    /// The commit of the checkout that the program stands in; empty where there is none.
    static var commit: String {
        let program =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        var directory = URL(fileURLWithPath: program).deletingLastPathComponent()
        while directory.path != "/" {
            let git = directory.appendingPathComponent(".git").path
            if let head = ProcFile.read("\(git)/HEAD") {
                let text = head.trimmingCharacters(in: .whitespacesAndNewlines)
                guard text.hasPrefix("ref: ") else { return text }
                return (ProcFile.read("\(git)/\(text.dropFirst(5))") ?? "")
                    .trimmingCharacters(in: .whitespacesAndNewlines)
            }
            directory = directory.deletingLastPathComponent()
        }
        return ""
    }
}
