package import Processes
import Foundation
import Glibc
import Synchronization

/// The runner's side of one child: what it has said so far, and waiting for what it will say.
package final class RoleHandle<Role: WorkerRole>: Sendable {
    private typealias Child = Worker<Role.Config, Role.Ready, Role.Interval, Role.Final>

    struct State {
        var ready: Role.Ready?
        var final: Role.Final?
        var failure: String?
        var ended: ExitStatus?
        /// When it last said anything, or was last asked to.
        var lastHeard = ContinuousClock.now
    }

    package let name: String
    private let worker: Child
    private let pump: Task<Void, Never>

    /// Starts the child.
    ///
    /// - Parameters:
    ///   - networkNamespace: descriptor of the one that it enters; nil = this process's.
    ///   - onInterval: called for every interval report, in order, on a task of its own.
    package init(
        name: String, logDirectory: String, cpus: CPUSet?, networkNamespace: Int32? = nil,
        config: Role.Config,
        onInterval: @escaping @Sendable (Role.Interval) -> Void = { _ in }
    ) throws(ProcessError) {
        self.name = name
        // `/proc/self/exe` would be the child's shell by then: the path is read here.
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
    /// How it ended before it was told to, or what it complained of; nil while all is well.
    package var failure: String? {
        box.state.withLock { state in
            state.failure
                ?? state.ended.flatMap { state.final == nil ? "\($0)" : nil }
        }
    }

    package var exitStatus: ExitStatus? { worker.process.exitStatus }

    /// Waits for the child's ready report.
    ///
    /// - Throws: `ProcessError` with the child's own words where it cannot begin.
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
        // A child that is gone shows by its failure.
        try? worker.send(command)
    }

    /// Asks for the final report and waits until the child has ended; kills it once it has said
    /// nothing for `timeout`. nil where there is no report; `failure` tells why.
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
