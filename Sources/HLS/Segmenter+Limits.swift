import Media
import NIOCore

/// What segments may cost.
extension Segmenter {
    /// Takes segments out of the playlist that are too old, or too many; `least` stay.
    mutating func slide(least: Int) {
        let window = max(
            Int64(configuration.window * 90_000), 3 * Int64(targetDuration ?? 1) * 90_000)
        for gone in store.slide(
            window: window, byteLimit: totalByteLimit, limit: configuration.segmentLimit,
            least: least)
        where gone.entry.isDiscontinuity {
            discontinuitySequence += 1
        }
    }

    /// Changes what all segments may cost, at once: whoever sends nothing more would else keep what
    /// was allowed before. What an ended playlist lists stays.
    /// - Returns: whether the playlist has changed.
    public mutating func setTotalByteLimit(_ bytes: Int) -> Bool {
        totalByteLimit = bytes
        guard !isFinished else {
            store.expire(byteLimit: bytes, limit: 2 * configuration.segmentLimit)
            return false
        }
        let listed = store.segments.first?.number
        let isHuge = (open?.cost ?? 0) > 2 * segmentByteLimit
        if isHuge { interrupt() }
        // Fewer than three only where three would be more than all may be.
        slide(least: 1)
        return isHuge || store.segments.first?.number != listed
    }

    static func keyFrameBytes(
        _ tracks: MediaTracks, _ container: SegmenterConfiguration.Container
    ) -> Int {
        guard container == .ts, let video = tracks.video else { return 0 }
        return (video.sps + video.pps).reduce(0) { $0 + $1.readableBytes + 4 }
    }
}
