import Foundation
import Glibc

/// Runs whose runner was killed: their directories still have the temporary name.
enum StaleRuns {
    static let ownerFile = ".owner"
    /// Holds recordings until they have been compared.
    static let recordingsDirectory = "recordings"
    /// Holds what is made of them for the comparison.
    static let comparisonDirectory = "comparison"

    /// Gives such directories their final name. They hold a manifest that says that the run was
    /// cut off, and what was measured until then. Directories of runs that go on are left alone.
    static func sweep(_ parent: String) {
        let files = FileManager.default
        for name in (try? files.contentsOfDirectory(atPath: parent)) ?? []
        where name.hasPrefix(".") && name.hasSuffix(".partial") {
            let path = "\(parent)/\(name)"
            guard let text = try? String(contentsOfFile: "\(path)/\(ownerFile)", encoding: .utf8),
                let pid = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)),
                kill(pid, 0) != 0, errno == ESRCH
            else { continue }
            let final = String(name.dropFirst().dropLast(".partial".count))
            try? files.removeItem(atPath: "\(path)/\(ownerFile)")
            for folder in [recordingsDirectory, comparisonDirectory] {
                try? files.removeItem(atPath: "\(path)/\(folder)")
            }
            try? files.moveItem(atPath: path, toPath: "\(parent)/\(final)")
        }
    }
}
