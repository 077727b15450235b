import Glibc

/// Viewers on links: their sockets are read on ticks, at most what has come due.
extension LoadLoop {
    /// A lazy viewer waits until about so much has come due, bytes.
    private static let lazyRead = 16_384.0
    /// Ticks that it waits at most.
    private static let longestStride = 10

    /// Ticks between two reads of a viewer whose link carries `bitsPerSecond` on average. Reading
    /// rarely is what makes load viewers cheap; a prompt one reads on every tick.
    static func stride(mode: LoadReadMode, bitsPerSecond: Double) -> Int {
        guard mode == .lazy, bitsPerSecond > 0 else { return 1 }
        let perTick = bitsPerSecond / 8 * Double(shapedTickNanoseconds) / 1e9
        return min(longestStride, max(1, Int(lazyRead / perTick)))
    }

    /// One tick: those whose turn it is.
    func serveShaped(_ now: Int64) {
        shapedTicks &+= 1
        var closed = false
        for index in shaped {
            guard viewers[index].isOpen else {
                closed = true
                continue
            }
            // Before it plays a viewer is served on every tick: requests do not wait.
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
        // What a server says before it can have been greeted waits in the socket.
        guard viewers[index].isOpen, viewers[index].hasGreeted, !viewers[index].isLineFull,
            viewers[index].isConnected,
            let due = viewers[index].link?.due(at: now), due > 0
        else { return }
        var left = due
        // Bounded: a link of many gigabits does not hold the loop.
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
