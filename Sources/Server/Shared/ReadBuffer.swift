import NIOCore

/// The buffer that an event loop reads its plain RTMP connections into, one after another.
///
/// Buffers of each connection's own would be as many as there are connections, and would not stay in
/// the processor's cache. A connection gives the buffer back after it has worked on what it read. If
/// something still refers to it by the next read, that read makes a new one. The object is bound to
/// its event loop.
final class ReadBuffer: @unchecked Sendable {
    /// Largest number of bytes of one read. Most key frames fit.
    static let byteCount = 64 << 10

    private var spare: ByteBuffer?

    /// Returns an empty buffer that nothing else refers to.
    fileprivate func take(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = spare ?? ByteBuffer()
        spare = nil
        let isFree = buffer.modifyIfUniquelyOwned { $0.clear() } != nil
        return isFree && buffer.storageCapacity == Self.byteCount
            ? buffer : allocator.buffer(capacity: Self.byteCount)
    }

    /// Keeps the buffer of a read for the next one. Only channels that this object serves give their
    /// buffers back: a buffer that TLS uses again would be copied if it were also kept here.
    func giveBack(_ buffer: ByteBuffer) {
        if buffer.storageCapacity == Self.byteCount { spare = buffer }
    }

    /// Makes a channel of this event loop read into this buffer.
    ///
    /// - Parameter channel: Channel whose handler gives each buffer back.
    func serve(_ channel: any Channel) throws {
        guard let options = channel.syncOptions else { return }
        // The channel keeps as many buffers as it may read one after another, so it keeps one.
        try options.setOption(.maxMessagesPerRead, value: 1)
        try options.setOption(.recvAllocator, value: SharedReadAllocator(buffer: self))
    }
}

/// Lends a channel the read buffer of its event loop.
private struct SharedReadAllocator: RecvByteBufferAllocator {
    /// Bytes of the first read, which is the beginning of a handshake. The channel keeps the buffer of
    /// the first read as long as it exists.
    private static let firstByteCount = 2048

    let buffer: ReadBuffer
    private var hasRead = false

    init(buffer: ReadBuffer) { self.buffer = buffer }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        hasRead ? buffer.take(allocator) : allocator.buffer(capacity: Self.firstByteCount)
    }

    /// Returns true: the channel must not use the buffer of a read again by itself.
    mutating func record(actualReadBytes: Int) -> Bool {
        hasRead = true
        return true
    }
}
