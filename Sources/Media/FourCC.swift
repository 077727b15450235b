/// A codec's four-character code as Enhanced RTMP writes it.
public struct FourCC: Hashable, Sendable, CustomStringConvertible {
    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// - Precondition: `text` is four ASCII characters.
    public init(_ text: StaticString) {
        precondition(text.utf8CodeUnitCount == 4, "a FourCC has four characters")
        rawValue = text.withUTF8Buffer { $0.reduce(0) { $0 << 8 | UInt32($1) } }
    }

    public static let avc = FourCC("avc1")
    public static let hevc = FourCC("hvc1")
    public static let vvc = FourCC("vvc1")
    public static let av1 = FourCC("av01")
    public static let vp9 = FourCC("vp09")
    public static let vp8 = FourCC("vp08")
    public static let aac = FourCC("mp4a")
    public static let opus = FourCC("Opus")
    public static let ac3 = FourCC("ac-3")
    public static let eac3 = FourCC("ec-3")
    public static let mp3 = FourCC(".mp3")
    public static let flac = FourCC("fLaC")

    /// The four characters; a character that is not printable ASCII becomes `?`.
    public var description: String {
        let bytes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: rawValue >> $0) }
        return String(
            decoding: bytes.map { (0x20..<0x7F).contains($0) ? $0 : 0x3F }, as: UTF8.self)
    }
}
