public import NIOCore

/// AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1): the body of an AAC sequence header.
public struct AudioSpecificConfig: Hashable, Sendable {
    /// Sampling frequencies by samplingFrequencyIndex (table 1.18), in Hz.
    public static let sampleRates = [
        96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
    ]

    /// audioObjectType, 1…95; 2 is AAC-LC.
    public var objectType: Int
    /// Hz.
    public var sampleRate: Int
    /// channelConfiguration, 0…15; 0 means that the stream says it itself.
    public var channelConfiguration: Int
    /// Samples a frame: 1024, or 960 with frameLengthFlag.
    public var samplesPerFrame: Int

    public init(
        objectType: Int = 2, sampleRate: Int, channelConfiguration: Int,
        samplesPerFrame: Int = 1024
    ) {
        self.objectType = objectType
        self.sampleRate = sampleRate
        self.channelConfiguration = channelConfiguration
        self.samplesPerFrame = samplesPerFrame
    }

    /// Reads the first fields; extensions after them (SBR, PS) are passed over.
    /// - Throws: `MediaError`: `.truncated` or `.invalidValue`.
    public init(parsing config: ByteBuffer) throws {
        var reader = BitReader(Array(config.readableBytesView.prefix(64)))
        objectType = Int(try reader.bits(5))
        if objectType == 31 { objectType = 32 + Int(try reader.bits(6)) }
        guard objectType > 0 else {
            throw MediaError(.invalidValue, "audioObjectType 0 is not an object type")
        }
        let index = Int(try reader.bits(4))
        switch index {
        case 15: sampleRate = Int(try reader.bits(24))
        case Self.sampleRates.indices: sampleRate = Self.sampleRates[index]
        default: throw MediaError(.invalidValue, "samplingFrequencyIndex \(index) is reserved")
        }
        guard sampleRate > 0 else { throw MediaError(.invalidValue, "a sampling rate of 0 Hz") }
        channelConfiguration = Int(try reader.bits(4))
        let isGeneralAudio = [1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23].contains(objectType)
        samplesPerFrame = 1024
        if isGeneralAudio, reader.remainingBits > 0, try reader.flag() { samplesPerFrame = 960 }
    }

    /// The configuration's bytes: two for rates of the table, five for others.
    public func encoded() -> ByteBuffer {
        var writer = BitWriter()
        if objectType > 30 {
            writer.bits(31, 5)
            writer.bits(UInt32(objectType - 32), 6)
        } else {
            writer.bits(UInt32(objectType), 5)
        }
        if let index = Self.sampleRates.firstIndex(of: sampleRate) {
            writer.bits(UInt32(index), 4)
        } else {
            writer.bits(15, 4)
            writer.bits(UInt32(sampleRate), 24)
        }
        writer.bits(UInt32(channelConfiguration), 4)
        writer.flag(samplesPerFrame == 960)
        writer.bits(0, 2)  // dependsOnCoreCoder, extensionFlag
        writer.align()
        return ByteBuffer(bytes: writer.bytes)
    }
}
