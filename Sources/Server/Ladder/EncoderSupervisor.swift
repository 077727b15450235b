import Foundation
import Glibc
import HTTPWire
import Logging
import Processes
import Synchronization

/// Keeps one ffmpeg running until it is told to stop.
final class EncoderSupervisor: Sendable {
    let name: String
    let renditions: [LadderRendition]
    private let path: String
    private let command: EncoderCommand
    private let registry: EncoderRegistry
    private let ladder: LadderConfiguration
    private let logger: Logger
    private let machine: Mutex<EncoderStateMachine>
    private let child = Mutex<ChildProcess?>(nil)
    private let task = Mutex<Task<Void, Never>?>(nil)
    private let isFinished = Mutex(false)
    private let started = ContinuousClock.now

    /// - Parameters:
    ///   - name: Name in the log.
    ///   - registry: Registry that gets each process.
    init(
        name: String, path: String, command: EncoderCommand, registry: EncoderRegistry,
        logger: Logger
    ) {
        self.registry = registry
        self.name = name
        self.path = path
        self.command = command
        renditions = command.renditions
        ladder = command.ladder
        self.logger = logger
        machine = Mutex(EncoderStateMachine(policy: command.ladder.restarts))
    }

    private var milliseconds: Int { Int((ContinuousClock.now - started) / .milliseconds(1)) }

    func start() {
        task.withLock { task in
            guard task == nil else { return }
            task = Task { await supervise() }
        }
    }

    /// Returns the state of each of its renditions.
    func status(source: String) -> [LadderStatus.Rendition] {
        let machine = machine.withLock { $0 }
        return renditions.enumerated().map { index, rendition in
            // ffmpeg counts the frames of its first output.
            let progress = index == 0 ? machine.progress : EncoderProgress()
            return LadderStatus.Rendition(
                name: rendition.name, stream: "\(source)_\(rendition.name)",
                state: machine.state, pid: machine.pid, restarts: machine.restarts,
                lastError: machine.lastError, encodedFrames: progress.frames,
                duplicatedFrames: progress.duplicatedFrames,
                droppedFrames: progress.droppedFrames, speed: machine.progress.speed)
        }
    }

    /// Waits until the encoder ends by itself, and otherwise ends it.
    ///
    /// - Parameter drain: Time that the encoder has to end by itself.
    func stop(drain: Duration) async {
        machine.withLock { $0.stop() }
        guard let task = task.withLock({ $0 }) else { return }
        task.cancel()
        let deadline = ContinuousClock.now + drain
        // A process may be starting at this moment: it is ended as soon as it exists.
        while !isFinished.withLock({ $0 }) {
            if ContinuousClock.now >= deadline, let child = child.withLock({ $0 }) {
                _ = await child.terminate(grace: .milliseconds(ladder.terminationMilliseconds))
            }
            // A cancelled caller does not shorten the wait: the encoder has its time.
            await Task { try? await Task.sleep(for: .milliseconds(20)) }.value
        }
    }

    private func supervise() async {
        defer { isFinished.withLock { $0 = true } }
        while !Task.isCancelled {
            let (reason, isPermanent) = await runOnce()
            let jitter = Double.random(in: 0...1)
            let now = milliseconds
            let next = machine.withLock {
                $0.ended(reason, isPermanent: isPermanent, atMilliseconds: now, jitter: jitter)
            }
            switch next {
            case .finish:
                if machine.withLock({ $0.state }) == .failed {
                    logger.error("ladder \(name.printable): given up: \(reason.printable)")
                }
                return
            case .restart(let delay):
                logger.warning(
                    "ladder \(name.printable): \(reason.printable); starting it again in \(delay) ms"
                )
                try? await Task.sleep(for: .milliseconds(delay))
            }
        }
    }

    /// Starts ffmpeg and waits for its end; returns how it ended.
    private func runOnce() async -> (reason: String, isPermanent: Bool) {
        guard let (reading, writing) = ClosedPipe.make() else {
            return ("no pipe for its errors (\(String(cString: strerror(errno))))", false)
        }
        let tail = ErrorTail()
        let process: ChildProcess
        do {
            process = try ChildProcess(
                name: name,
                .init(
                    path: path, arguments: command.arguments, logPath: "/proc/self/fd/\(writing)",
                    cpus: ladder.cpus))
        } catch {
            close(writing)
            close(reading)
            return ("\(error.message); install it with: apt-get install ffmpeg", true)
        }
        registry.started(process.pid, source: command.source, outputs: command.outputs)
        defer { registry.ended(process.pid) }
        close(writing)
        let drained = DispatchSemaphore(value: 0)
        let reader = Thread {
            tail.drain(reading)
            drained.signal()
        }
        reader.stackSize = 256 << 10
        reader.start()
        child.withLock { $0 = process }
        let now = milliseconds
        machine.withLock { $0.launched(pid: process.pid, atMilliseconds: now) }
        logger.info("ladder \(name.printable): ffmpeg \(process.pid)")
        let status = await follow(process)
        child.withLock { $0 = nil }
        // All writers are gone, so the reader reaches its end at once.
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                _ = drained.wait(timeout: .now() + 1)
                continuation.resume()
            }
        }
        return (tail.lastLine.map { "ffmpeg \(status): \($0)" } ?? "ffmpeg \(status)", false)
    }

    /// Reads the reports until the process has ended; kills it if it makes no frames.
    private func follow(_ process: ChildProcess) async -> ExitStatus {
        let limit = ladder.stallMilliseconds
        let watchdog = Task {
            while !Task.isCancelled {
                try? await Task.sleep(for: .milliseconds(500))
                let now = milliseconds
                let isStalled = machine.withLock {
                    $0.isStalled(forMilliseconds: limit, atMilliseconds: now)
                }
                guard isStalled else { continue }
                logger.warning("ladder \(name.printable): no frame for \(limit) ms, killing ffmpeg")
                process.send(signal: SIGKILL)
                return
            }
        }
        // A task of its own reads the pipe and continues when the supervisor is cancelled, because
        // a full pipe would keep ffmpeg from ending.
        let reading = Task {
            for await case .line(let bytes) in process.lines() {
                let now = milliseconds
                let line = String(decoding: bytes.prefix(ErrorTail.lineLimit), as: UTF8.self)
                machine.withLock { $0.reported(line, atMilliseconds: now) }
            }
        }
        let status = await process.wait()
        await reading.value
        watchdog.cancel()
        return status
    }
}
