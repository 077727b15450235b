import Foundation
import Glibc
import Processes
package import SimulationKernel
import Sockets

/// The work of one kind of child process between its configuration and its last report.
package protocol WorkerRole: Sendable {
    associatedtype Config: Codable & Sendable
    associatedtype Ready: Codable & Sendable
    associatedtype Interval: Codable & Sendable
    associatedtype Final: Codable & Sendable

    /// Word that follows `millrace worker`.
    static var name: String { get }

    /// Does everything that can fail before the start, including connections, and everything that
    /// needs root's rights, because the worker may give up these rights afterwards.
    init(_ config: Config) async throws
    /// Information that the runner needs before the start.
    var ready: Ready { get async throws }
    func start(atNanoseconds start: Int64) async throws
    func setWindow(_ window: Window) async throws
    /// Returns an interval report: depending on the role, the totals until now or only the changes
    /// since the last call.
    func interval() async throws -> Interval
    /// Ends the work and returns the last report.
    func stop() async throws -> Final
}

/// The main loop of a child process. It receives commands and sends reports, one interval each
/// second.
package enum WorkerMain {
    private enum Event<Config: Codable & Sendable>: Sendable {
        case command(WorkerCommand<Config>)
        case tick
        /// The pipe is closed because the runner is gone.
        case orphaned
    }

    /// Runs `role` until it is told to stop, and returns the process's exit code.
    package static func run<Role: WorkerRole>(_ role: Role.Type) async -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        // The runner handles Ctrl-C on a terminal.
        signal(SIGINT, SIG_IGN)
        signal(SIGHUP, SIG_IGN)
        raiseDescriptorLimit()
        let channel = WorkerChannel<Role.Config, Role.Ready, Role.Interval, Role.Final>()
        let (events, continuation) = AsyncStream<Event<Role.Config>>.makeStream()
        let reading = Task {
            for await command in channel.commands() { continuation.yield(.command(command)) }
            continuation.yield(.orphaned)
        }
        let ticking = Task {
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(1))
                continuation.yield(.tick)
            }
        }
        defer {
            reading.cancel()
            ticking.cancel()
        }
        var instance: Role?
        var isStarted = false
        do {
            for await event in events {
                switch event {
                case .command(.config(let config)):
                    let role = try await Role(config)
                    instance = role
                    try Privileges.dropInWorker()
                    try channel.send(.ready(try await role.ready))
                case .command(.start(let time)):
                    isStarted = true
                    try await instance?.start(atNanoseconds: time)
                case .command(.window(let window)): try await instance?.setWindow(window)
                case .command(.stop):
                    if let instance { try channel.send(.final(try await instance.stop())) }
                    return 0
                case .tick:
                    guard isStarted, let instance else { continue }
                    try channel.send(.interval(try await instance.interval()))
                case .orphaned:
                    _ = try? await instance?.stop()
                    return 1
                }
            }
        } catch {
            try? channel.send(.failed(message: "\(error)"))
            return 1
        }
        return 1
    }

    /// Raises the soft limit of descriptors to the hard limit, because every viewer needs a
    /// descriptor.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
