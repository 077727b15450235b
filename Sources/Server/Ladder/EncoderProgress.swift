/// The latest report of `ffmpeg -progress`. Reports are blocks of `key=value` lines, each ended by
/// a line `progress=…` (ffmpeg's documentation, main options).
package struct EncoderProgress: Sendable, Hashable {
    package private(set) var frames: Int?
    package private(set) var duplicatedFrames: Int?
    package private(set) var droppedFrames: Int?
    package private(set) var speed: Double?

    private var pending: [Substring: Substring] = [:]

    package init() {}

    /// Largest number of keys of one block; ffmpeg writes about a dozen, and three more for each
    /// output.
    private static let keyLimit = 256

    /// Reads one line. Returns true if it completed a block.
    package mutating func receive(_ line: String) -> Bool {
        guard let equals = line.firstIndex(of: "=") else { return false }
        let key = line[..<equals]
        let value = line[line.index(after: equals)...].drop { $0 == " " }
        guard key == "progress" else {
            if pending.count < Self.keyLimit { pending[key] = value }
            return false
        }
        frames = pending["frame"].flatMap { Int($0) }
        duplicatedFrames = pending["dup_frames"].flatMap { Int($0) }
        droppedFrames = pending["drop_frames"].flatMap { Int($0) }
        // The value is `N/A` while it is unknown, and otherwise of the form `1.02x`.
        speed = pending["speed"].flatMap { $0.hasSuffix("x") ? Double($0.dropLast()) : nil }
        pending.removeAll(keepingCapacity: true)
        return true
    }
}
