import Foundation
import Glibc
package import Processes

/// The runner's end of a worker, which is a child process that exchanges JSON lines.
package final class Worker<
    Config: Codable & Sendable, Ready: Codable & Sendable, Interval: Codable & Sendable,
    Final: Codable & Sendable
>: Sendable {
    package typealias Command = WorkerCommand<Config>
    package typealias Report = WorkerReport<Ready, Interval, Final>

    package enum Event: Sendable {
        case report(Report)
        /// A part of a report that needs several lines; the rest follows.
        case partial
        /// A line that is not a report. The worker is of another version, or it wrote text to its
        /// output.
        case garbled(String)
        /// The last event, once the output is closed and the child is reaped.
        case ended(ExitStatus)
    }

    package let process: ChildProcess

    /// Starts the worker and sends it its configuration.
    package init(
        name: String, _ options: ChildProcess.Options, config: Config
    ) throws(ProcessError) {
        process = try ChildProcess(name: name, options)
        try send(.config(config))
    }

    package func send(_ command: Command) throws(ProcessError) {
        try process.write(try WorkerLine.encode(command, name: process.name))
    }

    /// Returns everything that the worker reports until it has ended. The function may be called
    /// once.
    package func events() -> AsyncStream<Event> {
        let lines = process.lines()
        let process = process
        return AsyncStream { continuation in
            let task = Task {
                var assembler = MessageAssembler()
                for await event in lines {
                    var outcome = MessageAssembler.Outcome.tooLong
                    if case .line(let bytes) = event { outcome = assembler.receive(bytes) }
                    switch outcome {
                    case .tooLong:
                        continuation.yield(.garbled(MessageAssembler.tooLongWords))
                        process.send(signal: SIGKILL)
                    case .partial: continuation.yield(.partial)
                    case .message(let bytes):
                        if let report: Report = WorkerLine.decode(bytes) {
                            continuation.yield(.report(report))
                        } else {
                            let start = String(decoding: bytes.prefix(200), as: UTF8.self)
                            continuation.yield(.garbled(start))
                        }
                    }
                }
                continuation.yield(.ended(await process.wait()))
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}

/// Encodes one message as one line, or as several lines if the message is long.
package enum WorkerLine {
    /// - Throws: `ProcessError` if the message cannot be encoded or is longer than
    ///   `MessageAssembler.messageLimit`.
    static func encode(_ message: some Encodable, name: String) throws(ProcessError) -> [UInt8] {
        let bytes: Data
        do {
            bytes = try JSONEncoder().encode(message)
        } catch {
            throw ProcessError(name: name, message: "its message cannot be encoded: \(error)")
        }
        guard bytes.count <= MessageAssembler.messageLimit else {
            throw ProcessError(
                name: name,
                message: "its message has \(bytes.count >> 20) MiB, "
                    + "more than \(MessageAssembler.messageLimit >> 20); use more processes")
        }
        return MessageAssembler.lines(of: Array(bytes))
    }

    static func decode<Message: Decodable>(_ bytes: [UInt8]) -> Message? {
        try? JSONDecoder().decode(Message.self, from: Data(bytes))
    }
}

/// The worker's own end: it reads commands from standard input and writes reports to standard
/// output.
package struct WorkerChannel<
    Config: Codable & Sendable, Ready: Codable & Sendable, Interval: Codable & Sendable,
    Final: Codable & Sendable
>: Sendable {
    package typealias Command = WorkerCommand<Config>
    package typealias Report = WorkerReport<Ready, Interval, Final>

    private let input: Int32
    private let output: Int32

    package init(input: Int32 = 0, output: Int32 = 1) {
        self.input = input
        self.output = output
    }

    /// Returns the commands until the runner closes the pipe. The end means that the runner is
    /// gone, and the worker must exit. A line that is not a command also ends the stream.
    package func commands() -> AsyncStream<Command> {
        let input = input
        return AsyncStream { continuation in
            let thread = Thread {
                var isGarbled = false
                var assembler = MessageAssembler()
                LineReader(descriptor: input).forEach { event in
                    guard !isGarbled else { return }
                    var outcome = MessageAssembler.Outcome.tooLong
                    if case .line(let line) = event { outcome = assembler.receive(line) }
                    if case .partial = outcome { return }
                    guard case .message(let bytes) = outcome,
                        let command: Command = WorkerLine.decode(bytes)
                    else {
                        isGarbled = true
                        return continuation.finish()
                    }
                    continuation.yield(command)
                }
                continuation.finish()
            }
            thread.start()
        }
    }

    /// Writes one report, and blocks while the pipe is full. Only one task may call it at a time.
    package func send(_ report: Report) throws(ProcessError) {
        var rest = try WorkerLine.encode(report, name: "worker")[...]
        while !rest.isEmpty {
            let n = rest.withUnsafeBytes { write(output, $0.baseAddress, $0.count) }
            if n < 0 && errno == EINTR { continue }
            guard n > 0 else {
                throw ProcessError(name: "worker", message: "the runner is gone; exiting")
            }
            rest = rest.dropFirst(n)
        }
    }
}
