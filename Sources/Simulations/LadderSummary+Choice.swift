import ABR
import Results
import Scenario

extension LadderSummary {
    init(_ choice: LadderChoice, _ scenario: LadderScenario, runID: String) {
        let problem = scenario.problem
        self.init(scenario: scenario.name, runID: runID)
        method = choice.method.rawValue
        setsEvaluated = choice.evaluated
        setsPossible = choice.sets
        qoe = problem.qoe.rawValue
        statistic =
            switch problem.statistic {
            case .mean: "mean"
            case .percentile(let p): "p\(Quantity.plain(p))"
            }
        viewers = problem.viewers
        seeds = problem.seeds
        ladders = choice.finalists.map { Ladder($0, problem) }
        contributions = choice.contributions.map { Contribution($0, choice.chosen.judged) }
        paretoFront = choice.combinations.count { $0.isPareto }
    }
}

extension LadderSummary.Rung {
    init(_ rung: LadderCandidate) {
        self.init(bitrateKbps: rung.bitrate, height: rung.height, cpuCores: rung.cores)
    }
}

extension LadderSummary.Ladder {
    init(_ finalist: LadderChoice.Finalist, _ problem: LadderProblem) {
        self.init()
        let combination = finalist.combination
        let setting = problem.settings[combination.setting]
        name = finalist.name
        rungs = combination.rungs.map { LadderSummary.Rung($0) }
        algorithm = setting.algorithm.description
        maxBufferS = setting.maximumBuffer / 1000
        deviceCaps = setting.fitsDevice ? "fitted" : "none"
        withinLimits = combination.isAllowed
        cpuCores = combination.cores
        objective = finalist.judged.objective
        objectiveLow = finalist.interval?.lowerBound
        objectiveHigh = finalist.interval?.upperBound
        difference = finalist.difference
        differenceLow = finalist.differenceInterval?.lowerBound
        differenceHigh = finalist.differenceInterval?.upperBound
        searchedObjective = combination.searched.objective
        egressKbps = finalist.judged.egress
        stallRatio = finalist.judged.stallRatio
        meanBitrateKbps = finalist.judged.meanBitrate
        switchesPerMinute = finalist.judged.switchesPerMinute
    }
}

extension LadderSummary.Contribution {
    init(_ contribution: LadderChoice.Contribution, _ chosen: LadderOutcome) {
        self.init(rung: LadderSummary.Rung(contribution.rung))
        share = contribution.share
        mainAudience = contribution.mainAudience
        mainAudienceShare = contribution.mainAudienceShare
        loss = contribution.without == nil ? nil : contribution.loss
        stallRatioWithout = contribution.without?.stallRatio
        egressKbps = contribution.egress
        why = Self.reason(contribution, chosen)
    }

    /// Returns why the rung is in the ladder, with the figures that show it.
    private static func reason(
        _ contribution: LadderChoice.Contribution, _ chosen: LadderOutcome
    ) -> String {
        guard let without = contribution.without else { return "the only rung" }
        func percent(_ share: Double) -> String {
            "\(Quantity.plain((share * 1000).rounded() / 10)) %"
        }
        var parts: [String] = []
        if contribution.share < 0.001 {
            parts.append("hardly requested")
        } else {
            parts.append(
                "\(percent(contribution.share)) of all segments, \(percent(contribution.mainAudienceShare)) "
                    + "of them by \(contribution.mainAudience)")
        }
        let share = contribution.loss / max(abs(chosen.objective), 1e-9)
        parts.append(
            "the objective \(contribution.loss > 0 ? "falls" : "rises") by \(percent(abs(share))) without it"
        )
        let stalls = without.stallRatio - chosen.stallRatio
        if stalls >= 0.001 {
            parts.append(
                "stalls rise from \(percent(chosen.stallRatio)) to "
                    + percent(without.stallRatio))
        } else if without.meanBitrate < chosen.meanBitrate * 0.99 {
            parts.append(
                "the mean bit rate falls from \(Int(chosen.meanBitrate)) to "
                    + "\(Int(without.meanBitrate)) kbit/s")
        } else if without.switchesPerMinute > chosen.switchesPerMinute * 1.05 {
            parts.append("players switch more")
        }
        if contribution.loss <= 0 {
            parts.append(
                "consider a smaller ladder: the seeds that judge do not need it")
        }
        return parts.joined(separator: "; ")
    }
}
