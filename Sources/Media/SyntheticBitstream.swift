import SimulationKernel

/// Writes the H.264 syntax of a synthetic stream: Constrained Baseline, CAVLC, one slice per frame,
/// no deblocking.
///
/// Key frames are flat Intra 16x16 macroblocks around a mosaic of I_PCM macroblocks. Other frames
/// skip everything but a mosaic, which moves from frame to frame.
struct SyntheticBitstream {
    /// A rectangle of I_PCM macroblocks.
    struct Mosaic {
        var column = 0
        var row = 0
        var columns = 0
        var rows = 0

        func contains(column x: Int, row y: Int) -> Bool {
            x >= column && x < column + columns && y >= row && y < row + rows
        }
    }

    /// Size of an I_PCM macroblock's samples in bytes, 4:2:0 at 8 bits.
    static let pcmBytes = 384

    let width: Int
    let height: Int
    let level: UInt8
    let framesPerSecond: FrameRate

    var columns: Int { (width + 15) / 16 }
    var rows: Int { (height + 15) / 16 }
    var macroblocks: Int { columns * rows }

    /// MaxMBPS, MaxFS and MaxBR of each level (H.264, table A-1).
    private static let levels: [(level: UInt8, perSecond: Int, frame: Int, kilobits: Int)] = [
        (11, 3000, 396, 192), (12, 6000, 396, 384), (13, 11880, 396, 768),
        (20, 11880, 396, 2000), (21, 19800, 792, 4000), (22, 20250, 1620, 4000),
        (30, 40500, 1620, 10000), (31, 108_000, 3600, 14000), (32, 216_000, 5120, 20000),
        (40, 245_760, 8192, 20000), (41, 245_760, 8192, 50000), (42, 522_240, 8704, 50000),
        (50, 589_824, 22080, 135_000), (51, 983_040, 36864, 240_000),
        (52, 2_073_600, 36864, 240_000),
    ]

    /// - Throws: `MediaError.impossibleSpec` if no level allows the stream.
    init(spec: SyntheticSpec, videoBitrate: Bitrate) throws {
        guard spec.width % 2 == 0, spec.height % 2 == 0,
            (16...16384).contains(spec.width), (16...16384).contains(spec.height)
        else {
            throw MediaError(
                .impossibleSpec,
                "\(spec.width)x\(spec.height): width and height must be even, 16…16384")
        }
        let rate = spec.framesPerSecond
        guard (1...1_000_000).contains(rate.numerator), (1...100_000).contains(rate.denominator)
        else { throw MediaError(.impossibleSpec, "framesPerSecond \(rate) is out of range") }
        let count = ((spec.width + 15) / 16) * ((spec.height + 15) / 16)
        let fitting = Self.levels.first {
            count <= $0.frame && count * rate.numerator <= $0.perSecond * rate.denominator
                && videoBitrate.bitsPerSecond <= $0.kilobits * 1000
        }
        guard let fitting else {
            throw MediaError(
                .impossibleSpec,
                "no H.264 level up to 5.2 allows \(spec.width)x\(spec.height) at \(rate) fps and "
                    + "\(videoBitrate)")
        }
        width = spec.width
        height = spec.height
        level = fitting.level
        framesPerSecond = rate
    }

    /// Makes the sequence parameter set's NAL unit.
    func sps() -> [UInt8] {
        var writer = BitWriter()
        writer.bits(66, 8)
        writer.bits(0xC0, 8)  // constraint_set0 and 1: Constrained Baseline
        writer.bits(UInt32(level), 8)
        writer.unsignedExpGolomb(0)  // seq_parameter_set_id
        writer.unsignedExpGolomb(12)  // log2_max_frame_num_minus4
        writer.unsignedExpGolomb(2)  // pic_order_cnt_type: output order is decode order
        writer.unsignedExpGolomb(1)  // max_num_ref_frames
        writer.flag(false)
        writer.unsignedExpGolomb(columns - 1)
        writer.unsignedExpGolomb(rows - 1)
        writer.flag(true)  // frame_mbs_only_flag
        writer.flag(true)  // direct_8x8_inference_flag
        let right = (columns * 16 - width) / 2
        let bottom = (rows * 16 - height) / 2
        writer.flag(right > 0 || bottom > 0)
        if right > 0 || bottom > 0 {
            for offset in [0, right, 0, bottom] { writer.unsignedExpGolomb(offset) }
        }
        writer.flag(true)  // vui_parameters_present_flag
        for _ in 0..<4 { writer.flag(false) }
        writer.flag(true)  // timing_info_present_flag
        writer.bits(UInt32(framesPerSecond.denominator), 32)
        writer.bits(UInt32(framesPerSecond.numerator * 2), 32)
        writer.flag(true)  // fixed_frame_rate_flag
        for _ in 0..<3 { writer.flag(false) }  // no HRD, no pic_struct
        writer.flag(true)  // bitstream_restriction_flag
        writer.flag(true)
        for value in [0, 0, 10, 10, 0, 1] { writer.unsignedExpGolomb(value) }
        writer.trailingBits()
        return [0x67] + EmulationPrevention.added(to: writer.bytes)
    }

    /// Makes the picture parameter set's NAL unit.
    func pps() -> [UInt8] {
        var writer = BitWriter()
        writer.unsignedExpGolomb(0)
        writer.unsignedExpGolomb(0)
        writer.flag(false)  // entropy_coding_mode_flag: CAVLC
        writer.flag(false)
        for _ in 0..<3 { writer.unsignedExpGolomb(0) }  // slice groups, reference indices
        writer.bits(0, 3)  // no weighted prediction
        for _ in 0..<3 { writer.unsignedExpGolomb(0) }  // QP offsets
        writer.flag(true)  // deblocking_filter_control_present_flag
        writer.bits(0, 2)
        writer.trailingBits()
        return [0x68] + EmulationPrevention.added(to: writer.bytes)
    }

    /// Makes the slice NAL unit of a key frame.
    /// - Parameter idrPictureID: Number that differs between successive key frames.
    func keySlice(
        idrPictureID: Int, mosaic: Mosaic, generator: inout SeededGenerator
    ) -> [UInt8] {
        var writer = BitWriter()
        writer.unsignedExpGolomb(0)  // first_mb_in_slice
        writer.unsignedExpGolomb(7)  // slice_type: all I
        writer.unsignedExpGolomb(0)
        writer.bits(0, 16)  // frame_num
        writer.unsignedExpGolomb(idrPictureID)
        writer.bits(0, 2)  // dec_ref_pic_marking
        writer.unsignedExpGolomb(0)  // slice_qp_delta
        writer.unsignedExpGolomb(1)  // disable_deblocking_filter_idc
        for row in 0..<rows {
            for column in 0..<columns {
                if mosaic.contains(column: column, row: row) {
                    writer.unsignedExpGolomb(25)
                    appendPCM(to: &writer, generator: &generator)
                    continue
                }
                writer.unsignedExpGolomb(3)  // I_16x16_2_0_0: DC prediction
                writer.unsignedExpGolomb(0)  // intra_chroma_pred_mode
                writer.unsignedExpGolomb(0)  // mb_qp_delta
                // This is the coeff_token of no coefficients. An I_PCM neighbour counts as 16
                // (9.2.1), which makes nC 8 or more.
                let byPCM =
                    mosaic.contains(column: column - 1, row: row)
                    || mosaic.contains(column: column, row: row - 1)
                if byPCM { writer.bits(0b000011, 6) } else { writer.bits(1, 1) }
            }
        }
        writer.trailingBits()
        return [0x65] + EmulationPrevention.added(to: writer.bytes)
    }

    /// Makes the slice NAL unit of a P frame.
    /// - Parameter frameNumber: Number of frames since the key frame.
    func interSlice(
        frameNumber: Int, mosaic: Mosaic, generator: inout SeededGenerator
    ) -> [UInt8] {
        var writer = BitWriter()
        writer.unsignedExpGolomb(0)
        writer.unsignedExpGolomb(5)  // slice_type: all P
        writer.unsignedExpGolomb(0)
        writer.bits(UInt32(frameNumber & 0xFFFF), 16)
        writer.bits(0, 3)  // no override, no list modification, sliding window
        writer.unsignedExpGolomb(0)
        writer.unsignedExpGolomb(1)
        var skipped = 0
        for row in 0..<rows {
            for column in 0..<columns {
                guard mosaic.contains(column: column, row: row) else {
                    skipped += 1
                    continue
                }
                writer.unsignedExpGolomb(skipped)  // mb_skip_run
                skipped = 0
                writer.unsignedExpGolomb(30)  // I_PCM in a P slice
                appendPCM(to: &writer, generator: &generator)
            }
        }
        if skipped > 0 { writer.unsignedExpGolomb(skipped) }
        writer.trailingBits()
        return [0x41] + EmulationPrevention.added(to: writer.bytes)
    }

    /// Appends the samples of a shaded square. No sample is zero, so emulation prevention never
    /// adds a byte.
    private func appendPCM(to writer: inout BitWriter, generator: inout SeededGenerator) {
        writer.align()
        let random = generator.next()
        let luma = 16 + UInt8(random & 0x7F)
        for y in 0..<16 {
            writer.append((0..<16).map { luma + UInt8($0 ^ y) * 4 })
        }
        let chroma = [UInt8(random >> 8 & 0x7F) + 64, UInt8(random >> 16 & 0x7F) + 64]
        for value in chroma { writer.append(repeatElement(value, count: 64)) }
    }
}
