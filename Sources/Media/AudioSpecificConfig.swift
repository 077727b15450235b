public import NIOCore

/// AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1): the body of an AAC sequence header.
public struct AudioSpecificConfig: Hashable, Sendable {
    /// Sampling frequencies by samplingFrequencyIndex (table 1.18), in Hz.
    public static let sampleRates = [
        96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
    ]

    /// audioObjectType, 1…95; 2 is AAC-LC, and 5 (SBR) and 29 (PS) appear if they are signalled
    /// explicitly.
    public let objectType: Int
    /// Object type of the frames without SBR and PS. A container that does not know SBR and PS
    /// states this type.
    public let coreObjectType: Int
    /// Sampling rate in Hz, without SBR.
    public let sampleRate: Int
    /// channelConfiguration, 0…15; 0 means that the stream itself states the channels.
    public let channelConfiguration: Int
    /// Samples in a frame: 1024, or 960 with frameLengthFlag.
    public let samplesPerFrame: Int
    /// Whether dependsOnCoreCoder or extensionFlag is set.
    public let isScalable: Bool
    /// Bytes of the configuration as it arrived. Containers get these bytes; the configuration is
    /// never written anew from the fields that were understood.
    public let bytes: ByteBuffer

    public init(
        objectType: Int = 2, sampleRate: Int, channelConfiguration: Int,
        samplesPerFrame: Int = 1024
    ) {
        self.objectType = objectType
        coreObjectType = objectType
        self.sampleRate = sampleRate
        self.channelConfiguration = channelConfiguration
        self.samplesPerFrame = samplesPerFrame
        isScalable = false
        bytes = Self.encoded(
            objectType: objectType, sampleRate: sampleRate,
            channelConfiguration: channelConfiguration, samplesPerFrame: samplesPerFrame)
    }

    /// Reads the first fields; `bytes` keeps the rest too.
    /// - Throws: `MediaError`: `.truncated` or `.invalidValue`.
    public init(parsing config: ByteBuffer) throws {
        bytes = config.slice()
        var reader = BitReader(Array(config.readableBytesView.prefix(64)))
        let signalled = try Self.objectType(&reader)
        guard signalled > 0 else {
            throw MediaError(.invalidValue, "audioObjectType 0 is not an object type")
        }
        objectType = signalled
        sampleRate = try Self.rate(&reader)
        channelConfiguration = Int(try reader.bits(4))
        var core = signalled
        if signalled == 5 || signalled == 29 {
            // The signalling is explicit: the rate with SBR comes first, then the object type
            // without it.
            _ = try Self.rate(&reader)
            core = try Self.objectType(&reader)
            if core == 22 { try reader.skip(4) }
        }
        coreObjectType = core
        let isGeneralAudio = [1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23].contains(core)
        samplesPerFrame =
            isGeneralAudio && reader.remainingBits > 0 ? (try reader.flag() ? 960 : 1024) : 1024
        isScalable =
            isGeneralAudio && reader.remainingBits >= 2 ? try reader.bits(2) != 0 : false
    }

    private static func objectType(_ reader: inout BitReader) throws -> Int {
        let short = Int(try reader.bits(5))
        return short == 31 ? 32 + Int(try reader.bits(6)) : short
    }

    private static func rate(_ reader: inout BitReader) throws -> Int {
        let index = Int(try reader.bits(4))
        let rate: Int
        switch index {
        case 15: rate = Int(try reader.bits(24))
        case sampleRates.indices: rate = sampleRates[index]
        default: throw MediaError(.invalidValue, "samplingFrequencyIndex \(index) is reserved")
        }
        guard rate > 0 else { throw MediaError(.invalidValue, "a sampling rate of 0 Hz") }
        return rate
    }

    /// Encodes a configuration that is made here: two bytes for rates of the table, five for
    /// others.
    private static func encoded(
        objectType: Int, sampleRate: Int, channelConfiguration: Int, samplesPerFrame: Int
    ) -> ByteBuffer {
        var writer = BitWriter()
        if objectType > 30 {
            writer.bits(31, 5)
            writer.bits(UInt32(truncatingIfNeeded: objectType - 32), 6)
        } else {
            writer.bits(UInt32(truncatingIfNeeded: objectType), 5)
        }
        if let index = sampleRates.firstIndex(of: sampleRate) {
            writer.bits(UInt32(index), 4)
        } else {
            writer.bits(15, 4)
            writer.bits(UInt32(truncatingIfNeeded: sampleRate), 24)
        }
        writer.bits(UInt32(truncatingIfNeeded: channelConfiguration), 4)
        writer.flag(samplesPerFrame == 960)
        writer.bits(0, 2)  // dependsOnCoreCoder, extensionFlag
        writer.align()
        return ByteBuffer(bytes: writer.bytes)
    }

    /// Bytes of the configuration, as it arrived.
    public func encoded() -> ByteBuffer { bytes }
}
