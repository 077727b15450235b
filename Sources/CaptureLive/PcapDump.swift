import Capture
import Glibc

/// Writes captured packets to a file, a mebibyte at a time, up to a limit.
struct PcapDump {
    private static let pieceBytes = 1 << 20

    private let descriptor: Int32
    private let limitBytes: Int
    private var pending: [UInt8]
    private var written = 0
    /// Reason why the file holds less than was captured.
    private(set) var failure: String?

    init(path: String, linkType: LinkType, limitBytes: Int) throws(CaptureError) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw CaptureError(
                .device, "cannot write \(path): \(String(cString: strerror(errno)))")
        }
        self.limitBytes = limitBytes
        pending = PcapWriter.fileHeader(linkType: linkType)
    }

    mutating func append(
        timestampNanoseconds: Int64, captured: UnsafeRawBufferPointer, originalLength: Int
    ) {
        guard failure == nil else { return }
        guard written + pending.count + captured.count + 16 <= limitBytes else {
            failure = "the file reached its limit of \(limitBytes) bytes"
            return
        }
        PcapWriter.append(
            timestampNanoseconds: timestampNanoseconds, captured: captured,
            originalLength: originalLength, to: &pending)
        if pending.count >= Self.pieceBytes { flush() }
    }

    mutating func flush() {
        var offset = 0
        while offset < pending.count {
            let count = pending.withUnsafeBytes {
                let rest = UnsafeRawBufferPointer(rebasing: $0[offset...])
                return write(descriptor, rest.baseAddress, rest.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                failure = "writing failed: \(String(cString: strerror(errno)))"
                break
            }
            offset += count
        }
        written += offset
        pending.removeAll(keepingCapacity: true)
    }

    mutating func finish() {
        flush()
        close(descriptor)
    }
}
