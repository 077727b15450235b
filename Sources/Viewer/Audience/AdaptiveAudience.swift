import Statistics
/// The adaptive HLS viewers of an audience.
package struct AdaptiveAudience: Sendable {
    private let plan: AudiencePlan
    private let pools: [HLSViewerPool]

    /// - Parameter player: a viewer whose player settings all viewers have.
    /// - Throws: an error if a URL or an algorithm's name is wrong, or a host does not resolve.
    package init(
        _ plan: AudiencePlan, like player: HLSViewerSpec, options: AudienceOptions
    ) throws {
        var poolOptions = HLSViewerPool.Options()
        poolOptions.congestionControl = options.congestionControl
        poolOptions.links = plan.links
        poolOptions.trust = options.trust
        let specs = plan.adaptiveViewers(like: player)
        self.plan = plan
        // Probes read what they fetch. They have a loop of their own, so that they do not delay
        // other viewers.
        pools = try [false, true].map { isProbe in specs.filter { $0.isProbe == isProbe } }
            .filter { !$0.isEmpty }.map { try HLSViewerPool($0, options: poolOptions) }
    }

    /// Plays until the window is over or `stop` returns.
    ///
    /// - Parameter stop: returns once the user has enough, or when its task is cancelled.
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
