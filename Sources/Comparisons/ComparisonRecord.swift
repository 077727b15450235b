package import Gate
package import Results

/// `comparison.json`: the verdict with its raw pairs, and what was compared.
package struct ComparisonRecord: Encodable, Sendable {
    package struct Side: Encodable, Sendable, Hashable {
        /// Path of the program; empty for results that existed already.
        package var program: String
        /// Changed keys of the scenario, as texts of the form `key=value`.
        package var overrides: [String]

        package init(program: String = "", overrides: [String] = []) {
            self.program = program
            self.overrides = overrides
        }
    }

    /// One run, void or not.
    package struct Trial: Encodable, Sendable, Hashable {
        /// Number of the block from 1; 0 = the warm-up pair.
        package var block: Int
        package var side: GateSide
        /// Results directory of the run.
        package var directory: String
        /// Time that the run took; nil for results that existed already.
        package var seconds: Double?
        package var voidReason: String?
        /// What the server did wrong in the run; nil if it did nothing wrong.
        package var serverFault: String?
        /// Figures by the metrics' names. Figures that are not finite numbers are left out.
        package var figures: [String: Double]

        package init(_ trial: GateTrial, directory: String, seconds: Double?) {
            (block, side) = (trial.block, trial.side)
            (self.directory, self.seconds) = (directory, seconds)
            (voidReason, serverFault) = (trial.voidReason, trial.serverFault)
            figures = trial.figures.filter(\.value.isFinite)
        }

        init(block: Int, side: GateSide, _ run: RunFigures, directory: String) {
            self.init(
                GateTrial(
                    block: block, side: side, figures: run.figures, voidReason: run.voidReason,
                    serverFault: run.serverFault),
                directory: directory, seconds: nil)
        }
    }

    package var kind = "comparison"
    package var schemaVersion = 1
    package var millraceVersion = MillraceVersion.current
    package var runID: String
    /// Name of the scenario; empty for results that existed already.
    package var scenario: String
    /// Start and end in ISO 8601, UTC.
    package var start = ""
    package var end = ""
    package var interrupted = false
    package var base: Side
    package var head: Side
    package var verdict: GateVerdict
    package var trials: [Trial]
    /// Why the head fails whatever its figures are; nil if it does not.
    package var headFault: String?

    /// - Parameter verdict: Verdict on the figures. A head whose server did something wrong, while
    ///   the base's never did, fails in its place.
    package init(
        runID: String, scenario: String, base: Side, head: Side, verdict: GateVerdict,
        trials: [Trial]
    ) {
        (self.runID, self.scenario, self.verdict, self.trials) = (runID, scenario, verdict, trials)
        (self.base, self.head) = (base, head)
        judgeServers()
    }

    /// A run with a fault of the server is replaced as a void one, so its figures say nothing of it.
    private mutating func judgeServers() {
        func faults(_ side: GateSide) -> [String] {
            trials.filter { $0.side == side }.compactMap(\.serverFault)
        }
        let (base, head) = (faults(.base), faults(.head))
        guard let fault = head.first ?? base.first else { return }
        if base.isEmpty {
            let text =
                "The head's server failed in \(head.count) of its runs, and the base's in none: "
                + "\(fault)."
            (headFault, verdict.outcome, verdict.reason) = (text, .fail, text)
        } else {
            verdict.notes.append(
                "The server failed in \(base.count) runs of the base and \(head.count) of the head, "
                    + "which were replaced or left out: \(fault).")
        }
    }

    /// Time of all runs; 0 for results that existed already.
    package var seconds: Double {
        trials.compactMap(\.seconds).filter(\.isFinite).reduce(0, +)
    }

    /// Exit code of the command.
    package var exitCode: Int32 {
        if interrupted { return 105 }
        switch verdict.outcome {
        case .pass: return 0
        case .fail: return 99
        case .inconclusive: return 98
        }
    }

    /// Writes the record and the files that other programs read.
    ///
    /// - Throws: `ResultsError` if a file cannot be written.
    package func write(to directory: ComparisonDirectory) throws(ResultsError) {
        let report = ComparisonReport(self)
        try directory.write(json: self, to: "comparison.json")
        try directory.write(report.junit, to: "junit.xml")
        try directory.write(report.markdown, to: "summary.md")
        try directory.write(json: report.benchmark, to: "benchmark.json")
    }
}

extension GateVerdict {
    /// Judges the blocks of a comparison by the metrics that were measured.
    ///
    /// - Parameter notes: Notes that come before those of the gate.
    /// - Throws: `ComparisonFault` if no metric was measured, `GateFault`.
    package init(
        comparing settings: GateSettings, blocks: [GateBlock], voidTrials: Int,
        notes: [String] = []
    ) throws {
        let (metrics, out) = GateMetric.measured(settings.metrics, in: blocks)
        guard !metrics.isEmpty else {
            throw ComparisonFault(
                "neither side has a figure of \(settings.metrics.map(\.title).joined(separator: ", ")): "
                    + "add viewers with probes to the scenario")
        }
        var settings = settings
        settings.metrics = metrics
        try self.init(settings, blocks: blocks, voidTrials: voidTrials)
        self.notes = notes + out + self.notes
    }
}
