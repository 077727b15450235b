import Analysis
import Processes
import Scenario
import Stacks
import Viewer
import Workers

/// Starts the client that floods the API of the server under test.
struct APIFloodStarter: Sendable {
    let scenario: TrialScenario
    /// Token of the server's API; nil = the scenario has no flood.
    let token: String?
    /// Directory of the results, for the client's log.
    let directory: String

    /// Returns a new random token for the API of the server under test; nil if the scenario has no
    /// flood.
    static func makeToken(for scenario: TrialScenario) -> String? {
        guard scenario.relay?.faults?.apiRequests != nil else { return nil }
        let parts = (0..<2).map { _ in String(UInt64.random(in: 0 ... .max), radix: 16) }
        return parts.joined()
    }

    /// - Returns: The client; nil if the scenario has no flood.
    /// - Throws: `ProcessError` if the client cannot be started, or if the server has no API.
    func start(_ endpoints: StackEndpoints) throws(ProcessError) -> (any TrialMember)? {
        guard let token, let rate = scenario.relay?.faults?.apiRequests else { return nil }
        guard let port = endpoints.apiPort else {
            throw ProcessError(
                name: APIFloodRole.name, message: "the server has no API that could be asked")
        }
        let cpus = scenario.cpus
        let handle = try RoleHandle<APIFloodRole>(
            name: APIFloodRole.name, logDirectory: directory,
            cpus: cpus.sinks ?? cpus.probes ?? cpus.viewers,
            config: APIFloodSpec(port: port, token: token, requestsPerSecond: rate))
        return RoleMember(stage: .apiFlood, accountedRole: APIFloodRole.name, handle: handle) {
            report, loss, record in
            guard let report else { return loss }
            record.apiFlood = report
            return nil
        }
    }
}
