import NIOCore
import SimulationKernel

/// Silent AAC-LC stereo of an exact rate. Each frame is a channel pair without spectrum, followed
/// by data stream elements up to the frame's size; the first of these elements carries the frame's
/// number. Copies of a source share one object.
final class SyntheticAudio: Sendable {
    static let samplesPerFrame: UInt64 = 1024
    /// AudioTagHeader: AAC, 44 kHz (as the format demands), 16 bits, stereo.
    private static let tagFlags: UInt8 = 0xAF
    private static let headerLength = 2
    /// Length of the channel pair and the head of the first data stream element, in bytes.
    private static let elementsLength = 8
    private static let counterOffset = headerLength + elementsLength
    private static let minimumSize = headerLength + elementsLength + 8 + 1
    /// Largest frame: 6144 bits for each of the two channels (ISO/IEC 14496-3, 4.5.3.1).
    private static let maximumSize = headerLength + 1536

    let sequenceHeader: ByteBuffer
    private let shorter: ByteBuffer
    private let longer: ByteBuffer
    private let sampleRate: UInt64
    private let bitsPerSecond: UInt64

    /// - Throws: `MediaError.impossibleSpec`, naming the least or greatest possible rate.
    init(spec: SyntheticSpec, bitrate: Bitrate) throws {
        guard AudioSpecificConfig.sampleRates.contains(spec.sampleRate) else {
            throw MediaError(
                .impossibleSpec, "sampleRate \(spec.sampleRate) is not one that AAC indexes")
        }
        sampleRate = UInt64(spec.sampleRate)
        bitsPerSecond = UInt64(bitrate.bitsPerSecond)
        let scale = 8 * spec.sampleRate
        let size = Int(
            scaled(bitsPerSecond, by: SyntheticAudio.samplesPerFrame, over: UInt64(scale)))
        guard size >= SyntheticAudio.minimumSize, size < SyntheticAudio.maximumSize else {
            let least = (SyntheticAudio.minimumSize * scale + 1023) / 1024
            let greatest = SyntheticAudio.maximumSize * scale / 1024 - 1
            throw MediaError(
                .impossibleSpec,
                "audio of \(bitrate): at \(spec.sampleRate) Hz it must be \(least)…\(greatest) "
                    + "bit/s")
        }
        var header = ByteBuffer(bytes: [SyntheticAudio.tagFlags, 0])
        let config = AudioSpecificConfig(sampleRate: spec.sampleRate, channelConfiguration: 2)
        header.writeImmutableBuffer(config.encoded())
        sequenceHeader = header
        shorter = SyntheticAudio.payload(size: size)
        longer = SyntheticAudio.payload(size: size + 1)
    }

    private static func payload(size: Int) -> ByteBuffer {
        var writer = BitWriter()
        writer.bits(UInt32(tagFlags), 8)
        writer.bits(1, 8)
        writer.bits(1, 3)  // ID_CPE
        writer.bits(0, 4)
        writer.flag(true)  // common_window
        writer.bits(0, 11)  // ics_info: long window, max_sfb 0, no prediction
        writer.bits(0, 2)  // ms_mask_present
        for _ in 0..<2 {
            writer.bits(140, 8)  // global_gain
            writer.bits(0, 3)  // no pulse, TNS or gain control
        }
        var left = size - 1
        while left > writer.bytes.count {
            writer.bits(4, 3)  // ID_DSE
            writer.bits(0, 4)
            writer.flag(true)  // data_byte_align_flag
            let room = left - (writer.bitCount + 8 + 7) / 8
            // A rest of one byte could not hold the head of another element.
            let count = room <= 254 ? room : min(254, room - 2)
            writer.bits(UInt32(count), 8)
            writer.align()
            writer.append(repeatElement(0x55, count: count))
        }
        left = size - writer.bytes.count
        precondition(left == 1, "the elements fill the frame up to ID_END")
        writer.bits(7, 3)  // ID_END
        writer.align()
        return ByteBuffer(bytes: writer.bytes)
    }

    func dtsNanoseconds(ofFrame index: UInt64) -> Int64 {
        Int64(scaled(index, by: Self.samplesPerFrame * 1_000_000_000, over: sampleRate))
    }

    /// Size of the first `count` frames together, in bytes. A frame's size is the difference of two
    /// such sums, so that no rounding adds up.
    func bytes(ofFrames count: UInt64) -> UInt64 {
        scaled(count, by: bitsPerSecond * Self.samplesPerFrame, over: 8 * sampleRate)
    }

    /// Returns the payload of frame `index`, which all frames of its size share, and the index, which
    /// belongs into its first data stream element.
    /// - Parameter size: Size of the frame in bytes.
    func template(
        _ index: UInt64, size: UInt64
    ) -> (payload: ByteBuffer, counter: SourceFrame.Counter) {
        (
            size > shorter.readableBytes ? longer : shorter,
            SourceFrame.Counter(offset: Self.counterOffset, value: index)
        )
    }
}
