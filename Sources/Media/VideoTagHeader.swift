public import NIOCore

/// The header of a video message or FLV video tag: the legacy VideoTagHeader (FLV 10.1, E.4.3.1)
/// or Enhanced RTMP's ExVideoTagHeader (Enhanced RTMP v2, "Enhanced Video").
public struct VideoTagHeader: Hashable, Sendable {
    public enum FrameType: UInt8, Hashable, Sendable {
        case key = 1
        case inter = 2
        case disposableInter = 3
        case generatedKey = 4
        /// A seek or another command for the player; there is no coded data.
        case command = 5
    }

    public enum Codec: Hashable, Sendable {
        /// CodecID; 7 is AVC and 12 the widespread private number of HEVC.
        case legacy(UInt8)
        case fourCC(FourCC)

        public var isAVC: Bool { self == .legacy(7) || self == .fourCC(.avc) }
        public var isHEVC: Bool { self == .legacy(12) || self == .fourCC(.hevc) }
    }

    /// VideoPacketType; the legacy AVCPacketType values 0, 1 and 2 have the same meaning.
    public enum PacketType: UInt8, Hashable, Sendable {
        case sequenceStart = 0
        case codedFrames = 1
        case sequenceEnd = 2
        /// Coded frames with a composition time of zero, which is not written.
        case codedFramesX = 3
        case metadata = 4
        case mpeg2TSSequenceStart = 5
        /// The message holds several tracks; their list follows `headerLength`.
        case multitrack = 6
    }

    public var frameType: FrameType
    public var codec: Codec
    public var packetType: PacketType
    /// Presentation minus decode time in milliseconds, −2^23…2^23−1.
    public var compositionTime: Int32
    /// Number of bytes before the codec's own data.
    public var headerLength: Int
    public var isEnhanced: Bool
    /// Number of the track that the message belongs to. The main track has number 0, and messages
    /// do not name it.
    public var trackID: UInt8 = 0
    /// Packet type of the parts of a message with several tracks; nil if the message has one track.
    public var partType: PacketType?

    public var isKeyFrame: Bool {
        (frameType == .key || frameType == .generatedKey) && hasCodedFrames
    }

    public var isSequenceHeader: Bool {
        let type = partType ?? packetType
        return (type == .sequenceStart || type == .mpeg2TSSequenceStart) && frameType != .command
    }

    public var isDisposable: Bool { frameType == .disposableInter }

    /// Whether the message carries a coded frame, and not a configuration, an end mark or a
    /// command.
    public var hasCodedFrames: Bool {
        guard frameType != .command else { return false }
        switch partType ?? packetType {
        case .codedFrames, .codedFramesX, .multitrack: return true
        case .sequenceStart, .sequenceEnd, .metadata, .mpeg2TSSequenceStart: return false
        }
    }

    /// Reads the header at the reader index without consuming it. Returns `nil` if the header is
    /// cut off or holds a reserved value.
    public static func parse(_ payload: ByteBuffer) -> VideoTagHeader? {
        payload.withUnsafeReadableBytes { parse($0) }
    }

    /// Does the same on raw bytes.
    public static func parse(_ bytes: UnsafeRawBufferPointer) -> VideoTagHeader? {
        guard let first = bytes.first, let frameType = FrameType(rawValue: first >> 4 & 0x7)
        else { return nil }
        if first & 0x80 != 0 {
            return parseEnhanced(bytes, frameType: frameType, packetType: first & 0x0F)
        }
        let codecID = first & 0x0F
        var header = VideoTagHeader(
            frameType: frameType, codec: .legacy(codecID), packetType: .codedFrames,
            compositionTime: 0, headerLength: 1, isEnhanced: false)
        guard codecID == 7 || codecID == 12, frameType != .command else { return header }
        guard bytes.count >= 5, bytes[1] <= 2, let type = PacketType(rawValue: bytes[1])
        else { return nil }
        header.packetType = type
        header.compositionTime = type == .codedFrames ? signed24(bytes, at: 2) : 0
        header.headerLength = 5
        return header
    }

    private static func parseEnhanced(
        _ bytes: UnsafeRawBufferPointer, frameType: FrameType, packetType rawType: UInt8
    ) -> VideoTagHeader? {
        var fields = EnhancedHeaderCursor(bytes: bytes, packetType: rawType)
        guard fields.skipModifiers(marker: 7) else { return nil }
        guard var packetType = PacketType(rawValue: fields.packetType) else { return nil }
        var header = VideoTagHeader(
            frameType: frameType, codec: .fourCC(FourCC(rawValue: 0)), packetType: packetType,
            compositionTime: 0, headerLength: 0, isEnhanced: true)
        if frameType == .command, packetType != .metadata {
            guard fields.byte() != nil else { return nil }
            header.headerLength = fields.offset
            return header
        }
        if packetType == .multitrack {
            guard let layout = fields.multitrack() else { return nil }
            if layout.hasFourCC {
                guard let fourCC = fields.fourCC() else { return nil }
                header.codec = .fourCC(fourCC)
            }
            guard let type = PacketType(rawValue: fields.packetType), type != .multitrack
            else { return nil }
            guard layout.isSingle else {
                header.partType = type
                header.headerLength = fields.offset
                return header
            }
            guard let track = fields.byte() else { return nil }
            header.trackID = track
            packetType = type
            header.packetType = type
        } else {
            guard let fourCC = fields.fourCC() else { return nil }
            header.codec = .fourCC(fourCC)
        }
        let carriesTime: [Codec] = [.fourCC(.avc), .fourCC(.hevc), .fourCC(.vvc)]
        if packetType == .codedFrames, carriesTime.contains(header.codec) {
            guard bytes.count >= fields.offset + 3 else { return nil }
            header.compositionTime = signed24(bytes, at: fields.offset)
            fields.offset += 3
        }
        header.headerLength = fields.offset
        return header
    }

    private static func signed24(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int32 {
        let bits =
            UInt32(bytes[offset]) << 24 | UInt32(bytes[offset + 1]) << 16
            | UInt32(bytes[offset + 2]) << 8
        return Int32(bitPattern: bits) >> 8
    }
}
