package import Capture
import Glibc

/// A capture file that is read in pieces, so that its size does not matter.
package struct CaptureFile {
    /// Reason why the bytes of the file cannot be had.
    package struct Fault: Error, Sendable, CustomStringConvertible {
        package var description: String
        /// Whether the path is wrong, and not the disk.
        package var isWrongPath: Bool
    }

    private static let pieceBytes = 1 << 20

    private let path: String

    /// - Parameter path: path of the file; `-` is standard input.
    package init(path: String) { self.path = path }

    /// Feeds the whole file to an analyzer.
    ///
    /// - Returns: what is wrong with the file's contents. The analyzer has the packets before it.
    /// - Throws: `Fault` if the file cannot be opened or read.
    package func read(into analyzer: inout CaptureAnalyzer) throws(Fault) -> CaptureError? {
        let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw fault("open", isWrongPath: true) }
        defer { close(descriptor) }
        let piece = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.pieceBytes, alignment: 16)
        defer { piece.deallocate() }
        let reader = CaptureFileReader()
        while true {
            let count = try fill(piece, from: descriptor)
            do throws(CaptureError) {
                guard count > 0 else {
                    try reader.finish()
                    return nil
                }
                try analyzer.read(
                    UnsafeRawBufferPointer(rebasing: piece[..<count]), from: reader)
            } catch {
                return error
            }
        }
    }

    /// - Returns: the number of bytes read; 0 at the end of the file.
    private func fill(
        _ piece: UnsafeMutableRawBufferPointer, from descriptor: Int32
    ) throws(Fault) -> Int {
        while true {
            let count = Glibc.read(descriptor, piece.baseAddress!, piece.count)
            if count >= 0 { return count }
            if errno != EINTR { throw fault("read", isWrongPath: errno == EISDIR) }
        }
    }

    /// Makes the fault that `errno` tells.
    private func fault(_ verb: String, isWrongPath: Bool) -> Fault {
        Fault(
            description: "cannot \(verb) \(path): \(String(cString: strerror(errno)))",
            isWrongPath: isWrongPath)
    }
}
