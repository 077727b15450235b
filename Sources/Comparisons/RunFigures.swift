package import Gate
package import Results

/// The figures of one results directory under the names of `GateMetric.standard`.
///
/// A figure that the run did not measure is missing, and so is one that is not a finite number.
/// Whether a run is void never depends on the figures.
package struct RunFigures: Sendable, Equatable {
    /// Names of the figures.
    package enum Name {
        /// Largest 99th percentile of the viewers' delay over the renditions.
        package static let delay = "delay_p99_ms"
        /// CPU time of server and edges for each gigabit of payload that all viewers received.
        package static let serverCPU = "server_cpu_s_per_gigabit"
        /// CPU time of the viewers and the probes for each gigabit of that payload.
        package static let viewerCPU = "viewer_cpu_s_per_gigabit"
        /// Largest number of viewers that a search found good.
        package static let capacity = "capacity_viewers"
        /// Mean over the viewers of stalled time over playing and stalled time together.
        package static let stalls = "stall_ratio"
    }

    private static let viewerRoles: Set<String> = ["viewers", "probes", "hls", "hls-probes"]

    package private(set) var figures: [String: Double] = [:]
    /// Why the run is void; nil if it is valid.
    package private(set) var voidReason: String?
    /// What the server did wrong in the run; nil if it did nothing wrong. The run then is void, too.
    package private(set) var serverFault: String?

    /// Reads the directory of a run or of a search.
    ///
    /// - Throws: `ResultsError` if the directory holds neither, or if its summary is damaged.
    package init(directory: String) throws(ResultsError) {
        if let search = try SearchSummary.read(directory: directory) {
            self.init(search)
        } else {
            self.init(try RunResults(path: directory))
        }
    }

    package init(_ results: RunResults) {
        let summary = results.summary
        serverFault = Self.serverFault(results)
        voidReason = serverFault ?? Self.voidReason(results)
        put(
            Name.delay,
            results.renditions.filter { $0.vantage == "viewer" }.compactMap(\.delayP99Milliseconds)
                .filter(\.isFinite).max())
        put(Name.serverCPU, summary.efficiency?.cpuSecondsPerGigabit)
        let viewers = summary.roles.filter { Self.viewerRoles.contains($0.role) }
        if let rate = summary.efficiency?.deliveredGigabitsPerSecond, rate > 0, !viewers.isEmpty {
            put(Name.viewerCPU, viewers.reduce(0) { $0 + $1.cpuPercent } / 100 / rate)
        }
        let stalls = results.viewers.compactMap(\.stallRatio).filter(\.isFinite)
        if !stalls.isEmpty { put(Name.stalls, stalls.reduce(0, +) / Double(stalls.count)) }
    }

    /// Reads the capacity of a search for the number of viewers. The searches of a sweep have a
    /// capacity for each value, which is no single figure.
    package init(_ search: SearchSummary) {
        switch search.outcome {
        case "void": voidReason = "every trial of the search was void"
        case "interrupted", "running": voidReason = "the search did not come to its end"
        default: break
        }
        guard search.sweptKey.isEmpty, !search.variesBitrate, search.noun == "viewers" else {
            return
        }
        let capacities = search.searches.compactMap(\.capacity).map { Double($0) }
        guard !capacities.isEmpty, capacities.count == search.searches.count else { return }
        put(Name.capacity, capacities.reduce(0, +) / Double(capacities.count))
    }

    private mutating func put(_ name: String, _ figure: Double?) {
        if let figure, figure.isFinite { figures[name] = figure }
    }

    /// A server that ended, or that did not read what publishers sent, is no fault of the machine.
    /// A search calls such a trial bad as well.
    private static func serverFault(_ results: RunResults) -> String? {
        let (summary, validity) = (results.summary, results.manifest.validity)
        switch summary.outcome {
        case .failed: return summary.earlyEnd
        case .void: return validity.isOnlyShortOfFrames ? validity.voidText : nil
        case .passed, .interrupted: return nil
        }
    }

    private static func voidReason(_ results: RunResults) -> String? {
        switch results.summary.outcome {
        case .void: results.manifest.validity.voidText
        case .interrupted: results.summary.earlyEnd ?? "interrupted"
        case .passed, .failed: nil
        }
    }
}

extension GateMetric {
    /// The metrics that a comparison declares.
    ///
    /// - Parameter allowedChange: The allowed change of the ratios, as a share.
    package static func declared(allowedChange: Double) -> [GateMetric] {
        standard.map { metric in
            var metric = metric
            if metric.kind == .ratio { metric.allowedChange = allowedChange }
            return metric
        }
    }

    /// Leaves out the metrics that no run measured.
    ///
    /// This looks only at whether there are figures, never at how large they are, so it does not
    /// disturb the test.
    ///
    /// - Returns: The metrics that are left, and a note on those that are not. Without a complete
    ///   block, every metric is left.
    package static func measured(
        _ metrics: [GateMetric], in blocks: [GateBlock]
    ) -> (metrics: [GateMetric], notes: [String]) {
        guard !blocks.isEmpty else { return (metrics, []) }
        let left = metrics.filter { metric in
            blocks.contains { $0.base[metric.name] != nil || $0.head[metric.name] != nil }
        }
        let out = metrics.filter { !left.contains($0) }.map(\.title)
        guard !out.isEmpty else { return (left, []) }
        return (
            left,
            [
                "Neither side measures these metrics, so they are left out: "
                    + "\(out.joined(separator: ", "))."
            ]
        )
    }
}
