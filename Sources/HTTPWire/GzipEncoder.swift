import CZlib

/// Compresses a whole body into one gzip member (RFC 1952).
public enum GzipEncoder {
    /// Reason why a body could not be compressed.
    public struct Fault: Error, Hashable, CustomStringConvertible {
        public var description: String
    }

    private static let pieceBytes = 65_536

    /// Returns the gzip member for `bytes`.
    /// - Parameter level: 1 (fast) to 9 (small).
    /// - Throws: `Fault` if zlib has no memory.
    public static func encode(
        _ bytes: UnsafeRawBufferPointer, level: Int = 6
    ) throws(Fault) -> [UInt8] {
        var stream = z_stream()
        // The window has 15 bits; 16 more ask zlib for the gzip format.
        guard
            deflateInit2_(
                &stream, Int32(clamping: level), Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY,
                ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { throw Fault(description: "zlib has no memory for an encoder") }
        defer { deflateEnd(&stream) }
        var result: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: pieceBytes)
        var start = 0
        repeat {
            // zlib counts in 32 bits, so a long body is compressed in parts.
            let count = min(bytes.count - start, 1 << 30)
            let flush = start + count == bytes.count ? Z_FINISH : Z_NO_FLUSH
            // zlib's interface takes a mutable pointer and does not write through it.
            stream.next_in = UnsafeMutablePointer(
                mutating: bytes.baseAddress?.advanced(by: start).assumingMemoryBound(
                    to: UInt8.self))
            stream.avail_in = UInt32(count)
            repeat {
                let written = piece.withUnsafeMutableBufferPointer { room -> Int in
                    stream.next_out = room.baseAddress
                    stream.avail_out = UInt32(room.count)
                    _ = deflate(&stream, flush)
                    return room.count - Int(stream.avail_out)
                }
                result += piece[..<written]
            } while stream.avail_out == 0
            start += count
        } while start < bytes.count
        return result
    }
}
