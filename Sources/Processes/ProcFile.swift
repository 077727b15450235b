import Foundation
import Glibc

/// Files of `/proc`, which have no size of their own and are read to their ends, and other small
/// files of the system.
public enum ProcFile {
    /// The text of a file; nil if the file cannot be opened or is empty.
    public static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let n = Glibc.read(descriptor, &chunk, chunk.count)
            if n < 0 && errno == EINTR { continue }
            guard n > 0 else { break }
            bytes += chunk[..<n]
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }

    /// The fields of `/proc/<pid>/stat` from the state on (field 3 of proc(5) is index 0).
    public static func statFields(pid: Int32) -> [Substring]? {
        guard let text = read("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else {
            return nil
        }
        return text[text.index(after: end)...].split { $0 == " " || $0 == "\n" }
    }

    /// Number of this process's open descriptors; nil if /proc does not tell.
    public static func openDescriptors() -> Int? {
        let path = "/proc/self/fd"
        var facts = stat()
        // Linux 6.2 and later have the number as the folder's size.
        if stat(path, &facts) == 0, facts.st_size > 0 { return Int(facts.st_size) }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            return nil
        }
        // The folder itself is open while it is read.
        return names.count - 1
    }

    /// Live members of a process group.
    public static func members(ofGroup group: Int32) -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { pid in
            guard let fields = statFields(pid: pid), fields.count > 2 else { return false }
            return fields[2] == "\(group)" && fields[0] != "Z"
        }.sorted()
    }
}
