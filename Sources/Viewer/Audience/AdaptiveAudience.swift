import Statistics

/// The adaptive HLS viewers of an audience.
package struct AdaptiveAudience: Sendable {
    private let plan: AudiencePlan
    private let pools: [HLSViewerPool]

    /// - Parameter player: a specification with the player settings that all viewers get.
    /// - Throws: an error if a URL or the name of an algorithm is not valid, or if the name of a
    ///   host does not resolve.
    package init(
        _ plan: AudiencePlan, like player: HLSViewerSpec, options: AudienceOptions
    ) throws {
        var poolOptions = HLSViewerPool.Options()
        poolOptions.congestionControl = options.congestionControl
        poolOptions.links = plan.links
        poolOptions.trust = options.trust
        let specs = plan.adaptiveViewers(like: player)
        self.plan = plan
        // Probes read the media that they fetch, which takes time. They have a pool of their own,
        // so that they do not delay the other viewers.
        pools = try [false, true].map { isProbe in specs.filter { $0.isProbe == isProbe } }
            .filter { !$0.isEmpty }.map { try HLSViewerPool($0, options: poolOptions) }
    }

    /// Plays until the window of the plan is over or `stop` returns.
    ///
    /// - Parameter stop: a function that returns once the user ends the run, or when its task is
    ///   cancelled.
    /// - Returns: the figures of all viewers. If `stop` returned early, they cover the part of the
    ///   window that was over.
    package func play(
        until stop: @escaping @Sendable () async -> Void
    ) async -> AdaptiveAudienceSummary {
        let window = await AudienceRun.play(
            plan,
            begin: { start, window in
                for pool in pools { pool.start(atNanoseconds: start, window: window) }
            }, until: stop,
            shorten: { window in
                for pool in pools { pool.setWindow(window) }
            })
        var report = HLSReport()
        for pool in pools {
            let part = await pool.stop()
            report.viewers += part.viewers
            report.windowLag.add(part.windowLag)
        }
        return AdaptiveAudienceSummary(report, window: window)
    }
}
