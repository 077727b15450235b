public import NIOCore

/// The header of an audio message or FLV audio tag: the legacy AudioTagHeader (FLV 10.1, E.4.2.1)
/// or Enhanced RTMP's ExAudioTagHeader (sound format 9).
public struct AudioTagHeader: Hashable, Sendable {
    public enum Codec: Hashable, Sendable {
        /// SoundFormat; 10 is AAC.
        case legacy(UInt8)
        case fourCC(FourCC)

        public var isAAC: Bool { self == .legacy(10) || self == .fourCC(.aac) }
    }

    /// AudioPacketType; the legacy AACPacketType values 0 and 1 have the same meaning.
    public enum PacketType: UInt8, Hashable, Sendable {
        case sequenceStart = 0
        case codedFrames = 1
        case sequenceEnd = 2
        case multichannelConfig = 4
        /// The message holds several tracks; their list follows `headerLength`.
        case multitrack = 5
    }

    public var codec: Codec
    public var packetType: PacketType
    /// Number of bytes before the codec's own data.
    public var headerLength: Int
    public var isEnhanced: Bool
    /// SoundRate: 0…3 for 5.5, 11, 22 and 44.1 kHz; always 3 for AAC; 0 for an enhanced header.
    public var soundRate: UInt8
    /// SoundSize: whether samples have 16 bits; it means nothing for compressed formats.
    public var is16Bit: Bool
    /// SoundType: whether the sound is stereo; always set for AAC.
    public var isStereo: Bool
    /// Number of the track that the message belongs to. The main track has number 0, and messages
    /// do not name it.
    public var trackID: UInt8 = 0
    /// Packet type of the parts of a message with several tracks; nil if the message has one track.
    public var partType: PacketType?

    public var isSequenceHeader: Bool { (partType ?? packetType) == .sequenceStart }

    public var hasCodedFrames: Bool { (partType ?? packetType) == .codedFrames }

    /// Reads the header at the reader index without consuming it. Returns `nil` if the header is
    /// cut off or holds a reserved value.
    public static func parse(_ payload: ByteBuffer) -> AudioTagHeader? {
        payload.withUnsafeReadableBytes { parse($0) }
    }

    /// Does the same on raw bytes.
    public static func parse(_ bytes: UnsafeRawBufferPointer) -> AudioTagHeader? {
        guard let first = bytes.first else { return nil }
        let format = first >> 4
        if format == 9 { return parseEnhanced(bytes, packetType: first & 0x0F) }
        var header = AudioTagHeader(
            codec: .legacy(format), packetType: .codedFrames, headerLength: 1, isEnhanced: false,
            soundRate: first >> 2 & 0x3, is16Bit: first & 0x2 != 0, isStereo: first & 0x1 != 0)
        guard format == 10 else { return header }
        guard bytes.count >= 2, bytes[1] <= 1, let type = PacketType(rawValue: bytes[1])
        else { return nil }
        header.packetType = type
        header.headerLength = 2
        return header
    }

    private static func parseEnhanced(
        _ bytes: UnsafeRawBufferPointer, packetType rawType: UInt8
    ) -> AudioTagHeader? {
        var fields = EnhancedHeaderCursor(bytes: bytes, packetType: rawType)
        guard fields.skipModifiers(marker: 7) else { return nil }
        guard let packetType = PacketType(rawValue: fields.packetType) else { return nil }
        var header = AudioTagHeader(
            codec: .fourCC(FourCC(rawValue: 0)), packetType: packetType, headerLength: 0,
            isEnhanced: true, soundRate: 0, is16Bit: true, isStereo: true)
        if packetType == .multitrack {
            guard let layout = fields.multitrack() else { return nil }
            if layout.hasFourCC {
                guard let fourCC = fields.fourCC() else { return nil }
                header.codec = .fourCC(fourCC)
            }
            guard let type = PacketType(rawValue: fields.packetType), type != .multitrack
            else { return nil }
            if layout.isSingle {
                guard let track = fields.byte() else { return nil }
                header.trackID = track
                header.packetType = type
            } else {
                header.partType = type
            }
        } else {
            guard let fourCC = fields.fourCC() else { return nil }
            header.codec = .fourCC(fourCC)
        }
        header.headerLength = fields.offset
        return header
    }
}
