import Foundation
import Glibc
import Synchronization

/// Reads what a server writes, so that the server never waits for its output to be read: the
/// beginning goes into a log, and the last lines are kept for messages.
final class ServerOutput: Sendable {
    /// Most bytes of the log.
    static let logLimit = 16 << 20
    /// Most bytes of the last lines.
    static let tailLimit = 2048

    private struct State {
        var tail: [UInt8] = []
        var hasEnded = false
        /// Bytes that were not written into the log.
        var unlogged = 0
    }

    private let state = Mutex(State())

    /// - Parameters:
    ///   - descriptor: Descriptor of the output, which is closed at its end.
    ///   - logPath: File to which the output is appended; nil = no log.
    init(_ descriptor: Int32, logPath: String?) {
        let log =
            logPath.map { open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644) } ?? -1
        let thread = Thread { [self] in
            copy(from: descriptor, to: log)
            close(descriptor)
            if log >= 0 { close(log) }
            state.withLock { $0.hasEnded = true }
        }
        thread.stackSize = 256 << 10
        thread.start()
    }

    private func copy(from descriptor: Int32, to log: Int32) {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        var logged = 0
        while true {
            let count = chunk.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            let wanted = log < 0 ? 0 : min(count, Self.logLimit - logged)
            // A log that cannot be written is counted like one that is full.
            let written = chunk.withUnsafeBytes { Glibc.write(log, $0.baseAddress, wanted) }
            logged += max(0, written)
            let missing = log < 0 ? 0 : count - max(0, written)
            state.withLock { state in
                state.unlogged += missing
                state.tail += chunk[..<count].suffix(Self.tailLimit)
                if state.tail.count > Self.tailLimit {
                    state.tail.removeFirst(state.tail.count - Self.tailLimit)
                }
            }
        }
    }

    /// The last lines in one line of text; empty if nothing was written.
    var lastWords: String {
        let tail = state.withLock { $0.tail }
        let lines = String(decoding: tail, as: UTF8.self).split(whereSeparator: \.isNewline)
            .map { line in
                String(line.map { $0.isASCII && ($0.asciiValue ?? 0) < 32 ? " " : $0 })
            }
        return lines.suffix(8).joined(separator: " | ")
    }

    /// Waits until the output has ended, 1 s at most.
    func settle() async {
        for _ in 0..<100 {
            if state.withLock({ $0.hasEnded }) { return }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Note on the log; nil if the log is whole.
    var note: String? {
        let bytes = state.withLock { $0.unlogged }
        guard bytes > 0 else { return nil }
        return
            "the server's log lacks the last \(bytes) bytes of its output: a log has \(Self.logLimit >> 20) MiB at most"
    }
}
