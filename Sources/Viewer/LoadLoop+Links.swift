import Glibc

/// Viewers on links. Their sockets are read on ticks, and each read takes at most the bytes that
/// have come due.
extension LoadLoop {
    /// Number of bytes that have come due, on average, when a lazy viewer reads.
    private static let lazyRead = 16_384.0
    /// Largest number of ticks between two reads of a lazy viewer.
    private static let longestStride = 10

    /// Returns the number of ticks between two reads of a viewer whose link carries `bitsPerSecond`
    /// on average. Load viewers are cheap because they read rarely; a prompt viewer reads on every
    /// tick.
    static func stride(mode: LoadReadMode, bitsPerSecond: Double) -> Int {
        guard mode == .lazy, bitsPerSecond > 0 else { return 1 }
        let perTick = bitsPerSecond / 8 * Double(shapedTickNanoseconds) / 1e9
        return Int(min(Double(longestStride), max(1, lazyRead / perTick)))
    }

    /// Serves the viewers that have their turn on this tick.
    func serveShaped(_ now: Int64) {
        shapedTicks &+= 1
        var closed = false
        for index in shaped {
            guard viewers[index].isOpen else {
                closed = true
                continue
            }
            // A viewer that does not play yet is served on every tick, because requests must not
            // wait.
            guard !viewers[index].hasMedia || (shapedTicks + index) % viewers[index].stride == 0
            else { continue }
            serve(index, now)
        }
        if closed { shaped.removeAll { !viewers[$0].isOpen } }
    }

    func serve(_ index: Int, _ now: Int64) {
        do {
            try viewers[index].sendHeld(now: now, random: &random)
        } catch {
            return fail(index, "\(error)")
        }
        while viewers[index].isOpen, let bytes = viewers[index].releaseHeld(now: now) {
            bytes.withUnsafeBytes { source in
                UnsafeMutableRawBufferPointer(rebasing: buffer[Self.room...]).copyMemory(
                    from: source)
            }
            take(index, bytes.count, now)
        }
        // Bytes that come before the viewer has sent its first bytes wait in the socket.
        guard viewers[index].isOpen, viewers[index].hasGreeted, !viewers[index].isLineFull,
            viewers[index].isConnected,
            let due = viewers[index].link?.due(at: now), due > 0
        else { return }
        var left = due
        // The number of reads is bounded, so that a link of many gigabits does not hold up the
        // loop.
        for _ in 0..<64 where left > 0 && viewers[index].isOpen {
            let wanted = min(left, Self.readSize)
            let count = read(index, limit: wanted, now)
            guard count > 0 else { break }
            left -= count
            if count < wanted { break }
        }
        viewers[index].link?.didRead(due - left, of: due, at: now)
    }
}
