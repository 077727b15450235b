import Workers
import Scenario
import SimulationKernel
import Stacks
import Analysis
import Sockets
import Glibc
import Processes
import Publisher
import Results
import Viewer

/// Whose CPU is accounted to which role, and the server in the course of a trial.
extension TrialRunner {
    func makeAccounting() async -> ProcessAccounting {
        var groups: [AccountedGroup] = []
        groups += await accountedServer()
        groups += members.map {
            AccountedGroup(role: $0.accountedRole, processGroup: $0.pid, name: $0.name)
        }
        if let status = observations.snapshot.server { groups += Self.accounted(status) }
        groups += edges.accountedGroups
        if let pid = capture?.pid {
            groups.append(AccountedGroup(role: "capture", processGroup: pid))
        }
        return ProcessAccounting(
            runID: writer.runID.description, groups: groups, time: elapsed)
    }

    func accountedServer() async -> [AccountedGroup] {
        await (driver?.processGroups ?? []).map {
            AccountedGroup(role: "server", processGroup: $0, ignoredCommands: ["sh", "ffmpeg"])
        }
    }

    /// How the server ended before the start, if it did: whoever connects to it notices first.
    var lostServer: String? {
        get async {
            guard let driver else { return nil }
            try? await Task.sleep(for: .milliseconds(100))
            return await driver.exitStatus.map { "the server ended before the start: it \($0)" }
        }
    }

    /// Takes note of processes that are held by a signal or a debugger.
    func lookForStops() {
        stops.receive(
            accounting?.stopped ?? [:], at: Clock.monotonicNanoseconds())
    }

    /// Lets those go on that are still held at the end: their reports are wanted.
    func releaseStopped() async {
        lookForStops()
        // Before the start there is none.
        let present = if let accounting { accounting } else { await makeAccounting() }
        for pid in present.stopped.keys { kill(pid, SIGCONT) }
    }

    /// A server that was started again has other processes.
    func followServer() async {
        let count = await driver?.restarts.count ?? 0
        guard count > 0 else { return }
        accounting?.replace("server", with: await accountedServer())
    }

    /// A child that has ended on its own. The server's end is the server's failure; a
    /// generator's end makes the trial void.
    func lostChild() async -> EarlyEnd? {
        if scenario.capture.mode == .on, let failure = capture?.failure {
            return EarlyEnd(outcome: .void, reason: "capture-0: \(failure)")
        }
        if let status = await driver?.exitStatus {
            return EarlyEnd(outcome: .failed, reason: "the server ended in mid-run: it \(status)")
        }
        let hasFailover = scenario.stack.edges?.failover != 0
        if let reason = edges.lossReason(hasFailover: hasFailover) {
            return EarlyEnd(outcome: .failed, reason: reason)
        }
        for member in members where member.stage.isEssential {
            if let failure = member.failure {
                return EarlyEnd(outcome: .void, reason: "\(member.name): \(failure)")
            }
        }
        return nil
    }
}
