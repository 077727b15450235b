import Glibc

/// Splits the bytes of a descriptor into lines of bounded length; it blocks its thread.
public struct LineReader {
    public enum Event: Sendable, Hashable {
        /// A line without its line end.
        case line([UInt8])
        /// A line longer than the limit; the rest of the stream is not read.
        case tooLong
    }

    public static let maximumLineBytes = 16 << 20

    let descriptor: Int32
    let limit: Int

    public init(descriptor: Int32, limit: Int = maximumLineBytes) {
        self.descriptor = descriptor
        self.limit = limit
    }

    /// Calls `body` for each line until the end of the stream.
    public func forEach(_ body: (Event) -> Void) {
        var pending: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let n = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if n < 0 && errno == EINTR { continue }
            guard n > 0 else { break }
            var rest = chunk[..<n]
            while let end = rest.firstIndex(of: 0x0A) {
                guard pending.count + (end - rest.startIndex) <= limit else {
                    return body(.tooLong)
                }
                pending += rest[..<end]
                body(.line(pending))
                pending.removeAll(keepingCapacity: true)
                rest = rest[(end + 1)...]
            }
            guard pending.count + rest.count <= limit else { return body(.tooLong) }
            pending += rest
        }
        if !pending.isEmpty { body(.line(pending)) }
    }
}
