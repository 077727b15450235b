/// nal_unit_type (H.264, table 7-1). Reserved and unspecified values keep their number.
public struct NALUnitType: RawRepresentable, Hashable, Sendable {
    /// Number of the type, 0…31.
    public var rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue & 0x1F }

    /// Reads the type of the NAL unit that begins with the byte `header`.
    public init(header: UInt8) { rawValue = header & 0x1F }

    public static let slice = NALUnitType(rawValue: 1)
    public static let sliceDataPartitionA = NALUnitType(rawValue: 2)
    public static let idrSlice = NALUnitType(rawValue: 5)
    public static let sei = NALUnitType(rawValue: 6)
    public static let sps = NALUnitType(rawValue: 7)
    public static let pps = NALUnitType(rawValue: 8)
    public static let accessUnitDelimiter = NALUnitType(rawValue: 9)
    public static let endOfSequence = NALUnitType(rawValue: 10)
    public static let endOfStream = NALUnitType(rawValue: 11)
    public static let fillerData = NALUnitType(rawValue: 12)

    /// Whether the NAL unit belongs to a coded picture: a slice or a slice data partition, types
    /// 1…5.
    public var isVCL: Bool { (1...5).contains(rawValue) }

    /// Whether other pictures may refer to this NAL unit: its nal_ref_idc is not 0.
    public static func isReference(header: UInt8) -> Bool { header & 0x60 != 0 }
}
