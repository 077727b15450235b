import NIOCore

extension ByteBuffer {
    /// Reads the next `length` bytes as text.
    ///
    /// If the bytes are not UTF-8, each byte above 0x7F is read as a question mark. A replacement
    /// character for each byte would make the text three times as long as what was sent.
    mutating func readText(length: Int) -> String? {
        guard let bytes = readSlice(length: length)?.readableBytesView else { return nil }
        return String(validating: bytes, as: UTF8.self)
            ?? String(decoding: bytes.map { $0 < 0x80 ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
