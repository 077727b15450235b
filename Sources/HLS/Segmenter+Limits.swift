/// Limits on the cost of segments.
extension Segmenter {
    /// Takes segments out of the playlist that are too old or too many; `least` segments stay.
    mutating func slide(least: Int) {
        let window = max(
            Int64(configuration.window * 90_000), 3 * Int64(targetDuration ?? 1) * 90_000)
        for gone in writer.store.slide(
            window: window, byteLimit: totalByteLimit, limit: configuration.segmentLimit,
            least: least)
        where gone.entry.isDiscontinuity {
            discontinuitySequence += 1
        }
    }

    /// Changes the limit on all segments, and applies it at once: otherwise a stream that sends
    /// nothing more would keep the memory that was allowed before. The segments that an ended
    /// playlist lists stay.
    /// - Returns: Whether the playlist has changed.
    public mutating func setTotalByteLimit(_ bytes: Int) -> Bool {
        totalByteLimit = bytes
        guard !isFinished else {
            writer.store.expire(byteLimit: bytes, limit: 2 * configuration.segmentLimit)
            return false
        }
        let listed = writer.store.segments.first?.number
        let isHuge = (open?.cost ?? 0) > 2 * segmentByteLimit
        if isHuge { interrupt() }
        // Fewer than three segments stay only if three would exceed the limit.
        slide(least: 1)
        return isHuge || writer.store.segments.first?.number != listed
    }
}
