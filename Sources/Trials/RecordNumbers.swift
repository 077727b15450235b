/// The numbers of a record in JSON, before it is decoded: a record may come from a stranger, and
/// the figures add up what it holds.
enum RecordNumbers {
    /// Times and lists of times: up to the year 2065, so that three of them add up in 64 bits.
    static let timeLimit = 3e18
    /// Every other number: one million sessions of that many bytes add up in 64 bits.
    static let limit = 8.8e12
    /// Keys of numbers that are added to nothing: seeds, rates of unlimited links, limits of
    /// thresholds, the sums of distributions, which are floating-point numbers, and durations,
    /// which are encoded as the two halves of 128 bits.
    private static let free: Set<String> = [
        "seed", "payloadRate", "bitsPerSecond", "limit", "sum", "buffer", "latency", "gop",
        "generatorLagP99", "viewerLagP99", "linkLatenessP99", "clockStep",
    ]

    /// - Returns: The key and the digits of the first number that is too large; nil if there is
    ///   none.
    static func tooLarge(in json: some RandomAccessCollection<UInt8>) -> String? {
        var key = ""
        var text: [UInt8] = []
        var isInString = false
        var isEscaped = false
        var number: [UInt8] = []
        var depth = 0
        /// Depth of the list that is being read; nil outside of lists. Its numbers count as times,
        /// unless its key ends in `Bytes`.
        var listDepth: Int?
        for byte in json {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                } else if text.count < 64 {
                    text.append(byte)
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"),
                UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
                // The letter e of true and false is collected here, too, but is not a number.
                if number.count < 64 { number.append(byte) }
                continue
            default: break
            }
            if !number.isEmpty {
                let digits = String(decoding: number, as: UTF8.self)
                number = []
                let isTime =
                    key.hasSuffix("Nanoseconds") || listDepth != nil && !key.hasSuffix("Bytes")
                if let value = Double(digits), !free.contains(key),
                    abs(value) > (isTime ? timeLimit : limit)
                {
                    return "\(key): \(digits)"
                }
            }
            switch byte {
            case UInt8(ascii: "\""):
                isInString = true
                text = []
            case UInt8(ascii: ":"):
                key = String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "["):
                depth += 1
                if listDepth == nil { listDepth = depth }
            case UInt8(ascii: "]"):
                if listDepth == depth { listDepth = nil }
                depth -= 1
            case UInt8(ascii: "{"):
                depth += 1
                listDepth = nil
            case UInt8(ascii: "}"):
                depth -= 1
            default: break
            }
        }
        return nil
    }
}
