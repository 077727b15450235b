// Packet links take part in a trial as follows. The role `links` owns a pair of TUN devices. One
// device is in the run's namespace; the other is in a namespace for viewers, which the role makes.
// Processes of viewers behind packets start in that namespace (`setns` between fork and exec), and
// each viewer connects from its own address. The server listens on all addresses of the run's
// namespace, and the capture records all of its devices. Connections in the capture are matched
// with viewers by address and port.

import Analysis
import Glibc
import NetemShell
import Processes
import Results
import Scenario
import Workers

/// Starts the packet shell of a trial: the process that forwards the packets of the viewers behind
/// it.
struct LinkStarter: Sendable {
    let plan: Plan
    let seed: UInt64
    let cpus: CPUSet?
    /// Directory of the results, for the process's log.
    let directory: String

    /// Starts the packet shell, if any viewer is behind packets, and opens the namespace in which
    /// those viewers run.
    ///
    /// - Parameters:
    ///   - congestionControl: Congestion control of the namespace; nil = the system's.
    ///   - add: Function that gets the process before it is ready.
    /// - Returns: Descriptor of the namespace, which the caller closes; nil if there is no packet
    ///   shell.
    /// - Throws: `ProcessError` that says what is missing.
    func start(
        congestionControl: String?, isolation: isolated (any Actor)? = #isolation,
        add: (any TrialMember) -> Void
    ) async throws(ProcessError) -> Int32? {
        guard let config = plan.linkConfig(congestionControl, seed: seed) else { return nil }
        guard NetworkIsolation.isEntered else {
            throw ProcessError(
                name: "links-0",
                message:
                    "links of real packets need a network namespace of the run's own: run as root, "
                    + "or take shell: socket")
        }
        let handle = try RoleHandle<LinkRole>(
            name: "links-0", logDirectory: directory, cpus: cpus, config: config)
        add(Self.member(handle))
        let path = try await handle.waitUntilReady().namespacePath
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ProcessError(
                name: "links-0",
                message: "cannot open the viewers' namespace: \(String(cString: strerror(errno)))")
        }
        return descriptor
    }

    private static func member(_ handle: RoleHandle<LinkRole>) -> any TrialMember {
        RoleMember(stage: .links, accountedRole: "links", handle: handle) {
            report, loss, record in
            guard let report else { return loss }
            record.links = LinkFigures(
                viewers: report.viewers.map {
                    LinkFigures.Losses(index: $0.index, lost: $0.lost, dropped: $0.dropped)
                }, releaseLateness: report.releaseLateness)
            return report.voidReasons.isEmpty
                ? nil : "links-0: " + report.voidReasons.joined(separator: "; ")
        }
    }
}
