import Foundation
import Results

struct InputFault: Error, CustomStringConvertible {
    var message: String
    var description: String { message }
}

enum InputFiles {
    /// Most files taken from a folder.
    static let maximum = 10_000

    /// Regular, visible files in the order of their names.
    static func inFolder(_ path: String) throws -> [String] {
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

    static func input(_ path: String, _ bytes: [UInt8]) -> Manifest.Input {
        .init(path: path, sha256: ContentDigest.sha256(bytes))
    }

    /// The file's name without folder and extension.
    static func name(_ path: String) -> String {
        let last = URL(fileURLWithPath: path).lastPathComponent
        guard let dot = last.lastIndex(of: "."), dot != last.startIndex else { return last }
        return String(last[..<dot])
    }
}
