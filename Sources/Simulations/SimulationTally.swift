import ABR
import Results
import Scenario
import SimulationKernel
import Statistics

/// Adds up the sessions as cells are delivered. The order of adding is the order of the output.
struct SimulationTally {
    private struct Key: Hashable {
        var algorithm: Int
        var buffer: Int
        var title: Int
    }

    private struct Sessions {
        var qoe: [Double] = []
        var sabre = 0.0
        var lolPlus = 0.0
        var bitrate = 0.0
        var startup = 0.0
        var playing = 0.0
        var stalled = 0.0
        var switches = 0
        var requests = 0
        var viewers = 0
        var latency = 0.0

        mutating func add(_ session: SimulatedSession, _ title: Title) {
            let account = session.account
            viewers += 1
            requests += session.decisions
            startup += account.startup
            stalled += account.stalled
            playing += account.playing
            switches += account.switches
            latency += account.latencyIntegral
            guard account.segments > 0 else { return }
            let metrics = QoEMetrics(account, title: title)
            qoe.append(metrics.linear / Double(account.segments))
            bitrate += account.meanBitrate
            sabre += metrics.sabre
            lolPlus += metrics.lolPlus
        }

        func figures(isLive: Bool, _ generator: inout SeededGenerator) -> SimulationSummary.Figures
        {
            var figures = SimulationSummary.Figures()
            figures.viewers = viewers
            figures.requests = requests
            guard !qoe.isEmpty else { return figures }
            let played = Double(qoe.count)
            figures.meanBitrateKbps = bitrate / played
            figures.startupS = startup / Double(viewers) / 1000
            figures.stallRatio = stalled / (playing + stalled)
            figures.switchesPerMinute = playing > 0 ? Double(switches) / (playing / 60_000) : nil
            figures.liveLatencyS = isLive && playing > 0 ? latency / playing / 1000 : nil
            figures.qoeLin = qoe.reduce(0, +) / played
            let interval = Bootstrap.meanInterval(qoe, resamples: 1000, using: &generator)
            figures.qoeLinLow = interval?.lowerBound
            figures.qoeLinHigh = interval?.upperBound
            figures.qoeLinP10 = Quantile.of(qoe, 0.1)
            figures.scoreSabre = sabre / played
            figures.scoreLolPlus = lolPlus / played
            return figures
        }
    }

    private let scenario: SimulationScenario
    private var summary: SimulationSummary
    private var groups: [Key: Sessions] = [:]
    private var order: [Key] = []

    init(_ run: SimulationRun, runID: String) {
        scenario = run.scenario
        summary = SimulationSummary(
            scenario: run.scenario.name, runID: runID, cellsPlanned: run.cells.count)
    }

    private func generator(_ entity: String) -> SeededGenerator {
        SeededGenerator(seed: scenario.seed, entity: "bootstrap/\(entity)")
    }

    mutating func add(_ outcome: SimulationRun.Outcome) {
        let cell = outcome.cell
        let title = scenario.titles[cell.title]
        let key = Key(algorithm: cell.algorithm, buffer: cell.buffer, title: cell.title)
        if groups[key] == nil { order.append(key) }
        var sessions = Sessions()
        for session in outcome.sessions {
            sessions.add(session, title)
            groups[key, default: Sessions()].add(session, title)
        }
        var random = generator("cell/\(cell.index)")
        summary.cells.append(
            SimulationSummary.Cell(
                cell: cell.index, trace: scenario.traces[cell.trace].name,
                algorithm: scenario.algorithms[cell.algorithm].description,
                maxBufferS: scenario.maximumBuffers[cell.buffer] / 1000, ladder: title.name,
                figures: sessions.figures(isLive: scenario.timeline != nil, &random)))
    }

    func finish(interrupted: Bool) -> SimulationSummary {
        var summary = summary
        if interrupted { summary.outcome = "interrupted" }
        summary.groups = order.map { key in
            var random = generator("group/\(key.algorithm)/\(key.buffer)/\(key.title)")
            return SimulationSummary.Group(
                algorithm: scenario.algorithms[key.algorithm].description,
                maxBufferS: scenario.maximumBuffers[key.buffer] / 1000,
                ladder: scenario.titles[key.title].name,
                figures: (groups[key] ?? Sessions()).figures(
                    isLive: scenario.timeline != nil, &random))
        }
        return summary
    }
}
