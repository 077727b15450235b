import Foundation
import Glibc
package import Processes
import Synchronization

/// The runner's side of one child. It keeps what the child has reported, and waits for reports.
package final class RoleHandle<Role: WorkerRole>: Sendable {
    private typealias Child = Worker<Role.Config, Role.Ready, Role.Interval, Role.Final>

    struct State {
        var ready: Role.Ready?
        var final: Role.Final?
        var failure: String?
        var ended: ExitStatus?
        /// Time at which the child last reported anything, or at which the runner last asked it for
        /// a report.
        var lastHeard = ContinuousClock.now
    }

    package let name: String
    private let worker: Child
    private let pump: Task<Void, Never>

    /// Starts the child.
    ///
    /// - Parameters:
    ///   - networkNamespace: Descriptor of the network namespace that the child enters; nil = the
    ///     namespace of this process.
    ///   - onInterval: Function that is called for every interval report, in order, on a separate
    ///     task.
    package init(
        name: String, logDirectory: String, cpus: CPUSet?, networkNamespace: Int32? = nil,
        config: Role.Config,
        onInterval: @escaping @Sendable (Role.Interval) -> Void = { _ in }
    ) throws(ProcessError) {
        self.name = name
        // In the child, `/proc/self/exe` would already be its shell, so this process reads the
        // path.
        let path =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? "/proc/self/exe"
        var options = ChildProcess.Options(
            path: path, arguments: ["worker", Role.name],
            logPath: "\(logDirectory)/\(name).log", cpus: cpus)
        options.networkNamespace = networkNamespace
        worker = try Child(name: name, options, config: config)
        let events = worker.events()
        let box = Box()
        pump = Task {
            for await event in events {
                box.state.withLock { $0.lastHeard = .now }
                switch event {
                case .partial: break
                case .report(.interval(let interval)): onInterval(interval)
                case .report(.ready(let ready)): box.state.withLock { $0.ready = ready }
                case .report(.final(let final)): box.state.withLock { $0.final = final }
                case .report(.failed(let message)): box.state.withLock { $0.failure = message }
                case .garbled(let text):
                    box.state.withLock { $0.failure = "said what is no report: \(text)" }
                case .ended(let status): box.state.withLock { $0.ended = status }
                }
            }
        }
        self.box = box
    }

    private final class Box: Sendable {
        let state = Mutex(State())
    }
    private let box: Box

    package var pid: Int32 { worker.process.pid }
    package var final: Role.Final? { box.state.withLock { $0.final } }
    /// Complaint of the child, or the manner in which it ended without a final report; nil while
    /// all is well.
    package var failure: String? {
        box.state.withLock { state in
            state.failure
                ?? state.ended.flatMap { state.final == nil ? "\($0)" : nil }
        }
    }

    package var exitStatus: ExitStatus? { worker.process.exitStatus }

    /// Waits for the child's ready report.
    ///
    /// - Throws: `ProcessError` with the child's own words if it cannot begin.
    package func waitUntilReady(timeout: Duration = .seconds(20)) async throws(ProcessError)
        -> Role.Ready
    {
        let deadline = ContinuousClock.now + timeout
        while ContinuousClock.now < deadline {
            if let ready = box.state.withLock({ $0.ready }) { return ready }
            if let failure { throw ProcessError(name: name, message: failure) }
            try? await Task.sleep(for: .milliseconds(5))
            if Task.isCancelled { throw ProcessError(name: name, message: "interrupted") }
        }
        let isHeld = ProcFile.statFields(pid: pid)?.first.map { "Tt".contains($0) } ?? false
        throw ProcessError(
            name: name,
            message: "was not ready within \(timeout)"
                + (isHeld ? ": it is stopped by a signal or a debugger; let it go on" : ""))
    }

    package func send(_ command: WorkerCommand<Role.Config>) {
        // If the child has ended, `failure` says so.
        try? worker.send(command)
    }

    /// Asks for the final report and waits until the child has ended. The child is killed once it
    /// has reported nothing for `timeout`.
    ///
    /// - Returns: The report; nil if there is none, and then `failure` gives the reason.
    package func finish(timeout: Duration = .seconds(30)) async -> Role.Final? {
        box.state.withLock { $0.lastHeard = .now }
        send(.stop)
        let killer = Task { [worker, box] in
            while true {
                let deadline = box.state.withLock { $0.lastHeard } + timeout
                if deadline <= .now { break }
                try await Task.sleep(until: deadline, clock: .continuous)
            }
            worker.process.send(signal: SIGKILL)
        }
        await pump.value
        killer.cancel()
        return final
    }

    /// Ends the child without a report.
    package func kill() async {
        _ = await worker.process.terminate(grace: .milliseconds(200))
        await pump.value
    }
}
