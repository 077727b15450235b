import Media

/// One audio or video message as seen on the wire.
struct MediaMessage {
    var isVideo: Bool
    /// Timestamp in milliseconds, which wraps.
    var timestamp: UInt32
    var messageStreamID: UInt32 = 0
    var length: Int
    /// Hash of the whole payload without timestamps, because a server may rebase those.
    var hash: UInt64
    /// Whether the message carries no coded frame: it is a sequence header or end, which servers
    /// repeat at will.
    var isConfiguration: Bool
    /// Capture time of the last byte, in ns since 1970.
    var time: Int64 = 0
    var stamp: FrameStamp?
}

/// Collects one message from pieces of its payload, and keeps only the beginning.
struct MessageAssembly {
    /// Number of bytes that hold the tag header and the NAL units before the first slice.
    static let mediaPrefixLimit = 1024

    private(set) var prefix: [UInt8] = []
    private(set) var length = 0
    /// Whether a part is missing, so that neither hash nor contents mean anything.
    var isSpoiled = false
    private var hash = ContentHash()
    private var prefixLimit = 0

    mutating func begin(prefixLimit: Int) {
        prefix.removeAll(keepingCapacity: prefix.capacity <= 2 * Self.mediaPrefixLimit)
        length = 0
        isSpoiled = false
        hash = ContentHash()
        self.prefixLimit = prefixLimit
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if prefix.count < prefixLimit {
            prefix.append(contentsOf: bytes.upTo(prefixLimit - prefix.count))
        }
        length += bytes.count
        hash.update(bytes)
    }

    /// Whether everything was kept, so that the contents can be parsed.
    var isWhole: Bool { prefix.count == length && !isSpoiled }

    /// Returns the finished message; nil if a part of it is missing.
    /// - Parameter nalUnitLengthSize: Length size, which an AVC sequence header updates.
    func message(
        isVideo: Bool, timestamp: UInt32, nalUnitLengthSize: inout Int, wantsStamp: Bool
    ) -> MediaMessage? {
        guard !isSpoiled else { return nil }
        var message = MediaMessage(
            isVideo: isVideo, timestamp: timestamp, length: length,
            hash: hash.value(kind: isVideo ? 9 : 8), isConfiguration: length == 0)
        prefix.withUnsafeBytes { bytes in
            if isVideo, let header = VideoTagHeader.parse(bytes) {
                message.isConfiguration = !header.hasCodedFrames
                let sizeOffset = header.headerLength + 4
                if header.isSequenceHeader, header.codec.isAVC, sizeOffset < bytes.count {
                    nalUnitLengthSize = Int(bytes[sizeOffset] & 3) + 1
                }
                if wantsStamp, header.hasCodedFrames {
                    message.stamp = FrameStamp.find(
                        inVideoPayload: bytes, nalUnitLengthSize: nalUnitLengthSize)
                }
            } else if !isVideo, let header = AudioTagHeader.parse(bytes) {
                message.isConfiguration = !header.hasCodedFrames
            }
        }
        return message
    }
}
