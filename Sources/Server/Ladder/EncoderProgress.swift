/// The latest of the reports that `ffmpeg -progress` writes: blocks of `key=value` lines, each
/// ended by a line `progress=…` (ffmpeg's documentation, main options).
package struct EncoderProgress: Sendable, Hashable {
    package private(set) var frames: Int?
    package private(set) var duplicatedFrames: Int?
    package private(set) var droppedFrames: Int?
    package private(set) var speed: Double?

    private var pending: [Substring: Substring] = [:]

    package init() {}

    /// Keys of one block; ffmpeg writes about a dozen, and three more for each output.
    private static let keyLimit = 256

    /// Takes one line; true where it completed a block.
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
        // `N/A` until there is something to tell; otherwise `1.02x`.
        speed = pending["speed"].flatMap { $0.hasSuffix("x") ? Double($0.dropLast()) : nil }
        pending.removeAll(keepingCapacity: true)
        return true
    }
}
