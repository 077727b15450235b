import Glibc

/// Small files of the system.
enum SystemFiles {
    /// Replaces the contents of a file; creates it if `mode` is given.
    @discardableResult
    static func write(_ path: String, _ text: String, creating mode: mode_t? = nil) -> Bool {
        let flags = O_WRONLY | O_TRUNC | O_CLOEXEC | (mode == nil ? 0 : O_CREAT)
        let descriptor = open(path, flags, mode ?? 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        return Glibc.write(descriptor, bytes, bytes.count) == bytes.count
    }

    static func firstLine(_ text: String?) -> String {
        String((text ?? "").prefix { $0 != "\n" })
    }

    /// Returns the names of a directory's entries.
    static func list(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
