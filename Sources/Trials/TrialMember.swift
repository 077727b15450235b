import Analysis
import Processes
import SimulationKernel
import Workers

/// A child process of a trial. The runner handles all of them alike, whatever their roles are.
protocol TrialMember: Sendable {
    var stage: TrialStage { get }
    var name: String { get }
    var pid: Int32 { get }
    /// Role to which the child's CPU time is accounted.
    var accountedRole: String { get }
    /// Complaint of the child, or the manner in which it ended without a final report; nil while
    /// all is well.
    var failure: String? { get }

    /// - Throws: `ProcessError` with the child's own words if it cannot begin.
    func waitUntilReady() async throws(ProcessError)
    func start(atNanoseconds start: Int64)
    func setWindow(_ window: Window)
    /// Ends the child and puts its last report into the record.
    ///
    /// - Returns: Reason why the trial is void, because the report is lost or because of its
    ///   contents; nil if all is well.
    func finish(into record: inout TrialRecord) async -> String?
}

/// Purpose of a child. Children are ended in this order.
enum TrialStage: Int, Comparable {
    case apiFlood, probes, sinks, hlsViewers, hlsProbes, loadViewers, publishers, recorder, links,
        wanProxies

    static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

    /// Whether the trial is void once such a child has ended on its own.
    var isEssential: Bool { self != .recorder }
}

/// A child with a role, and what its last report adds to the record.
struct RoleMember<Role: WorkerRole>: TrialMember {
    let stage: TrialStage
    let accountedRole: String
    let handle: RoleHandle<Role>
    /// Longest time without a report before the child's end is forced.
    var patience = Duration.seconds(30)
    /// Puts the report into the record; the report is nil if it was lost. Returns the reason why
    /// the trial is void; nil if it is not.
    let take: @Sendable (Role.Final?, _ loss: String, inout TrialRecord) -> String?

    var name: String { handle.name }
    var pid: Int32 { handle.pid }
    var failure: String? { handle.failure }

    func waitUntilReady() async throws(ProcessError) { _ = try await handle.waitUntilReady() }

    func start(atNanoseconds start: Int64) {
        handle.send(.start(monotonicNanoseconds: start))
    }

    func setWindow(_ window: Window) { handle.send(.window(window)) }

    func finish(into record: inout TrialRecord) async -> String? {
        let report = await handle.finish(timeout: patience)
        let loss = "\(name): its report is lost: \(handle.failure ?? "it ended without one")"
        return take(report, loss, &record)
    }
}
