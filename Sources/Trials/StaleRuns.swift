import Foundation
import Glibc
import Stacks

/// Directories of runs that were killed. They still have their temporary names.
enum StaleRuns {
    static let ownerFile = ".owner"
    /// Name of the directory that holds recordings until they have been compared.
    static let recordingsDirectory = "recordings"
    /// Name of the directory for the temporary files of the comparison.
    static let comparisonDirectory = "comparison"

    /// Gives such directories their final names. They hold a manifest which says that the run was
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
            for folder in [recordingsDirectory, comparisonDirectory, ServerFolder.passing] {
                try? files.removeItem(atPath: "\(path)/\(folder)")
            }
            try? files.moveItem(atPath: path, toPath: "\(parent)/\(final)")
        }
    }
}
