import Analysis
import Foundation
import Processes
package import Results
package import Scenario
import SimulationKernel
import Sockets
import Stacks

/// Runs one scenario once: starts the children, gives them one start time, watches them, ends them
/// and hands over what was observed.
package actor TrialRunner {
    package struct Options: Sendable {
        /// Directory in which `<run-id>/` is made.
        package var resultsDirectory = "results"
        package var isQuiet = false
        package var argv: [String] = []
        /// Notes for the summary.
        package var notes: [String] = []

        package init() {}
    }

    let scenario: TrialScenario
    let plan: Plan
    let options: Options
    let writer: ResultsWriter
    let startedAt = Date()
    let observations = TrialObservations()
    /// The comparison of pictures; nil if the scenario compares none.
    let comparison: PictureComparison?

    var samples = TrialSamples()
    var progress: TrialProgress
    var startNanoseconds: Int64 = 0
    var window = Window(startNanoseconds: 0, endNanoseconds: 0)
    private(set) var isInterrupted = false
    /// Reason why the trial ended early; nil while the trial runs, and after a whole run.
    var early: EarlyEnd?
    var notes: [String] = []
    /// Seconds from the shared start time before which no interim results are written.
    var nextInterimSeconds = 0.9
    /// Whether the user has been told that interim results cannot be written.
    var hasReportedWriteFailure = false
    /// Congestion control of the trial; nil before the start of the children.
    var congestionControl: TrialCongestionControl?

    var driver: (any StackDriver)?
    /// Every child but server, edges and capture, in the order in which they were started.
    var members: [any TrialMember] = []
    var edges: [TrialEdge] = []
    var capture: CaptureStage?
    /// Descriptor of the network namespace of the viewers behind the packet shell.
    var linkNamespace: Int32?
    /// Everything that was observed; nil before the end of the run.
    private var measured: TrialRecord?

    package init(_ scenario: TrialScenario, options: Options) throws(ResultsError) {
        self.scenario = scenario
        self.options = options
        let plan = Plan(scenario)
        self.plan = plan
        notes = options.notes
        progress = TrialProgress(quiet: options.isQuiet)
        StaleRuns.sweep(options.resultsDirectory)
        NginxDirectory.sweep()
        let runID = RunID(
            secondsSince1970: startedAt.timeIntervalSince1970,
            entropy: UInt64.random(in: 0 ... .max))
        let writer = try ResultsWriter(parent: options.resultsDirectory, runID: runID)
        self.writer = writer
        comparison = PictureComparison(plan, directory: writer.partialPath)
    }

    /// Ends the run early; what was measured is kept.
    package func interrupt() async {
        isInterrupted = true
        comparison?.interrupt()
        await driver?.cancelStart()
    }

    /// Runs to the end and writes the results directory.
    ///
    /// - Returns: The directory's path and its summary.
    /// - Throws: `ResultsError` if the directory cannot be written; every other failure is in the
    ///   summary.
    package func run() async throws(ResultsError) -> (path: String, summary: Summary) {
        let results = try await measure()
        return (try save(results), results.summary)
    }

    /// Runs to the end. The verdict and the figures are there even if the disk is full; `save`
    /// writes them.
    ///
    /// - Throws: `ResultsError` if nothing can be written before the run begins.
    package func measure() async throws(ResultsError) -> RunResults {
        // A runner that is killed leaves a readable directory.
        try writer.writeFirst(
            manifest, viewers: plan.viewers.count, resolvedScenario: scenario.canonicalYAML)
        var record: TrialRecord
        do {
            try await prepare()
            await runUntilDrained()
            record = await collect()
            await comparePictures(into: &record)
        } catch {
            let loss = await driver?.lossBeforeStart()
            let words = loss.map { "\($0) (\(error))" } ?? "\(error)"
            early =
                early ?? EarlyEnd(outcome: isInterrupted ? .interrupted : .void, reason: words)
            record = await collect()
        }
        measured = record
        var results = record.results
        // This is the path that the directory is meant to have.
        results.path = writer.finalPath
        return results
    }

    /// Writes what was measured into the results directory or, if there is no room, among temporary
    /// files.
    ///
    /// - Returns: The directory's path.
    /// - Throws: `ResultsError` if the results cannot be written anywhere.
    package func save(_ results: RunResults) throws(ResultsError) -> String {
        guard let measured else { return writer.partialPath }
        do throws(ResultsError) {
            try writer.write(results, of: measured)
            try writer.commit()
            return writer.finalPath
        } catch {
            let path = try writer.rescue(results, of: measured, after: error)
            progress.say("\(error) The results are in \(path) instead")
            return path
        }
    }

    // MARK: Start

    private func prepare() async throws {
        samples.readClocks()
        let encoderStart = EncoderStart(plan: plan, driverName: scenario.stack.driver.rawValue)
        try await encoderStart.prepare { progress.say($0) }
        let control = TrialCongestionControl(scenario)
        congestionControl = control
        if let note = control.note { notes.append(note) }
        linkNamespace = try await LinkStarter(
            plan: plan, seed: scenario.seed, cpus: scenario.cpus.links,
            directory: writer.partialPath
        ).start(congestionControl: control.permitted) { members.append($0) }
        // Viewers behind the packet shell reach the server at another address than all others.
        let host = linkNamespace == nil ? "127.0.0.1" : "0.0.0.0"
        let observations = observations
        let targets = try await SinkStarter(
            plan: plan, observations: observations, directory: writer.partialPath
        ).start { members.append($0) }
        let apiToken = APIFloodStarter.makeToken(for: scenario)
        let driver = try scenario.stack.makeDriver(
            cpus: scenario.cpus.server, encoderCPUs: scenario.cpus.encoders,
            logDirectory: writer.partialPath, host: host, congestionControl: control.permitted,
            streams: scenario.streams, targets: targets, floorStreams: plan.floorStreams,
            apiToken: apiToken
        ) { observations.server($0) }
        self.driver = driver
        if isInterrupted { await driver.cancelStart() }
        let stackEndpoints = try await driver.start()
        let endpoints = try await EdgeStarter(
            stack: scenario.stack, processes: plan.processes.filter { $0.role == .edge },
            directory: writer.partialPath, host: host, congestionControl: control.permitted
        ).start(
            before: stackEndpoints, addMember: { members.append($0) },
            addEdge: { edges.append($0) })
        if let note = control.serverNote(scenario.stack.driver) { notes.append(note) }
        notes += scenario.notes(plan.links, endpoints)
        try await startCapture(endpoints)
        if let note = control.clientNote { notes.append(note) }
        let roles = RoleStarter(
            plan: plan, observations: observations, directory: writer.partialPath,
            endpoints: endpoints, congestionControl: control.ofClients,
            linkNamespace: linkNamespace)
        try await roles.startPublishers { members.append($0) }
        try await encoderStart.start(
            members.filter { $0.stage == .publishers }, driver: driver,
            observations: observations, isInterrupted: { isInterrupted },
            say: { progress.say($0) })
        try roles.startViewers { members.append($0) }
        let flood = APIFloodStarter(
            scenario: scenario, token: apiToken, directory: writer.partialPath)
        if let member = try flood.start(endpoints) { members.append(member) }
        if let comparison {
            let recorder = try comparison.startRecorder(
                scenario, endpoints, congestionControl: control.ofClients)
            members.append(recorder)
            try await recorder.waitUntilReady()
        }
        for member in members { try await member.waitUntilReady() }
        await startTogether()
        let accounting = await makeAccounting()
        samples.begin(accounting)
        await readStatistics(isSteady: false)
    }

    private func startCapture(_ endpoints: StackEndpoints) async throws {
        guard scenario.capture.mode != .off else { return }
        do {
            capture = try await CaptureStage.start(
                scenario.capture, plan: plan, endpoints: endpoints, cpus: scenario.cpus.capture,
                directory: writer.partialPath)
        } catch {
            guard scenario.capture.mode == .auto else { throw error }
            notes.append("no capture: \(error.message)")
        }
    }

    /// Gives all children the same start time and the same steady window.
    private func startTogether() async {
        startNanoseconds = Clock.monotonicNanoseconds() + 300_000_000
        // From here on, times in which this process does not run count, too.
        samples.lookForStops()
        let steady = startNanoseconds + scenario.warmup.nanoseconds
        window = Window(
            startNanoseconds: steady, endNanoseconds: steady + scenario.duration.nanoseconds)
        await sendWindow()
        await driver?.begin(atNanoseconds: startNanoseconds)
        // With encoders, the publishers have begun already.
        for member in members where !(plan.hasEncoders && member.stage == .publishers) {
            member.start(atNanoseconds: startNanoseconds)
        }
        capture?.start(atNanoseconds: startNanoseconds)
    }

    func sendWindow() async {
        for member in members { member.setWindow(window) }
        capture?.setWindow(window)
        await driver?.setWindow(window)
    }

    func makeAccounting() async -> ProcessAccounting {
        var groups = await driver?.accountedGroups ?? []
        groups += members.map { $0.accountedGroup }
        if let status = observations.snapshot.server {
            groups += EncoderWatch.accountedGroups(status)
        }
        groups += edges.accountedGroups
        if let pid = capture?.pid {
            groups.append(AccountedGroup(role: "capture", processGroup: pid))
        }
        return ProcessAccounting(
            runID: writer.runID.description, groups: groups, time: elapsed)
    }
}
