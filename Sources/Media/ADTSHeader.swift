public import NIOCore

/// The header of an ADTS frame with one raw data block (ISO/IEC 13818-7, 6.2).
public struct ADTSHeader: Hashable, Sendable {
    /// audioObjectType 1…4; 2 is AAC-LC.
    public var objectType: Int
    /// Index into `AudioSpecificConfig.sampleRates`, 0…12.
    public var samplingFrequencyIndex: Int
    /// channel_configuration, 0…7.
    public var channelConfiguration: Int
    /// Bytes of the header and its frame, 7…8191.
    public var frameLength: Int
    /// Length of the header: 9 bytes with a CRC, else 7.
    public var headerLength: Int

    /// Sampling rate in Hz.
    public var sampleRate: Int { AudioSpecificConfig.sampleRates[samplingFrequencyIndex] }

    /// Makes the header of a frame without CRC. The header has no fields for SBR and PS: it
    /// describes the frames without them, as decoders expect (implicit signalling).
    /// - Throws: `MediaError`: `.unsupported` if ADTS has no code for the configuration,
    ///   `.tooLarge` if the frame does not fit.
    public init(config: AudioSpecificConfig, payloadLength: Int) throws {
        let index = AudioSpecificConfig.sampleRates.firstIndex(of: config.sampleRate)
        guard let index, (1...4).contains(config.coreObjectType),
            (1...7).contains(config.channelConfiguration), config.samplesPerFrame == 1024,
            !config.isScalable
        else {
            throw MediaError(
                .unsupported,
                "ADTS, which transport streams carry, cannot say audio object type \(config.coreObjectType) at \(config.sampleRate) Hz with channel configuration \(config.channelConfiguration) and \(config.samplesPerFrame) samples a frame; fragmented MP4 can"
            )
        }
        guard (0...8184).contains(payloadLength) else {
            throw MediaError(.tooLarge, "an ADTS frame holds at most 8184 bytes of payload")
        }
        objectType = config.coreObjectType
        samplingFrequencyIndex = index
        channelConfiguration = config.channelConfiguration
        frameLength = payloadLength + 7
        headerLength = 7
    }

    /// Reads the header at the reader index without consuming it. Returns `nil` if the header is
    /// cut off, has no syncword or holds a reserved value.
    public static func parse(_ bytes: ByteBuffer) -> ADTSHeader? {
        guard let b = bytes.getBytes(at: bytes.readerIndex, length: 7),
            b[0] == 0xFF, b[1] & 0xF6 == 0xF0
        else { return nil }
        let index = Int(b[2] >> 2 & 0xF)
        guard AudioSpecificConfig.sampleRates.indices.contains(index) else { return nil }
        let headerLength = b[1] & 1 == 1 ? 7 : 9
        let length = Int(b[3] & 0x3) << 11 | Int(b[4]) << 3 | Int(b[5] >> 5)
        guard length >= headerLength else { return nil }
        return ADTSHeader(
            objectType: Int(b[2] >> 6) + 1, samplingFrequencyIndex: index,
            channelConfiguration: Int(b[2] & 1) << 2 | Int(b[3] >> 6), frameLength: length,
            headerLength: headerLength)
    }

    private init(
        objectType: Int, samplingFrequencyIndex: Int, channelConfiguration: Int, frameLength: Int,
        headerLength: Int
    ) {
        self.objectType = objectType
        self.samplingFrequencyIndex = samplingFrequencyIndex
        self.channelConfiguration = channelConfiguration
        self.frameLength = frameLength
        self.headerLength = headerLength
    }

    /// Seven bytes of a header without CRC, for MPEG-4 and with variable buffer fullness.
    public func encoded() -> ByteBuffer {
        var writer = BitWriter()
        writer.bits(0xFFF1, 16)
        writer.bits(UInt32(objectType - 1), 2)
        writer.bits(UInt32(samplingFrequencyIndex), 4)
        writer.bits(0, 1)
        writer.bits(UInt32(channelConfiguration), 3)
        writer.bits(0, 4)
        writer.bits(UInt32(frameLength - headerLength + 7), 13)
        writer.bits(0x7FF, 11)
        writer.bits(0, 2)
        return ByteBuffer(bytes: writer.bytes)
    }
}
