import HTTPWire

/// Reads a capture file that may be gzip-compressed: it takes bytes and returns packets, however
/// the bytes are split.
///
/// The reader holds one packet and 64 KiB of decompressed bytes, however much a compressed byte
/// expands to.
public final class CaptureFileReader {
    private enum Mode {
        /// The bytes are too few to determine the format.
        case unknown([UInt8])
        case plain
        case gzip(ContentDecoder)
    }

    private var reader = PcapReader()
    private var mode = Mode.unknown([])
    private var consumed = 0
    private var failure: CaptureError?

    public init() {}

    /// Number of packets that the capturing program reports as dropped.
    public var droppedPackets: Int? { reader.droppedPackets }
    public var interfaceNames: [UInt32: String] { reader.interfaceNames }

    /// Reads the next bytes of the file and hands on each packet that they complete; the packet's
    /// bytes are valid only during the call.
    /// - Throws: `.format` if the bytes make no sense; nothing can be read afterwards.
    public func read(
        _ bytes: UnsafeRawBufferPointer,
        _ body: (PcapReader.Packet, UnsafeRawBufferPointer) -> Void
    ) throws(CaptureError) {
        if let failure { throw failure }
        do throws(CaptureError) {
            switch mode {
            case .unknown(let before):
                let start = before + bytes
                guard start.count >= 2 else {
                    mode = .unknown(start)
                    return
                }
                mode = start.starts(with: [0x1F, 0x8B]) ? .gzip(try Self.decoder()) : .plain
                let taken = start
                try taken.withUnsafeBytesOrThrow { bytes throws(CaptureError) in
                    try take(bytes, body)
                }
            case .plain, .gzip: try take(bytes, body)
            }
        } catch {
            failure = error
            throw error
        }
    }

    private static func decoder() throws(CaptureError) -> ContentDecoder {
        do throws(ContentDecoder.Fault) {
            return try ContentDecoder(coding: "gzip", outputLimit: .max)
        } catch {
            throw CaptureError(.format, "the gzip-compressed file cannot be read: \(error)")
        }
    }

    private func take(
        _ bytes: UnsafeRawBufferPointer,
        _ body: (PcapReader.Packet, UnsafeRawBufferPointer) -> Void
    ) throws(CaptureError) {
        consumed += bytes.count
        guard case .gzip(let decoder) = mode else { return try pass(bytes, body) }
        do {
            try decoder.decode(bytes) { try pass($0, body) }
        } catch let error as CaptureError {
            throw error
        } catch {
            throw CaptureError(
                .truncated,
                "the gzip-compressed file is damaged before its byte \(consumed): copy it again")
        }
    }

    private func pass(
        _ bytes: UnsafeRawBufferPointer,
        _ body: (PcapReader.Packet, UnsafeRawBufferPointer) -> Void
    ) throws(CaptureError) {
        reader.append(bytes)
        while try reader.next(body) {}
    }

    /// Ends the file.
    /// - Throws: `.truncated` inside a packet or the compressed stream, `.format` if no file header
    ///   came.
    public func finish() throws(CaptureError) {
        if let failure { throw failure }
        switch mode {
        case .unknown(let start): start.withUnsafeBytes { reader.append($0) }
        case .gzip(let decoder) where !decoder.isComplete:
            throw CaptureError(
                .truncated,
                "the gzip-compressed file is cut off at byte \(consumed): copy it again")
        case .gzip, .plain: break
        }
        try reader.finish()
    }
}

extension [UInt8] {
    /// Variant of `withUnsafeBytes` for bodies that throw errors of one type.
    fileprivate func withUnsafeBytesOrThrow(
        _ body: (UnsafeRawBufferPointer) throws(CaptureError) -> Void
    ) throws(CaptureError) {
        var failure: CaptureError?
        withUnsafeBytes { bytes in
            do throws(CaptureError) { try body(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
