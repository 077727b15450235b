import Synchronization

/// What a publication has brought so far. The publisher's loop alone writes the numbers, for each
/// read of its socket, and any thread may read them; there is no lock, and no look-up by name.
final class PublicationCounts: Sendable {
    private let current = Atomic<Bool>(true)
    private let bytes = Atomic<Int>(0)
    private let video = Atomic<Int>(0)
    private let audio = Atomic<Int>(0)
    private let keys = Atomic<Int>(0)
    private let timestamp: Atomic<UInt32>

    /// - Parameter lastTimestamp: Timestamp of the last frame of the publication that this one
    ///   continues, in milliseconds.
    init(lastTimestamp: UInt32 = 0) { timestamp = Atomic(lastTimestamp) }

    /// Whether the publication belongs to its publisher still.
    var isCurrent: Bool { current.load(ordering: .acquiring) }
    var receivedBytes: Int { bytes.load(ordering: .relaxed) }
    var videoFrames: Int { video.load(ordering: .relaxed) }
    var audioFrames: Int { audio.load(ordering: .relaxed) }
    var keyFrames: Int { keys.load(ordering: .relaxed) }
    /// Timestamp of the last frame, in milliseconds.
    var lastTimestamp: UInt32 { timestamp.load(ordering: .relaxed) }

    /// Notes that another publisher has taken over, or that the publication has ended.
    func end() { current.store(false, ordering: .releasing) }

    /// Counts units and the bytes that they came in. Returns false if the publication belongs to
    /// its publisher no more.
    func record(bytes received: Int, units: [MediaUnit]) -> Bool {
        guard isCurrent else { return false }
        bytes.add(received, ordering: .relaxed)
        for unit in units where !unit.isSequenceHeader {
            switch unit.kind {
            case .video: video.add(1, ordering: .relaxed)
            case .audio: audio.add(1, ordering: .relaxed)
            case .data: continue
            }
            if unit.isKeyFrame { keys.add(1, ordering: .relaxed) }
            timestamp.store(unit.timestamp, ordering: .relaxed)
        }
        return true
    }
}
