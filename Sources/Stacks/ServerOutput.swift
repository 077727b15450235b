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
        /// Bytes that were not written into the log: the last ones of the output.
        var unlogged = 0
        /// `errno` of the log; 0 as long as it can be written.
        var fault: Int32 = 0
    }

    private let state = Mutex(State())

    /// - Parameters:
    ///   - descriptor: Descriptor of the output, which is closed at its end.
    ///   - logPath: File to which the output is appended; nil = no log.
    init(_ descriptor: Int32, logPath: String?) {
        let log =
            logPath.map { open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644) } ?? -1
        let isLogged = logPath != nil
        if isLogged, log < 0 {
            let code = errno
            state.withLock { $0.fault = code }
        }
        let thread = Thread { [self] in
            copy(from: descriptor, to: log, isLogged: isLogged)
            close(descriptor)
            if log >= 0 { close(log) }
            state.withLock { $0.hasEnded = true }
        }
        thread.stackSize = 256 << 10
        thread.start()
    }

    private func copy(from descriptor: Int32, to log: Int32, isLogged: Bool) {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        var logged = 0
        // After the first gap nothing is added, so that the log is a beginning of the output.
        var isOpen = log >= 0
        while true {
            let count = chunk.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            var written = 0
            var fault: Int32 = 0
            if isOpen {
                let wanted = min(count, Self.logLimit - logged)
                written = chunk.withUnsafeBytes { Glibc.write(log, $0.baseAddress, wanted) }
                if written < 0 { fault = errno }
                // A disk that becomes full takes a part.
                if written >= 0, written < wanted { fault = ENOSPC }
                written = max(0, written)
                logged += written
                isOpen = written == count
            }
            let missing = isLogged ? count - written : 0
            let code = fault
            state.withLock { state in
                state.unlogged += missing
                if code != 0 { state.fault = code }
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
        let (bytes, fault) = state.withLock { ($0.unlogged, $0.fault) }
        guard bytes > 0 else { return nil }
        let reason =
            fault == 0
            ? "a log has \(Self.logLimit >> 20) MiB at most"
            : "it cannot be written (\(String(cString: strerror(fault))))"
        return "the server's log lacks the last \(bytes) bytes of its output: \(reason)"
    }
}
