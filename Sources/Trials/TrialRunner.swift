import Analysis
package import Scenario
import Stacks
import Workers
import SimulationKernel
import NetemShell
import Processes
import Viewer
import Publisher
import Foundation
import Glibc
package import Results
import Sockets
import Statistics

/// Runs one scenario once: starts the children, gives them one start time, watches them, sums up.
package actor TrialRunner {
    package struct Options: Sendable {
        /// Where `<run-id>/` is made.
        package var resultsDirectory = "results"
        package var isQuiet = false
        package var argv: [String] = []
        /// Put into the summary.
        package var notes: [String] = []

        package init() {}
    }

    let scenario: TrialScenario
    let plan: Plan
    let options: Options
    let writer: ResultsWriter
    var observations = TrialObservations()
    var accounting: ProcessAccounting?
    var stops = StopWatch()
    var clock = ClockOffsetSampler()
    var progress: TrialProgress
    var startNanoseconds: Int64 = 0
    var window = Window(startNanoseconds: 0, endNanoseconds: 0)
    let startedAt = Date()
    /// Why the trial ended before its time, and whose fault it was.
    var early: EarlyEnd?
    var notes: [String] = []
    var hasSaidUnwritable = false
    /// A rendition's quality, as it is found out.
    var comparing: Task<RenditionQuality, any Error>?
    private(set) var isInterrupted = false
    /// What the generators' and the embedded server's sockets really have.
    private var usedCongestionControl: String

    var driver: (any StackDriver)?
    /// Every child but server, edges and capture, in the order in which they were started.
    var members: [any TrialMember] = []
    var edges: [TrialEdge] = []
    var capture: CaptureStage?
    var encoders = EncoderWatch()
    /// The namespace of the viewers behind the packet shell.
    var linkNamespace: Int32?
    /// Everything that was seen, once the run is over.
    private var measured: TrialRecord?

    package init(_ scenario: TrialScenario, options: Options) throws(ResultsError) {
        self.scenario = scenario
        self.options = options
        plan = Plan(scenario)
        usedCongestionControl = scenario.congestionControl.rawValue
        notes = options.notes
        progress = TrialProgress(quiet: options.isQuiet)
        StaleRuns.sweep(options.resultsDirectory)
        NginxDirectory.sweep()
        let runID = RunID(
            secondsSince1970: startedAt.timeIntervalSince1970,
            entropy: UInt64.random(in: 0 ... .max))
        writer = try ResultsWriter(parent: options.resultsDirectory, runID: runID)
    }

    /// Ends the run early; what was measured is kept.
    package func interrupt() {
        isInterrupted = true
        comparing?.cancel()
    }

    /// Runs to the end and writes the results directory.
    ///
    /// - Returns: the directory's path and what it says.
    /// - Throws: `ResultsError` where it cannot be written; anything else is in the summary.
    package func run() async throws(ResultsError) -> (path: String, summary: Summary) {
        let results = try await measure()
        return (try save(results), results.summary)
    }

    /// Runs to the end. The verdict and the figures are there whatever the disk says; `save` writes
    /// them.
    /// - Throws: `ResultsError` where nothing can be written before the run begins.
    package func measure() async throws(ResultsError) -> RunResults {
        try writeInterim()
        var record: TrialRecord
        do {
            try await prepare()
            await steer()
            record = await collect()
            await compareQuality(into: &record)
        } catch {
            let words = await lostServer.map { "\($0) (\(error))" } ?? "\(error)"
            early =
                early ?? EarlyEnd(outcome: isInterrupted ? .interrupted : .void, reason: words)
            record = await collect()
        }
        measured = record
        var results = record.results
        // Where it is meant to be.
        results.path = writer.finalPath
        return results
    }

    /// Writes what was measured, here or, where there is no room, among temporary files.
    /// - Returns: the directory's path.
    /// - Throws: `ResultsError` where it goes nowhere.
    package func save(_ results: RunResults) throws(ResultsError) -> String {
        guard let measured else { return writer.partialPath }
        do throws(ResultsError) {
            try writer.write(results, of: measured)
            try writer.commit()
            return writer.finalPath
        } catch {
            return try rescue(measured, results, after: error)
        }
    }

    /// The manifest from the first moment on: a runner that is killed leaves a readable directory.
    private func writeInterim() throws(ResultsError) {
        var manifest = baseManifest
        manifest.validity.valid = false
        manifest.validity.reasons = ["the run was cut off before its end"]
        var summary = Summary()
        summary.outcome = .interrupted
        summary.viewersPlanned = plan.viewers.count
        try writer.write(
            manifest: manifest, summary: summary, resolvedScenario: scenario.canonicalYAML)
        try writer.write("\(getpid())\n", to: StaleRuns.ownerFile)
    }

    var baseManifest: Manifest {
        var manifest = Manifest()
        manifest.millraceVersion = MillraceVersion.current
        manifest.gitCommit = MillraceVersion.commit
        manifest.runID = writer.runID.description
        manifest.scenario = scenario.name
        manifest.scenarioSHA256 = scenario.sha256
        manifest.seed = scenario.seed
        manifest.argv = options.argv
        manifest.host = .current()
        manifest.stack = scenario.stack.driver.rawValue
        manifest.congestionControl = usedCongestionControl
        manifest.start = ISO8601Format.text(secondsSince1970: startedAt.timeIntervalSince1970)
        manifest.window.startSeconds = scenario.warmup.seconds
        manifest.window.endSeconds = scenario.warmup.seconds + scenario.duration.seconds
        return manifest
    }

    // MARK: Start

    private func prepare() async throws {
        clock.sample()
        try await prepareEncoders()
        let congestionControl = permittedCongestionControl()
        try await startLinks(congestionControl)
        // Viewers behind packets come to another address than the rest.
        let observations = observations
        let driver = try scenario.stack.makeDriver(
            cpus: scenario.cpus.server, encoderCPUs: scenario.cpus.encoders,
            logDirectory: writer.partialPath,
            host: linkNamespace == nil ? "127.0.0.1" : "0.0.0.0",
            congestionControl: congestionControl,
            streams: scenario.streams
        ) { observations.server($0) }
        self.driver = driver
        let endpoints = try await startEdges(before: try await driver.start(), congestionControl)
        if scenario.stack.driver == .nginxRTMP, let congestionControl,
            NetworkIsolation.defaultCongestionControl != congestionControl
        {
            notes.append(
                "the server's sockets use \(NetworkIsolation.defaultCongestionControl), not \(congestionControl): run as root, so that the run gets a network namespace of its own"
            )
        }
        notes += GroupLink.notes(plan.links)
        notes += scenario.unsupportedSettings.map {
            "\(scenario.stack.driver.rawValue) cannot honour \($0)"
        }
        if !endpoints.encryptedParts.isEmpty {
            notes.append(
                "\(endpoints.encryptedParts.joined(separator: ", ")) goes over TLS: the capture counts bytes by port, and sees no renditions, frames or delays in it"
            )
        }
        try await startCapture(endpoints)
        let clients = clientCongestionControl(congestionControl)
        try await startPublishers(endpoints, clients)
        try await startEncoders()
        try startViewers(endpoints, clients)
        try await startRecorder(endpoints, clients)
        for member in members { try await member.waitUntilReady() }
        startNanoseconds = Clock.monotonicNanoseconds() + 300_000_000
        // From here on the runner's own gaps count, too.
        lookForStops()
        let steady = startNanoseconds + scenario.warmup.nanoseconds
        window = Window(
            startNanoseconds: steady, endNanoseconds: steady + scenario.duration.nanoseconds)
        sendWindow()
        // With encoders the publishers have begun already.
        for member in members where !(plan.hasEncoders && member.stage == .publishers) {
            member.start(atNanoseconds: startNanoseconds)
        }
        capture?.start(atNanoseconds: startNanoseconds)
        accounting = await makeAccounting()
    }

    /// The scenario's congestion control where this process may set it; nil = the system's.
    private func permittedCongestionControl() -> String? {
        let wanted = scenario.congestionControl.rawValue
        guard geteuid() != 0, !Sockets.CongestionControl.available.contains(wanted) else {
            return wanted
        }
        usedCongestionControl = NetworkIsolation.defaultCongestionControl
        notes.append(
            "the congestion control is the system's \(usedCongestionControl), not \(wanted): "
                + "only root may set one that is not in tcp_allowed_congestion_control")
        return nil
    }

    /// What sockets ask for that a worker opens when it has become another user: nothing where that
    /// user may not ask for it, for then the routes of the run's own namespace say it.
    private func clientCongestionControl(_ permitted: String?) -> String? {
        guard let permitted, Privileges.workerUser != nil,
            !Sockets.CongestionControl.available.contains(permitted)
        else { return permitted }
        if NetworkIsolation.defaultCongestionControl != permitted {
            notes.append(
                "publishers and viewers have the congestion control \(NetworkIsolation.defaultCongestionControl), not \(permitted): the user of --user may not choose it; add it to net.ipv4.tcp_allowed_congestion_control"
            )
        }
        return nil
    }

    func sendWindow() {
        for member in members { member.setWindow(window) }
        capture?.setWindow(window)
    }

    // MARK: Course

    /// Seconds since the shared start time.
    var elapsed: Double {
        Double(Clock.monotonicNanoseconds() - startNanoseconds) / 1e9
    }

    /// Samples every second and at both ends of the steady window, until the drain is over.
    private func steer() async {
        let total =
            scenario.warmup.seconds + scenario.duration.seconds + scenario.drain.seconds
        var windowEnds = [window.startNanoseconds, window.endNanoseconds]
        let end = window.endNanoseconds + scenario.drain.nanoseconds
        var lastInterim = 0.0
        while true {
            let now = Clock.monotonicNanoseconds()
            guard now < end else { break }
            let second =
                startNanoseconds + ((now - startNanoseconds) / 1_000_000_000 + 1) * 1_000_000_000
            var next = min(second, end)
            if let windowEnd = windowEnds.first { next = min(next, windowEnd) }
            await sleepUnlessInterrupted(until: next)
            if isInterrupted {
                early = EarlyEnd(
                    outcome: .interrupted, reason: "interrupted at \(Int(elapsed)) s")
                break
            }
            // A runner that was held comes too late for the window's end.
            let isSteady =
                next > window.startNanoseconds && next <= window.endNanoseconds
                && Clock.monotonicNanoseconds() < window.endNanoseconds + 1_000_000_000
            accounting?.sample(time: elapsed, isSteady: isSteady)
            await followServer()
            followEncoders(isSteady: isSteady)
            accounting?.replace(AccountedGroup.edgeRole, with: accountedEdges)
            if next == windowEnds.first { windowEnds.removeFirst() }
            clock.sample()
            progress.show(
                observations.snapshot, elapsed: elapsed, total: total,
                phase: elapsed < scenario.warmup.seconds
                    ? "warm-up"
                    : elapsed < scenario.warmup.seconds + scenario.duration.seconds
                        ? "running" : "drain  ")
            // Every second at first; a long run's files are long.
            if elapsed - lastInterim >= max(0.9, elapsed / 100) {
                lastInterim = elapsed
                writeInterimResults()
            }
            if let loss = await lostChild() {
                early = loss
                progress.say(loss.reason)
                break
            }
        }
        if early != nil, window.endNanoseconds > Clock.monotonicNanoseconds() {
            // What was measured counts up to now.
            window.endNanoseconds = max(
                window.startNanoseconds, Clock.monotonicNanoseconds())
            sendWindow()
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    private func sleepUnlessInterrupted(until deadline: Int64) async {
        while !isInterrupted {
            let left = deadline - Clock.monotonicNanoseconds()
            lookForStops()
            guard left > 0 else { return }
            try? await Task.sleep(for: .nanoseconds(min(left, 100_000_000)))
        }
    }
}
