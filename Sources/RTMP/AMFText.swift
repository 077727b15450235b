import NIOCore

extension ByteBuffer {
    /// The next `length` bytes as text.
    ///
    /// Where they are not UTF-8, each byte above 0x7F is read as a question mark: a replacement
    /// character for each would make the text three times as long as what was sent.
    mutating func readText(length: Int) -> String? {
        guard let bytes = readSlice(length: length)?.readableBytesView else { return nil }
        return String(validating: bytes, as: UTF8.self)
            ?? String(decoding: bytes.map { $0 < 0x80 ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
