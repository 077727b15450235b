import Foundation
import Processes
import Testing

/// What workers leave where the runner may read more than they.
@Suite struct WorkerFileTests {
    @Test func onlyFilesOfTheFolderAreRead() throws {
        let folder = NSTemporaryDirectory() + "millrace-worker-\(UUID())"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try "a secret".write(toFile: folder + "/file", atomically: true, encoding: .utf8)
        symlink(folder + "/file", folder + "/link")
        mkfifo(folder + "/pipe", 0o600)
        #expect(WorkerFile.read(folder + "/file") == Array("a secret".utf8))
        #expect(WorkerFile.read(folder + "/file", last: 6) == Array("secret".utf8))
        // A pipe would be waited for, for ever.
        for name in ["link", "pipe", "none", "."] {
            #expect(WorkerFile.read("\(folder)/\(name)") == nil, "\(name)")
        }
    }
}
