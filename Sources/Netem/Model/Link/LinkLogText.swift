/// Writes the lines of a `LinkLog` in nanoseconds.
public struct LinkLogText: Sendable {
    /// Bytes of the lines that were not taken yet.
    public private(set) var bytes: [UInt8] = []

    /// - Parameters:
    ///   - title: one line for human readers.
    ///   - options: options of the link; no value contains a line break.
    public init(title: String, options: [LinkLog.Option]) {
        append("# \(title)\n")
        for option in options { append("# --\(option.name) \(option.value)\n") }
        append(LinkLog.nanosecondHeader + "\n")
    }

    public mutating func arrival(at instant: Int64, bytes size: Int) {
        append("arrive,")
        append(instant)
        append(",")
        append(Int64(size))
        append(",\n")
    }

    public mutating func write(_ event: LinkEvent) {
        let isDrop = event.outcome == .lost || event.outcome == .dropped
        append(isDrop ? "drop," : "depart,")
        append(event.nanoseconds)
        append(",")
        append(Int64(event.bytes))
        append(",")
        if !isDrop { append(event.nanoseconds - event.arrivedNanoseconds) }
        append("\n")
    }

    /// Hands the lines so far to `body`, and then forgets them.
    public mutating func take(_ body: ([UInt8]) -> Void) {
        body(bytes)
        bytes.removeAll(keepingCapacity: true)
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func append(_ number: Int64) {
        precondition(number >= 0, "times and sizes are not negative")
        let start = bytes.count
        var rest = number
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }
}
