import CZlib

/// Undoes an HTTP content coding (RFC 9110, 8.4.1), or decompresses a file, one piece at a time.
///
/// The decoder understands `gzip`, `x-gzip` and `deflate`, the last in both its forms (RFC 1950,
/// and the bare RFC 1951 that many servers send). Members of a gzip stream may follow one another.
/// The decoder never holds more than one piece of output, and stops at `outputLimit`.
public final class ContentDecoder {
    /// Reason why a coded body cannot be read.
    public struct Fault: Error, Hashable, CustomStringConvertible {
        public var description: String
    }

    /// Codings that a client may offer in Accept-Encoding.
    public static let acceptEncoding = "gzip, deflate"

    /// Whether a value of Content-Encoding says that nothing is coded.
    public static func isIdentity(_ coding: String) -> Bool {
        let name = coding.lowercased()
        return name.isEmpty || name == "identity"
    }

    private let stream: UnsafeMutablePointer<z_stream>
    private let outputLimit: Int
    private var produced = 0
    private var isRaw = false
    private var mayBeRaw: Bool
    private var hasEnded = false
    private var hasBegun = false

    /// Whether the coded stream has reached its own end.
    public var isComplete: Bool { hasEnded }

    /// - Parameters:
    ///   - coding: A value of Content-Encoding, in any case.
    ///   - outputLimit: Largest output in bytes.
    /// - Throws: `Fault` that names a coding which is not understood.
    public init(coding: String, outputLimit: Int) throws(Fault) {
        let name = coding.lowercased()
        guard ["gzip", "x-gzip", "deflate"].contains(name) else {
            throw Fault(
                description:
                    "the content coding '\(coding.prefix(40))' is not understood; gzip and deflate are"
            )
        }
        self.outputLimit = outputLimit
        mayBeRaw = name == "deflate"
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // The window has 15 bits; 32 more let zlib determine from the bytes whether they are zlib
        // or gzip.
        guard Self.begin(stream, windowBits: 15 + 32) else {
            throw Fault(description: "zlib has no memory for a decoder")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    private static func begin(_ stream: UnsafeMutablePointer<z_stream>, windowBits: Int32) -> Bool {
        inflateInit2_(stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    }

    /// Decodes `bytes` and hands on the output, in pieces of at most 64 KiB.
    ///
    /// - Throws: `Fault` if the bytes are not of the coding or the output exceeds `outputLimit`;
    ///   nothing can be decoded afterwards. An error that `take` throws is passed on.
    public func decode(
        _ bytes: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        guard !bytes.isEmpty, let start = bytes.baseAddress else { return }
        // zlib's interface takes a mutable pointer and does not write through it.
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: start.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(clamping: bytes.count)
        defer {
            stream.pointee.next_in = nil
            stream.pointee.avail_in = 0
        }
        try withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 1) { room in
            while true {
                if hasEnded {
                    // Another member may follow; bytes that are not a member are padding and are
                    // skipped.
                    guard !isRaw, stream.pointee.avail_in > 0,
                        stream.pointee.next_in.pointee == 0x1F
                    else { return }
                    inflateReset(stream)
                    hasEnded = false
                }
                guard let base = room.baseAddress else { return }
                stream.pointee.next_out = base.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_out = UInt32(room.count)
                var result = inflate(stream, Z_NO_FLUSH)
                if result == Z_DATA_ERROR, mayBeRaw, !hasBegun {
                    result = try beginRaw(start, bytes.count)
                }
                hasBegun = true
                let count = room.count - Int(stream.pointee.avail_out)
                produced += count
                guard produced <= outputLimit else {
                    throw Fault(
                        description: "the decoded body is longer than \(outputLimit) bytes")
                }
                if count > 0 { try take(UnsafeRawBufferPointer(rebasing: room[..<count])) }
                switch result {
                case Z_OK: break
                case Z_STREAM_END: hasEnded = true
                case Z_BUF_ERROR: return
                default: throw Fault(description: "the compressed body is damaged")
                }
                if !hasEnded, stream.pointee.avail_in == 0, stream.pointee.avail_out > 0 { return }
            }
        }
    }

    /// Reads the bytes of a 'deflate' body once more without zlib's header, because they have none.
    private func beginRaw(_ start: UnsafeRawPointer, _ count: Int) throws -> Int32 {
        let room = (stream.pointee.next_out, stream.pointee.avail_out)
        inflateEnd(stream)
        stream.pointee = z_stream()
        guard Self.begin(stream, windowBits: -15) else {
            throw Fault(description: "zlib has no memory for a decoder")
        }
        isRaw = true
        mayBeRaw = false
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: start.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(clamping: count)
        (stream.pointee.next_out, stream.pointee.avail_out) = room
        return inflate(stream, Z_NO_FLUSH)
    }

    /// Decodes a whole body.
    /// - Parameter codings: The value of Content-Encoding; several codings are undone from the last
    ///   one.
    /// - Throws: `Fault`, also if the body ends early.
    public static func whole(
        _ body: [UInt8], codings: String, limit: Int
    ) throws -> [UInt8] {
        var body = body
        let names = codings.split(separator: ",").map {
            String($0.filter { $0 != " " && $0 != "\t" })
        }
        guard names.count <= 4 else { throw Fault(description: "the body is coded over 4 times") }
        for name in names.reversed() where !isIdentity(name) {
            let decoder = try ContentDecoder(coding: name, outputLimit: limit)
            var output: [UInt8] = []
            try body.withUnsafeBytes { bytes in try decoder.decode(bytes) { output += $0 } }
            guard decoder.isComplete || body.isEmpty else {
                throw Fault(description: "the compressed body ends before its end")
            }
            body = output
        }
        return body
    }
}
