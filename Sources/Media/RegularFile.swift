import Glibc
import NIOCore

/// A file that is opened for reading from start to end, and closed with this value.
struct RegularFile: ~Copyable {
    private static let chunkBytes = 1 << 20

    private let descriptor: CInt
    private let path: String
    /// Size in bytes when the file was opened.
    let size: Int

    /// - Throws: `MediaError.fileUnreadable`; pipes and devices are refused because they have no
    ///   end.
    init(path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw MediaError(.fileUnreadable, "\(path): \(String(cString: strerror(errno)))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw MediaError(.fileUnreadable, "\(path) is not a regular file")
        }
        self.descriptor = descriptor
        self.path = path
        size = Int(status.st_size)
    }

    deinit { close(descriptor) }

    /// Reads the next bytes; returns `nil` at the end.
    /// - Throws: `MediaError.fileUnreadable`.
    mutating func read() throws -> ByteBuffer? {
        var chunk = ByteBuffer()
        let count = chunk.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.chunkBytes) {
            var count = Glibc.read(descriptor, $0.baseAddress, $0.count)
            while count < 0, errno == EINTR {
                count = Glibc.read(descriptor, $0.baseAddress, $0.count)
            }
            failure = count < 0 ? errno : 0
            return max(0, count)
        }
        guard failure == 0 else {
            throw MediaError(.fileUnreadable, "\(path): \(String(cString: strerror(failure)))")
        }
        return count > 0 ? chunk : nil
    }

    private var failure: CInt = 0
}
