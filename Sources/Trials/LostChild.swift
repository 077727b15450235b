import Analysis
import Results
import Scenario
import Stacks

/// Looks for a child that has ended on its own. The end of a server or of an edge is a failure of
/// what is under test; the end of a generator, or of a required capture, makes the trial void.
struct LostChild {
    let scenario: TrialScenario
    let driver: (any StackDriver)?
    let edges: [TrialEdge]
    let members: [any TrialMember]
    let capture: CaptureStage?

    /// Returns the reason why the trial ends early; nil if all children run.
    func find() async -> EarlyEnd? {
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

extension StackDriver {
    /// Returns how the server ended before the start of a trial; nil if it did not end. Children
    /// that connect to the server notice its end first, so the function waits 100 ms for the server
    /// to be reaped.
    func lossBeforeStart() async -> String? {
        try? await Task.sleep(for: .milliseconds(100))
        return await exitStatus.map { "the server ended before the start: it \($0)" }
    }
}
