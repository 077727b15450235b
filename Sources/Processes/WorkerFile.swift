// How files of workers are read. With `run --user` the workers, nginx's workers and the ffmpeg
// that compares pictures become that user. Their files lie in folders of their own (`recordings/`,
// nginx's `work/`): root writes nothing there, and reads it with `WorkerFile`, which follows no
// links.

import Glibc

/// Files in folders that workers write to. The runner may read more than the workers may, and a
/// worker may have put a link there: only regular files are read.
public enum WorkerFile {
    /// The bytes of a file, at most the last `limit`; nil if there is no regular file of that name.
    public static func read(_ path: String, last limit: Int = .max) -> [UInt8]? {
        read(path, limit: limit, fromEnd: true)
    }

    /// The bytes of a file, at most the first `limit`; nil if there is no regular file of that name.
    public static func read(_ path: String, first limit: Int) -> [UInt8]? {
        read(path, limit: limit, fromEnd: false)
    }

    private static func read(_ path: String, limit: Int, fromEnd: Bool) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { return nil }
        let count = min(Int(facts.st_size), limit)
        let start = fromEnd ? Int(facts.st_size) - count : 0
        guard lseek(descriptor, start, SEEK_SET) >= 0 else { return nil }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let read = Glibc.read(descriptor, buffer.baseAddress! + filled, count - filled)
                if read < 0, errno == EINTR { continue }
                guard read > 0 else { break }
                filled += read
            }
        }
    }
}
