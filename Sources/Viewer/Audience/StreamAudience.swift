package import SimulationKernel
import Statistics

/// Viewers of RTMP or HTTP-FLV streams: load viewers that count, probes that time frames.
package struct StreamAudience: Sendable {
    private let plan: AudiencePlan
    private let load: LoadViewerPool
    private let probes: ProbePool

    /// - Parameter mode: how load viewers read.
    /// - Throws: an error if the URL or a file of authorities is wrong, or a host does not resolve.
    package init(_ plan: AudiencePlan, mode: LoadReadMode, options: AudienceOptions) throws {
        let specs = plan.streamViewers(mode: mode)
        let probed = plan.probeIndices
        var loadOptions = LoadViewerPool.Options()
        loadOptions.congestionControl = options.congestionControl
        loadOptions.links = plan.links
        loadOptions.trust = options.trust
        self.plan = plan
        load = try LoadViewerPool(
            specs.filter { !probed.contains($0.index) }, options: loadOptions)
        probes = try ProbePool(
            specs.filter { probed.contains($0.index) },
            congestionControl: options.congestionControl, links: plan.links, trust: options.trust)
    }

    /// Plays until the window is over or `stop` returns.
    ///
    /// - Parameter stop: returns once the user has enough, or when its task is cancelled.
    package func play(
        until stop: @escaping @Sendable () async -> Void
    ) async throws -> StreamAudienceSummary {
        let window = await AudienceRun.play(
            plan,
            begin: { start, window in
                load.start(atNanoseconds: start, window: window)
                probes.start(atNanoseconds: start, window: window)
            }, until: stop,
            shorten: { window in
                load.setWindow(window)
                probes.setWindow(window)
            })
        let probeReport = try await probes.stop()
        let loadReport = await load.stop()
        return StreamAudienceSummary(loadReport, probeReport, window: window)
    }
}

/// Summary of what the viewers of an audience received, made from their reports.
package struct StreamAudienceSummary: Sendable {
    /// Summary of one probe.
    package struct Probe: Sendable {
        /// Result of a probe's frame count.
        package enum Frames: Sendable {
            case nothingCame
            /// The frames carry no stamps, so that only messages can be counted.
            case unstamped(videoMessages: Int)
            /// `delay` is nil if no delay was measured.
            case stamped(received: Int, missing: Int, twice: Int, delay: Delay?)
        }

        /// Delay from the intended time to the arrival, ms.
        package struct Delay: Sendable, Hashable {
            package var p50, p99, maximum: Double
        }

        package var index: Int
        package var frames: Frames
        package var stalls: Int
        package var failure: String?
    }

    /// Length in seconds of the time that was measured; 0 if the run ended before it began.
    package var seconds: Double
    /// Audio and video payload within that time, and in all.
    package var payloadBytes: Int
    package var totalPayloadBytes: Int
    /// Number of bytes read over the whole run, heads included.
    package var receivedBytes: Int
    package var probes: [Probe]
    /// Failure of each viewer, load viewers first; nil = the viewer did not fail.
    package var failures: [String?]

    package init(_ load: LoadReport, _ probe: ProbeReport, window: Window) {
        let totals = load.viewers.map(\.total) + probe.viewers.map(\.total)
        let windows = load.viewers.map(\.window) + probe.viewers.map(\.window)
        seconds = window.seconds
        payloadBytes = windows.reduce(0) { $0 + $1.payloadBytes }
        totalPayloadBytes = totals.reduce(0) { $0 + $1.payloadBytes }
        receivedBytes = totals.reduce(0) { $0 + $1.receivedBytes }
        probes = probe.viewers.map(Probe.init)
        failures = load.viewers.map(\.failure) + probe.viewers.map(\.failure)
    }

    /// Rate of the payload in the time that was measured, Mbit/s; nil if no time was measured.
    package var payloadMegabits: Double? {
        seconds > 0 ? Double(payloadBytes) * 8 / seconds / 1e6 : nil
    }
}

extension StreamAudienceSummary.Probe {
    fileprivate init(_ viewer: ProbeViewerReport) {
        index = viewer.index
        stalls = viewer.stallCount
        failure = viewer.failure
        guard viewer.streamID != nil else {
            frames =
                viewer.total.payloadBytes == 0
                ? .nothingCame : .unstamped(videoMessages: viewer.window.videoMessages)
            return
        }
        var delay: Delay?
        if let median = viewer.delay.milliseconds(atPercentile: 50),
            let high = viewer.delay.milliseconds(atPercentile: 99),
            let most = viewer.delay.maximumMilliseconds
        {
            delay = Delay(p50: median, p99: high, maximum: most)
        }
        frames = .stamped(
            received: viewer.windowFrames, missing: viewer.missingFrames,
            twice: viewer.duplicateFrames, delay: delay)
    }
}
