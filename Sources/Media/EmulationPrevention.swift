/// emulation_prevention_three_byte (H.264 7.4.1), which keeps start codes out of a NAL unit.
public enum EmulationPrevention {
    /// Makes NAL unit bytes from a raw byte sequence payload. A `03` is put before any byte 0…3
    /// that follows two zeros, and after two final zeros (cabac_zero_words).
    public static func added(to payload: some Collection<UInt8>) -> [UInt8] {
        var unit: [UInt8] = []
        unit.reserveCapacity(payload.count + 16)
        var zeros = 0
        for byte in payload {
            if zeros >= 2, byte <= 3 {
                unit.append(3)
                zeros = 0
            }
            unit.append(byte)
            zeros = byte == 0 ? zeros + 1 : 0
        }
        if zeros > 1 { unit.append(3) }
        return unit
    }

    /// Makes a raw byte sequence payload from NAL unit bytes.
    public static func removed(from unit: some Collection<UInt8>) -> [UInt8] {
        var payload: [UInt8] = []
        payload.reserveCapacity(unit.count)
        var zeros = 0
        for byte in unit {
            if zeros >= 2, byte == 3 {
                zeros = 0
                continue
            }
            payload.append(byte)
            zeros = byte == 0 ? zeros + 1 : 0
        }
        return payload
    }
}
