import Analysis
import Processes
import Scenario
import Stacks
import Statistics
import Viewer
import Workers

/// Starts the sinks of a trial, which are the targets of the relay under test. They start before the
/// server, because the server must be told their ports.
struct SinkStarter: Sendable {
    let plan: Plan
    let observations: TrialObservations
    /// Directory of the results, for the sinks' logs.
    let directory: String

    /// Starts the sinks and waits until they listen.
    ///
    /// - Parameter add: Function that gets each sink before it is ready.
    /// - Returns: The targets of each stream, in their order; none without a relay.
    /// - Throws: `ProcessError` with a sink's own words.
    func start(
        isolation: isolated (any Actor)? = #isolation, add: (any TrialMember) -> Void
    ) async throws(ProcessError) -> [RelayTarget] {
        var ports: [Int] = []
        for process in plan.processes where process.role == .sinks {
            let handle = try sink(process)
            add(member(handle))
            ports.append(try await handle.waitUntilReady().port)
        }
        guard !ports.isEmpty else { return [] }
        let last = plan.targetSessions.compactMap(\.target).max() ?? -1
        return (0..<(last + 1)).map { target in
            RelayTarget(
                port: ports[target % ports.count],
                application: RelaySettings.application(ofTarget: target))
        }
    }

    private func sink(_ process: ProcessPlan) throws(ProcessError) -> RoleHandle<SinkRole> {
        let (name, observations) = (process.name, observations)
        return try RoleHandle<SinkRole>(
            name: name, logDirectory: directory, cpus: process.cpus,
            config: SinkRole.Config(specs: plan.sinkSpecs(process))
        ) { observations.probes(name, $0.probes) }
    }

    private func member(_ handle: RoleHandle<SinkRole>) -> any TrialMember {
        RoleMember(stage: .sinks, accountedRole: "sinks", handle: handle) {
            report, loss, record in
            guard let report else { return loss }
            record.probes += report.probes.viewers
            record.probeLag.add(report.probes.windowLag)
            var refused = report.refused
            if report.leftOutMessages > 0 {
                refused["a media message belonged to no accepted stream"] = report.leftOutMessages
            }
            if !refused.isEmpty {
                var refusals = record.sinkRefusals ?? [:]
                refusals.merge(refused, uniquingKeysWith: +)
                record.sinkRefusals = refusals
            }
            return nil
        }
    }
}
