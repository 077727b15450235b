import Results
import Statistics

/// One run's delays inside its server, and what the server's threads did in the steady window.
struct ServerDelayRun: Sendable {
    /// Usage of the server's threads of one name, or of all of them.
    struct Group: Sendable {
        /// Name of the threads without its number; empty for all threads.
        var name: String
        /// Mean number of threads.
        var threads: Double
        /// CPU time; 100 = one core.
        var cpuPercent: Double
        /// Voluntary and involuntary context switches together.
        var switchesPerSecond: Double
        /// Time in which threads were runnable and had no CPU, over all threads.
        var runQueueMillisecondsPerSecond: Double

        /// Mean time in the run queue for each context switch; nil without switches.
        var waitPerSwitchMilliseconds: Double? {
            switchesPerSecond > 0 ? runQueueMillisecondsPerSecond / switchesPerSecond : nil
        }
    }

    let label: String
    let delays: DelaySplitFigures
    /// What viewers saw; nil if no viewer timed frames.
    private let viewers: (p50: Double, p99: Double)?
    /// Groups by their run-queue time, the largest first.
    let groups: [Group]
    /// All threads together; nil if nothing accounted for the server.
    let whole: Group?

    /// Whether viewers timed frames, so that their delay is the whole.
    var hasViewers: Bool { viewers != nil }

    /// - Returns: nil if the run does not know its server's delays.
    init?(_ results: RunResults) {
        guard let delays = results.summary.serverDelays else { return nil }
        self.delays = delays
        let (manifest, window) = (results.manifest, results.manifest.window)
        label = "\(manifest.scenario), run \(manifest.runID), stack \(manifest.stack)"
        viewers = Self.viewers(results.renditions)
        let seconds = window.endSeconds - window.startSeconds
        let rows = results.processes.filter { $0.role == "server" && $0.steady == 1 }
        let byName = Dictionary(grouping: rows, by: \.threadGroup)
        guard seconds > 0, seconds.isFinite else {
            groups = []
            whole = nil
            return
        }
        whole = byName[""].map { Self.group("", $0, seconds) }
        groups = byName.filter { !$0.key.isEmpty }
            .map { Self.group($0.key, $0.value, seconds) }
            .sorted {
                ($1.runQueueMillisecondsPerSecond, $0.name)
                    < ($0.runQueueMillisecondsPerSecond, $1.name)
            }
    }

    /// Means of the viewers' percentiles over all renditions, by their frames.
    private static func viewers(_ renditions: [RenditionRow]) -> (p50: Double, p99: Double)? {
        var (frames, p50, p99) = (0.0, 0.0, 0.0)
        for row in renditions where row.vantage == "viewer" && row.playProtocol != "hls" {
            guard let middle = row.delayP50Milliseconds, let high = row.delayP99Milliseconds else {
                continue
            }
            let weight = Double(max(1, row.framesReceived ?? 1))
            frames += weight
            p50 += middle * weight
            p99 += high * weight
        }
        return frames > 0 ? (p50 / frames, p99 / frames) : nil
    }

    private static func group(_ name: String, _ rows: [ProcessRow], _ seconds: Double) -> Group {
        func sum(_ value: (ProcessRow) -> Double) -> Double { rows.reduce(0) { $0 + value($1) } }
        // A server of several processes has a row for each of them at the same time.
        let moments = Double(max(1, Set(rows.compactMap(\.timeSeconds)).count))
        return Group(
            name: name, threads: sum { Double($0.threads ?? 0) } / moments,
            cpuPercent: sum { $0.cpuSeconds ?? 0 } / seconds * 100,
            switchesPerSecond: sum {
                Double($0.voluntarySwitches ?? 0) + Double($0.involuntarySwitches ?? 0)
            } / seconds,
            runQueueMillisecondsPerSecond: sum { $0.runDelayMilliseconds ?? 0 } / seconds)
    }

    /// The whole delay in milliseconds: what viewers saw or, without viewers that time frames, the
    /// sum of the server's parts.
    ///
    /// - Parameter seenByViewers: Whether what viewers saw is meant, if there were any.
    func delay(
        _ percentile: DelayExplanation.Percentile, seenByViewers: Bool = true
    ) -> Double {
        guard seenByViewers, let viewers else {
            return delays.parts.reduce(0) { $0 + Self.milliseconds($1.part, percentile) }
        }
        return percentile == .p50 ? viewers.p50 : viewers.p99
    }

    static func milliseconds(
        _ part: DelaySplitFigures.Part, _ percentile: DelayExplanation.Percentile
    ) -> Double {
        percentile == .p50 ? part.p50Milliseconds : part.p99Milliseconds
    }
}
