import Foundation
import Results
import Scenario
import SimulationKernel

extension Manifest {
    /// Makes the manifest of a trial with what is known before any figure is computed.
    ///
    /// - Parameters:
    ///   - arguments: Arguments of the command that runs the trial.
    ///   - congestionControl: Congestion control of the generators' sockets.
    ///   - start: Real time at which the run began.
    init(
        _ scenario: TrialScenario, runID: RunID, arguments: [String], congestionControl: String,
        start: Date
    ) {
        self.init()
        millraceVersion = MillraceVersion.current
        gitCommit = MillraceVersion.commit
        self.runID = runID.description
        self.scenario = scenario.name
        scenarioSHA256 = scenario.sha256
        seed = scenario.seed
        argv = arguments
        host = .current()
        stack = scenario.stack.driver.rawValue
        self.congestionControl = congestionControl
        self.start = ISO8601Format.text(secondsSince1970: start.timeIntervalSince1970)
        window.startSeconds = scenario.warmup.seconds
        window.endSeconds = scenario.warmup.seconds + scenario.duration.seconds
    }
}
