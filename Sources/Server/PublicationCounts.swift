import Synchronization

/// What a publication has brought so far. The publisher's loop alone writes the numbers, for each
/// read of its socket, and any thread may read them; there is no lock, and no look-up by name.
final class PublicationCounts: Sendable {
    /// Whether the publication belongs to its publisher still.
    private let current = Atomic<Bool>(true)
    private let bytes = Atomic<Int>(0)
    private let video = Atomic<Int>(0)
    private let audio = Atomic<Int>(0)
    private let keys = Atomic<Int>(0)
    private let timestamp: Atomic<UInt32>

    /// - Parameter lastTimestamp: Timestamp of the last frame of the publication that this one
    ///   continues, in milliseconds.
    init(lastTimestamp: UInt32 = 0) { timestamp = Atomic(lastTimestamp) }

    var receivedBytes: Int { bytes.load(ordering: .relaxed) }
    var videoFrames: Int { video.load(ordering: .relaxed) }
    var audioFrames: Int { audio.load(ordering: .relaxed) }
    var keyFrames: Int { keys.load(ordering: .relaxed) }
    /// Timestamp of the last frame, in milliseconds. After `end()` it is not smaller than that of
    /// any frame that `record` has accepted.
    var lastTimestamp: UInt32 { timestamp.load(ordering: .sequentiallyConsistent) }

    /// Notes that another publisher has taken over, or that the publication has ended.
    func end() { current.store(false, ordering: .sequentiallyConsistent) }

    /// Counts units and the bytes that they came in. Returns false if the publication belongs to
    /// its publisher no more.
    func record(bytes received: Int, units: [MediaUnit]) -> Bool {
        // The timestamp goes first, and both orders are total: a publisher that takes over at this
        // moment reads this timestamp, or the units are refused. Otherwise its frames could lie
        // before these.
        if let last = units.last(where: { !$0.isSequenceHeader && $0.kind != .data }) {
            timestamp.store(last.timestamp, ordering: .sequentiallyConsistent)
        }
        guard current.load(ordering: .sequentiallyConsistent) else { return false }
        bytes.add(received, ordering: .relaxed)
        for unit in units where !unit.isSequenceHeader {
            switch unit.kind {
            case .video: video.add(1, ordering: .relaxed)
            case .audio: audio.add(1, ordering: .relaxed)
            case .data: continue
            }
            if unit.isKeyFrame { keys.add(1, ordering: .relaxed) }
        }
        return true
    }
}
