import CZlib

/// Undoes an HTTP content coding (RFC 9110, 8.4.1) or a compressed file, a piece at a time.
///
/// `gzip`, `x-gzip` and `deflate` are understood; `deflate` in both its forms (RFC 1950, and the
/// bare RFC 1951 that many servers send). Members of a gzip stream may follow one another.
/// The decoder never holds more than one piece of output, and stops at `outputLimit`.
public final class ContentDecoder {
    /// Why a coded body cannot be read.
    public struct Fault: Error, Hashable, CustomStringConvertible {
        public var description: String
    }

    /// The codings that a client may offer in Accept-Encoding.
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

    /// Whether the coded stream has come to its own end.
    public var isComplete: Bool { hasEnded }

    /// - Parameters:
    ///   - coding: a value of Content-Encoding, in any case.
    ///   - outputLimit: bytes of output at most.
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
        // 15 bits of window; 32 more: zlib or gzip, whichever the bytes say.
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

    /// Decodes `bytes` and hands on what comes out, in pieces of 64 KiB at most.
    ///
    /// - Throws: `Fault` for bytes that are not of the coding, and beyond `outputLimit`; nothing
    ///   can be decoded afterwards. What `take` throws is passed on.
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
                    // Another member may follow; bytes that are none (padding) are passed over.
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

    /// The bytes of a 'deflate' body are not zlib's: they are read once more without its header.
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

    /// A whole body decoded.
    /// - Parameter codings: the value of Content-Encoding; several are undone from the last.
    /// - Throws: `Fault` also for a body that ends early.
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
