import Media
import NIOCore
import Testing

@Suite struct AACTests {
    @Test func audioSpecificConfigs() throws {
        let cases: [(name: String, bytes: String, config: AudioSpecificConfig)] = [
            ("LC 48 kHz stereo", "1190", .init(sampleRate: 48000, channelConfiguration: 2)),
            ("LC 44.1 kHz mono", "1208", .init(sampleRate: 44100, channelConfiguration: 1)),
            (
                "960 samples a frame", "1194",
                .init(sampleRate: 48000, channelConfiguration: 2, samplesPerFrame: 960)
            ),
            (
                "explicit rate", "17 80 1F 40 10",
                .init(sampleRate: 16000, channelConfiguration: 2)
            ),
        ]
        for (name, bytes, config) in cases {
            let buffer = ByteBuffer(hex: bytes)
            let parsed = try AudioSpecificConfig(parsing: buffer)
            #expect(parsed.objectType == config.objectType, "\(name)")
            #expect(parsed.sampleRate == config.sampleRate, "\(name)")
            #expect(parsed.channelConfiguration == config.channelConfiguration, "\(name)")
            #expect(parsed.samplesPerFrame == config.samplesPerFrame, "\(name)")
            #expect(parsed.encoded() == buffer, "\(name)")
            #expect(try AudioSpecificConfig(parsing: config.encoded()) == config, "\(name)")
            let cut = buffer.getSlice(at: 0, length: 1)!
            #expect(throws: MediaError.self, "\(name)") { try AudioSpecificConfig(parsing: cut) }
        }
        let escaped = AudioSpecificConfig(
            objectType: 42, sampleRate: 12345, channelConfiguration: 7)
        #expect(try AudioSpecificConfig(parsing: escaped.encoded()) == escaped)
        for hex in ["1690", "0190"] {
            #expect(throws: MediaError.self) {
                try AudioSpecificConfig(parsing: ByteBuffer(hex: hex))
            }
        }
    }

    @Test func adtsHeaders() throws {
        let config = AudioSpecificConfig(sampleRate: 48000, channelConfiguration: 2)
        let header = try ADTSHeader(config: config, payloadLength: 249)
        let bytes = ByteBuffer(hex: "FF F1 4C 80 20 1F FC")
        #expect(header.encoded() == bytes)
        #expect(ADTSHeader.parse(bytes) == header)
        #expect(header.sampleRate == 48000 && header.frameLength == 256)
        let longest = try ADTSHeader(config: config, payloadLength: 8184)
        #expect(ADTSHeader.parse(longest.encoded()) == longest)
        #expect(throws: MediaError.self) { try ADTSHeader(config: config, payloadLength: 8185) }
        let odd = AudioSpecificConfig(sampleRate: 12345, channelConfiguration: 2)
        #expect(throws: MediaError.self) { try ADTSHeader(config: odd, payloadLength: 1) }
        for hex in ["FFF14C80201F", "FFF54C80201FFC", "FFF17480201FFC", "FFF14C80001FFC"] {
            #expect(ADTSHeader.parse(ByteBuffer(hex: hex)) == nil, "\(hex)")
        }
    }
}
