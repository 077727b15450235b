import Foundation
package import Results

/// An input that a scenario names and that cannot be used.
package struct InputFault: Error, CustomStringConvertible {
    /// Description of the fault, with the nearest valid choice.
    package var message: String

    package init(message: String) { self.message = message }

    package var description: String { message }
}

package enum InputFiles {
    /// Maximum number of files that are taken from a folder.
    package static let maximum = 10_000

    /// Returns the regular, visible files in the order of their names.
    package static func inFolder(_ path: String) throws -> [String] {
        let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        let files = names.filter { !$0.hasPrefix(".") }.map { "\(path)/\($0)" }.filter {
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: $0, isDirectory: &isFolder)
                && !isFolder.boolValue
        }
        guard files.count <= maximum else {
            throw InputFault(message: "'\(path)' has more than \(maximum) files")
        }
        return files
    }

    package static func input(_ path: String, _ bytes: [UInt8]) -> Manifest.Input {
        .init(path: path, sha256: ContentDigest.sha256(bytes))
    }

    /// Returns the file's name without folder and extension.
    package static func name(_ path: String) -> String {
        let last = URL(fileURLWithPath: path).lastPathComponent
        guard let dot = last.lastIndex(of: "."), dot != last.startIndex else { return last }
        return String(last[..<dot])
    }
}
