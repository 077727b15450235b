import Analysis
import Scenario
import Workers
import NetemShell
import Glibc
import Processes
import Results

/// The packet shell of a trial.
extension TrialRunner {
    /// Starts the process that forwards viewers' packets, where any viewer is behind packets, and
    /// opens the namespace in which those viewers run.
    /// - Throws: `ProcessError`, with what is missing.
    func startLinks(_ congestionControl: String?) async throws(ProcessError) {
        guard let config = plan.linkConfig(congestionControl, seed: scenario.seed) else { return }
        guard NetworkIsolation.isEntered else {
            throw ProcessError(
                name: "links-0",
                message:
                    "links of real packets need a network namespace of the run's own: run as root, "
                    + "or take shell: socket")
        }
        let cpus = scenario.cpus.links
        let handle = try RoleHandle<LinkRole>(
            name: "links-0", logDirectory: writer.partialPath, cpus: cpus, config: config)
        members.append(
            RoleMember(stage: .links, accountedRole: "links", handle: handle) {
                report, loss, record in
                guard let report else { return loss }
                record.links = LinkFigures(
                    viewers: report.viewers.map {
                        LinkFigures.Losses(index: $0.index, lost: $0.lost, dropped: $0.dropped)
                    }, releaseLateness: report.releaseLateness)
                return report.voidReasons.isEmpty
                    ? nil : "links-0: " + report.voidReasons.joined(separator: "; ")
            })
        let path = try await handle.waitUntilReady().namespacePath
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ProcessError(
                name: "links-0",
                message: "cannot open the viewers' namespace: \(String(cString: strerror(errno)))")
        }
        linkNamespace = descriptor
    }

    /// The namespace that a process's sockets belong to; nil = this process's.
    func namespace(of process: ProcessPlan) -> Int32? {
        process.isBehindPackets ? linkNamespace : nil
    }

    func closeLinkNamespace() {
        if let linkNamespace { close(linkNamespace) }
        linkNamespace = nil
    }
}
