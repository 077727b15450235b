import NIOCore
import SimulationKernel
import Testing

@testable import Media

/// A publisher's configuration goes into containers as it arrived.
@Suite struct ConfigurationTests {
    private static func record() throws -> AVCDecoderConfigurationRecord {
        let spec = SyntheticSpec(
            width: 320, height: 240, framesPerSecond: 10, gopFrames: 10,
            totalBitrate: Bitrate(kilobitsPerSecond: 300))
        var header = try #require(try SyntheticSource(spec: spec).videoSequenceHeader)
        header.moveReaderIndex(forwardBy: 5)
        return try AVCDecoderConfigurationRecord(parsing: header)
    }

    private static let configurations: [(name: String, bytes: [UInt8], core: Int, rate: Int)] = [
        ("LC, 44.1 kHz", [0x12, 0x10], 2, 44_100),
        ("HE-AAC, explicit", [0x2B, 0x8A, 0x08, 0x00], 2, 22_050),
        ("HE-AACv2, explicit", [0xEB, 0x8A, 0x08, 0x00], 2, 22_050),
        ("HE-AAC, implicit with sync extension", [0x13, 0x90, 0x56, 0xE5, 0xA0], 2, 22_050),
        ("Main", [0x0A, 0x10], 1, 44_100),
        ("LTP", [0x22, 0x10], 4, 44_100),
    ]

    @Test(arguments: configurations.indices) func coreOfTheConfiguration(index: Int) throws {
        let (name, bytes, core, rate) = Self.configurations[index]
        let config = try AudioSpecificConfig(parsing: ByteBuffer(bytes: bytes))
        #expect(config.coreObjectType == core && config.sampleRate == rate, "\(name)")
        #expect(Array(config.encoded().readableBytesView) == bytes)
        let header = try ADTSHeader(config: config, payloadLength: 100)
        #expect(header.objectType == core && header.sampleRate == rate)
        let written = try #require(ADTSHeader.parse(header.encoded()))
        #expect(written.objectType == core && written.sampleRate == rate)
    }

    /// The cases are xHE-AAC, AAC-LD and ELD, 960 samples per frame, and a channel configuration
    /// that the stream itself states.
    @Test(
        arguments: [
            [0xF9, 0x4E, 0x40], [0xBA, 0x10], [0xF8, 0xE8, 0x50, 0x00], [0x12, 0x14], [0x12, 0x00],
            [0x17, 0x80, 0x18, 0x1C, 0x80],
        ] as [[UInt8]])
    func whatADTSCannotSayIsAnError(bytes: [UInt8]) throws {
        let config = try AudioSpecificConfig(parsing: ByteBuffer(bytes: bytes))
        #expect(throws: MediaError.self) { try ADTSHeader(config: config, payloadLength: 1) }
        let muxer = try FragmentedMP4Muxer(tracks: MediaTracks(audio: config))
        let reader = try FragmentedMP4Reader(initializationSegment: muxer.initializationSegment)
        #expect(reader.tracks.first?.audio == config)
    }

    /// Any bytes that are a valid configuration are in the file, unchanged, however long they are.
    @Test(arguments: 0..<100 as Range<UInt64>) func anyBytesPassUnchanged(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let whole = try Self.record()
        for _ in 0..<20 {
            let length =
                [2, 3, 5, 9, 40, 100, 127, 128, 200, 5_000].randomElement(using: &random) ?? 2
            var bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            if Bool.random(using: &random) { bytes[0] = [0x12, 0x2B, 0xEB, 0x13][Int(seed % 4)] }
            guard let config = try? AudioSpecificConfig(parsing: ByteBuffer(bytes: bytes)) else {
                continue
            }
            var picture = whole
            if Bool.random(using: &random) {
                // One record has bytes behind it, and the sets of the other cannot be read.
                var record = picture.bytes
                record.writeBytes(bytes)
                if seed % 3 == 0 { record.setInteger(UInt8(0xFF), at: record.readerIndex + 9) }
                picture = try AVCDecoderConfigurationRecord(parsing: record)
                #expect(picture.bytes == record)
            }
            let tracks = MediaTracks(video: picture, audio: config)
            let file = try FragmentedMP4Muxer(tracks: tracks).initializationSegment
            let reader = try FragmentedMP4Reader(initializationSegment: file)
            #expect(reader.tracks.count == 2, "seed \(seed)")
            #expect(reader.tracks.first?.video?.bytes == picture.bytes, "seed \(seed)")
            #expect(reader.tracks.last?.audio?.bytes == config.bytes, "seed \(seed)")
            if let header = try? ADTSHeader(config: config, payloadLength: 10) {
                #expect(header.objectType == config.coreObjectType)
                #expect(header.sampleRate == config.sampleRate)
            }
        }
    }
}
