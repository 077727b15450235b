public import NIOCore

/// The fields of an H.264 sequence parameter set that a load tester needs (H.264 7.3.2.1.1 and
/// E.1.1).
public struct SPS: Hashable, Sendable {
    /// profile_idc.
    public private(set) var profile: UInt8 = 0
    /// Constraint_set flags, set0 in the top bit.
    public private(set) var constraintFlags: UInt8 = 0
    /// level_idc: ten times the level.
    public private(set) var level: UInt8 = 0
    /// Luma samples in a row after cropping.
    public private(set) var width = 0
    /// Luma rows after cropping.
    public private(set) var height = 0
    /// Frames per second as the VUI's timing states them; `nil` if the VUI does not state them.
    public private(set) var framesPerSecond: Double?
    public private(set) var isInterlaced = false
    private var chromaFormat = 1

    /// Largest side accepted, in macroblocks; level 6.2 allows 16,384 samples.
    private static let maximumSideMacroblocks: UInt32 = 1055

    /// - Parameter unit: A NAL unit of type 7, with its header byte and its emulation prevention
    ///   bytes.
    /// - Throws: `MediaError`: `.truncated` or `.invalidValue`.
    public init(parsing unit: ByteBuffer) throws {
        guard let header = unit.readableBytesView.first, NALUnitType(header: header) == .sps else {
            throw MediaError(.invalidValue, "the NAL unit is not a sequence parameter set")
        }
        // The longest SPS (scaling lists, HRD) stays well under 4 KiB.
        let body = unit.readableBytesView.dropFirst().prefix(4096)
        var reader = BitReader(EmulationPrevention.removed(from: body))
        profile = UInt8(try reader.bits(8))
        constraintFlags = UInt8(try reader.bits(8))
        level = UInt8(try reader.bits(8))
        _ = try reader.unsignedExpGolomb(limit: 31, "seq_parameter_set_id")
        if [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135].contains(profile) {
            try readHighProfileFields(&reader)
        }
        _ = try reader.unsignedExpGolomb(limit: 12, "log2_max_frame_num_minus4")
        try skipPictureOrderCount(&reader)
        _ = try reader.unsignedExpGolomb(limit: 16, "max_num_ref_frames")
        try reader.skip(1)
        try readSize(&reader)
        if try reader.flag() { try readVUI(&reader) }
    }

    private mutating func readHighProfileFields(_ reader: inout BitReader) throws {
        chromaFormat = try reader.unsignedExpGolomb(limit: 3, "chroma_format_idc")
        if chromaFormat == 3, try reader.flag() { chromaFormat = 0 }
        _ = try reader.unsignedExpGolomb(limit: 6, "bit_depth_luma_minus8")
        _ = try reader.unsignedExpGolomb(limit: 6, "bit_depth_chroma_minus8")
        try reader.skip(1)
        guard try reader.flag() else { return }
        for list in 0..<(chromaFormat == 3 ? 12 : 8) where try reader.flag() {
            var last = 8
            var next = 8
            for _ in 0..<(list < 6 ? 16 : 64) {
                if next != 0 { next = (last + (try reader.signedExpGolomb()) + 256) & 0xFF }
                if next != 0 { last = next }
            }
        }
    }

    private func skipPictureOrderCount(_ reader: inout BitReader) throws {
        switch try reader.unsignedExpGolomb(limit: 2, "pic_order_cnt_type") {
        case 0:
            _ = try reader.unsignedExpGolomb(limit: 12, "log2_max_pic_order_cnt_lsb_minus4")
        case 1:
            try reader.skip(1)
            _ = try reader.signedExpGolomb()
            _ = try reader.signedExpGolomb()
            let name = "num_ref_frames_in_pic_order_cnt_cycle"
            for _ in 0..<(try reader.unsignedExpGolomb(limit: 255, name)) {
                _ = try reader.signedExpGolomb()
            }
        default: break
        }
    }

    private mutating func readSize(_ reader: inout BitReader) throws {
        let limit = Self.maximumSideMacroblocks - 1
        let columns = try reader.unsignedExpGolomb(limit: limit, "pic_width_in_mbs_minus1") + 1
        let mapRows =
            try reader.unsignedExpGolomb(limit: limit, "pic_height_in_map_units_minus1") + 1
        isInterlaced = try !reader.flag()
        if isInterlaced { try reader.skip(1) }
        try reader.skip(1)
        let fields = isInterlaced ? 2 : 1
        width = columns * 16
        height = mapRows * 16 * fields
        guard try reader.flag() else { return }
        let unitX = chromaFormat == 1 || chromaFormat == 2 ? 2 : 1
        let unitY = (chromaFormat == 1 ? 2 : 1) * fields
        var crops: [Int] = []
        for side in ["left", "right", "top", "bottom"] {
            let name = "frame_crop_\(side)_offset"
            crops.append(try reader.unsignedExpGolomb(limit: 0xFFFF, name))
        }
        width -= unitX * (crops[0] + crops[1])
        height -= unitY * (crops[2] + crops[3])
        guard width > 0, height > 0 else {
            throw MediaError(.invalidValue, "frame cropping leaves no picture")
        }
    }

    private mutating func readVUI(_ reader: inout BitReader) throws {
        if try reader.flag(), try reader.bits(8) == 255 { try reader.skip(32) }
        if try reader.flag() { try reader.skip(1) }
        if try reader.flag() {
            try reader.skip(4)
            if try reader.flag() { try reader.skip(24) }
        }
        if try reader.flag() {
            _ = try reader.unsignedExpGolomb()
            _ = try reader.unsignedExpGolomb()
        }
        guard try reader.flag() else { return }
        let unitsInTick = try reader.bits(32)
        let timeScale = try reader.bits(32)
        // Each frame spans two field ticks.
        if unitsInTick > 0, timeScale > 0 {
            framesPerSecond = Double(timeScale) / (2 * Double(unitsInTick))
        }
    }
}
