import Glibc
public import Netem

/// The log of one direction of a link, on disk. Lines that cannot be written are counted, and the
/// log does not wait again.
public final class LinkLogFile {
    /// Number of bytes collected before they are written.
    private static let batch = 1 << 16

    private let descriptor: Int32
    private var text: LinkLogText
    private var hasFailed = false
    private var isClosed = false

    /// Creates the file, or empties it.
    /// - Throws: `ShellError` if that is not possible.
    public init(path: String, title: String, options: [LinkLog.Option]) throws(ShellError) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw .system("cannot write the log \(path)", -errno, "check path and permissions")
        }
        text = LinkLogText(title: title, options: options)
    }

    convenience init(_ request: LinkSession.LogRequest) throws(ShellError) {
        try self.init(path: request.path, title: request.title, options: request.options)
    }

    deinit { _ = close() }

    func arrival(at instant: Int64, bytes: Int) {
        text.arrival(at: instant, bytes: bytes)
        if text.bytes.count >= Self.batch { flush() }
    }

    func write(_ event: LinkEvent) {
        text.write(event)
        if text.bytes.count >= Self.batch { flush() }
    }

    /// Closes the file. Returns false if some line could not be written.
    func close() -> Bool {
        guard !isClosed else { return !hasFailed }
        flush()
        isClosed = true
        if Glibc.close(descriptor) != 0 { hasFailed = true }
        return !hasFailed
    }

    private func flush() {
        text.take { bytes in
            var sent = 0
            while sent < bytes.count, !hasFailed {
                let count = bytes.withUnsafeBytes {
                    Glibc.write(descriptor, $0.baseAddress! + sent, bytes.count - sent)
                }
                if count > 0 { sent += count } else if errno != EINTR { hasFailed = true }
            }
        }
    }
}
