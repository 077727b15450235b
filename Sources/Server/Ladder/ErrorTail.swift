import Glibc
import Synchronization

/// Reads a descriptor to its end and keeps the last line. A writer never blocks, and memory stays
/// bounded, whatever is written.
final class ErrorTail: Sendable {
    private struct State {
        var line: [UInt8] = []
        /// The part of the current line that is kept.
        var pending: [UInt8] = []
    }

    /// Number of bytes kept of a line.
    static let lineLimit = 512
    private let state = Mutex(State())

    /// Last line that was not blank.
    var lastLine: String? {
        state.withLock { $0.line.isEmpty ? nil : String(decoding: $0.line, as: UTF8.self) }
    }

    /// Blocks its thread until the end, then closes the descriptor.
    func drain(_ descriptor: Int32) {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let n = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if n < 0 && errno == EINTR { continue }
            guard n > 0 else { break }
            receive(chunk[..<n])
        }
        receive([0x0A])
        close(descriptor)
    }

    func receive(_ bytes: ArraySlice<UInt8>) {
        state.withLock { state in
            for byte in bytes {
                guard byte == 0x0A || byte == 0x0D else {
                    if state.pending.count < Self.lineLimit { state.pending.append(byte) }
                    continue
                }
                if state.pending.contains(where: { $0 > 0x20 }) { state.line = state.pending }
                state.pending.removeAll(keepingCapacity: true)
            }
        }
    }
}
