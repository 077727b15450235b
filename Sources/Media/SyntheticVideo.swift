import NIOCore
import SimulationKernel

/// The frames of one GOP, which are made once per spec and then only copied and patched. Copies of a
/// source share one object, and all payloads share one block of memory: a buffer of its own would
/// take a power of two of bytes for each of them.
final class SyntheticVideo: Sendable {
    private struct Template {
        var payload: ByteBuffer
        /// The same frame with one more byte, for GOPs that carry a rounded-off byte.
        var longer: ByteBuffer?
    }

    /// Size of a key frame in multiples of another frame's size, if the rate allows it.
    private static let keyFrameWeight = 6
    /// Largest memory that the templates of one spec may take, in bytes.
    private static let maximumTemplateBytes = 256 << 20
    /// Length of the VideoTagHeader in bytes; a stamp with its length follows.
    private static let headerLength = 5
    private static let lengthSize = 4
    /// Length of a filler data NAL unit without fill bytes: length, header, rbsp_trailing_bits.
    private static let minimumFiller = lengthSize + 2
    /// Length of a payload without the slice NAL unit and the fill bytes.
    private static let overhead =
        headerLength + lengthSize + FrameStamp.nalUnitLength + lengthSize + minimumFiller
    static let stampOffset = headerLength + lengthSize + FrameStamp.fieldsOffset

    let sequenceHeader: ByteBuffer
    private let templates: [Template]
    let gopFrames: UInt64
    /// Bytes per GOP as a fraction.
    private let gopBytesNumerator: UInt64
    private let gopBytesDenominator: UInt64
    private let frameRate: FrameRate

    /// - Throws: `MediaError.impossibleSpec`, naming the least rate, if the frames do not fit.
    init(spec: SyntheticSpec, bitrate: Bitrate) throws {
        guard (1...3600).contains(spec.gopFrames) else {
            throw MediaError(.impossibleSpec, "gopFrames \(spec.gopFrames) is not in 1…3600")
        }
        let stream = try SyntheticBitstream(spec: spec, videoBitrate: bitrate)
        frameRate = spec.framesPerSecond
        gopFrames = UInt64(spec.gopFrames)
        gopBytesNumerator = UInt64(bitrate.bitsPerSecond * spec.gopFrames * frameRate.denominator)
        gopBytesDenominator = UInt64(8 * frameRate.numerator)
        let gopBytes = Int(gopBytesNumerator / gopBytesDenominator)
        guard gopBytes <= SyntheticVideo.maximumTemplateBytes else {
            throw MediaError(.impossibleSpec, "a GOP of \(gopBytes) bytes exceeds 256 MiB")
        }
        let sps = stream.sps()
        let record = AVCDecoderConfigurationRecord(
            profile: sps[1], profileCompatibility: sps[2], level: sps[3],
            sps: [ByteBuffer(bytes: sps)], pps: [ByteBuffer(bytes: stream.pps())])
        var header = ByteBuffer(bytes: [0x17, 0, 0, 0, 0])
        header.writeImmutableBuffer(record.encoded())
        sequenceHeader = header

        var generator = SeededGenerator(seed: spec.seed, entity: "synthetic video")
        var scratch = generator
        let none = SyntheticBitstream.Mosaic()
        let leastKey =
            SyntheticVideo.overhead
            + stream.keySlice(idrPictureID: 1, mosaic: none, generator: &scratch).count
        let leastInter =
            SyntheticVideo.overhead
            + stream.interSlice(frameNumber: 0xFFFF, mosaic: none, generator: &scratch).count
        let sizes = try SyntheticVideo.frameSizes(
            spec: spec, gopBytes: gopBytes, leastKey: leastKey, leastInter: leastInter,
            generator: &generator)
        // Successive key frames need different idr_pic_id values, so with GOPs of one frame the
        // cycle has two.
        let count = spec.gopFrames == 1 ? 2 : spec.gopFrames
        var block = ByteBuffer()
        var layout: [(size: Int, isLast: Bool)] = []
        for index in 0..<count {
            let isKey = index == 0 || spec.gopFrames == 1
            let isLast = index == spec.gopFrames - 1 || spec.gopFrames == 1
            let size = sizes[index % spec.gopFrames]
            let slice = SyntheticVideo.slice(
                stream, index: index, isKey: isKey, room: size - SyntheticVideo.overhead,
                generator: &generator)
            block.writeImmutableBuffer(
                SyntheticVideo.payload(slice: slice, isKey: isKey, size: size))
            if isLast {
                block.writeImmutableBuffer(
                    SyntheticVideo.payload(slice: slice, isKey: isKey, size: size + 1))
            }
            layout.append((size, isLast))
        }
        var templates: [Template] = []
        for (size, isLast) in layout {
            guard let payload = block.readSlice(length: size) else {
                preconditionFailure("the block holds every payload")
            }
            templates.append(
                Template(
                    payload: payload, longer: isLast ? block.readSlice(length: size + 1) : nil))
        }
        self.templates = templates
    }

    /// Returns the sizes of a GOP's payloads; their sum is `gopBytes`.
    private static func frameSizes(
        spec: SyntheticSpec, gopBytes: Int, leastKey: Int, leastInter: Int,
        generator: inout SeededGenerator
    ) throws -> [Int] {
        let others = spec.gopFrames - 1
        let least = leastKey + others * leastInter
        guard gopBytes >= least else {
            let rate = spec.framesPerSecond
            let bits = UInt64(least * 8 * rate.numerator)
            let perGOP = UInt64(spec.gopFrames * rate.denominator)
            throw MediaError(
                .impossibleSpec,
                "\(spec.width)x\(spec.height) at \(rate) fps with GOPs of \(spec.gopFrames) "
                    + "frames needs at least \((bits + perGOP - 1) / perGOP) bit/s of video")
        }
        guard others > 0 else { return [gopBytes] }
        var inter = gopBytes / (others + keyFrameWeight)
        if gopBytes - inter * others < leastKey { inter = (gopBytes - leastKey) / others }
        inter = max(inter, leastInter)
        var sizes = [gopBytes - inter * others] + Array(repeating: inter, count: others)
        // Neighbours exchange up to an eighth of their size, so that frame sizes differ as an
        // encoder's do.
        let spread = min(inter / 8, inter - leastInter)
        for index in stride(from: 1, to: others, by: 2) {
            let moved = Int.random(in: -spread...spread, using: &generator)
            sizes[index] += moved
            sizes[index + 1] -= moved
        }
        return sizes
    }

    /// Makes a slice of at most `room` bytes; up to three quarters of them are I_PCM macroblocks.
    private static func slice(
        _ stream: SyntheticBitstream, index: Int, isKey: Bool, room: Int,
        generator: inout SeededGenerator
    ) -> [UInt8] {
        let base = isKey ? stream.macroblocks + 32 : 32
        let share = stream.macroblocks / (isKey ? 2 : 8)
        var count = min(share, max(0, room - base) * 3 / 4 / (SyntheticBitstream.pcmBytes + 4))
        let start = generator
        while true {
            generator = start
            var mosaic = SyntheticBitstream.Mosaic()
            if count > 0 {
                var side = 1
                while side * side * 2 <= count { side += 1 }
                mosaic.columns = min(stream.columns, side)
                mosaic.rows = min(stream.rows, max(1, count / mosaic.columns))
                // The mosaic moves over the picture on the path of a billiard ball.
                mosaic.column = bounce(index * 2, within: stream.columns - mosaic.columns)
                mosaic.row = bounce(index, within: stream.rows - mosaic.rows)
            }
            let slice =
                isKey
                ? stream.keySlice(
                    idrPictureID: index & 1, mosaic: mosaic, generator: &generator)
                : stream.interSlice(frameNumber: index, mosaic: mosaic, generator: &generator)
            if slice.count <= room || count == 0 { return slice }
            count /= 2
        }
    }

    private static func bounce(_ position: Int, within span: Int) -> Int {
        guard span > 0 else { return 0 }
        let phase = position % (2 * span)
        return phase <= span ? phase : 2 * span - phase
    }

    /// Makes a payload: tag header, stamp, slice, and filler data up to `size` bytes.
    private static func payload(slice: [UInt8], isKey: Bool, size: Int) -> ByteBuffer {
        let fill = size - overhead - slice.count
        precondition(fill >= 0, "the slice fits its frame")
        var payload = ByteBuffer()
        payload.reserveCapacity(size)
        payload.writeBytes([isKey ? 0x17 : 0x27, 1, 0, 0, 0])
        payload.writeInteger(UInt32(FrameStamp.nalUnitLength))
        payload.writeImmutableBuffer(
            FrameStamp(streamID: 0, frameNumber: 0, intendedNanoseconds: 0).nalUnit)
        payload.writeInteger(UInt32(slice.count))
        payload.writeBytes(slice)
        payload.writeInteger(UInt32(fill + 2))
        payload.writeInteger(NALUnitType.fillerData.rawValue)
        payload.writeRepeatingByte(0xFF, count: fill)
        payload.writeInteger(UInt8(0x80))
        return payload
    }

    func dtsNanoseconds(ofFrame index: UInt64) -> Int64 {
        Int64(
            scaled(
                index, by: UInt64(frameRate.denominator) * 1_000_000_000,
                over: UInt64(frameRate.numerator)))
    }

    /// Returns the payload of frame `index`, which it shares with the frames at the same place of
    /// other GOPs, so that its stamp still has to be written.
    func template(_ index: UInt64) -> (payload: ByteBuffer, isKeyFrame: Bool) {
        let position = index % gopFrames
        let place = Int(index % UInt64(templates.count))
        if position == gopFrames - 1, let longer = templates[place].longer {
            let gop = index / gopFrames
            let bytes =
                scaled(gop + 1, by: gopBytesNumerator, over: gopBytesDenominator)
                - scaled(gop, by: gopBytesNumerator, over: gopBytesDenominator)
            if bytes > gopBytesNumerator / gopBytesDenominator { return (longer, position == 0) }
        }
        return (templates[place].payload, position == 0)
    }
}
