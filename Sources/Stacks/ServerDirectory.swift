import Foundation
import Processes

/// Names of the directories that servers of a command line have in a run's directory.
package enum ServerFolder {
    /// A directory that is removed at the end of the run.
    package static let passing = "server"
    /// A directory that remains in the results.
    static let kept = "server-files"
}

/// The directory that a run makes for a server, with the files that the scenario gives.
struct ServerDirectory: Sendable {
    let path: String

    /// Makes the directory below the run's. If the run has a user of its own, the directory and its
    /// files belong to that user.
    ///
    /// - Throws: `ProcessError` if a file cannot be written.
    init(
        below parent: String, name: String, files: [(name: String, text: String)],
        owner server: String
    ) throws(ProcessError) {
        let parent = Self.absolute(parent)
        path = "\(parent)/\(name)"
        do {
            try? FileManager.default.removeItem(atPath: path)
            try Self.makeFolder(path)
            if Privileges.workerUser != nil {
                try Privileges.giveToWorkers(parent, onlyGroup: true)
            }
            for file in files {
                var folder = path
                for part in file.name.split(separator: "/").dropLast() {
                    folder += "/\(part)"
                    guard !FileManager.default.fileExists(atPath: folder) else { continue }
                    try Self.makeFolder(folder)
                }
                let place = "\(path)/\(file.name)"
                try Data(file.text.utf8).write(to: URL(fileURLWithPath: place))
                try Privileges.giveToWorkers(place)
            }
        } catch {
            throw ProcessError(
                name: server,
                message: "the server's files cannot be written in \(path): \(error)")
        }
    }

    /// Returns a path from the root.
    static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)"
    }

    private static func makeFolder(_ path: String) throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        try Privileges.giveToWorkers(path)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
