import Analysis
import Foundation
import Glibc
import Publisher
import Results
import Scenario
import SimulationKernel
import Sockets
import Stacks

/// A trial from the shared start time to its end.
extension TrialRunner {
    /// Seconds since the shared start time.
    var elapsed: Double { Double(Clock.monotonicNanoseconds() - startNanoseconds) / 1e9 }

    /// Samples every second and at both ends of the window, until the drain is over, a child is
    /// lost or the run is interrupted.
    func runUntilDrained() async {
        var windowEnds = [window.startNanoseconds, window.endNanoseconds]
        let end = window.endNanoseconds + scenario.drain.nanoseconds
        while early == nil {
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
            if next == windowEnds.first { windowEnds.removeFirst() }
            await sample(at: next)
            let child = LostChild(
                scenario: scenario, driver: driver, edges: edges, members: members,
                capture: capture)
            if let loss = await child.find() {
                early = loss
                progress.say(loss.reason)
            }
        }
        guard early != nil, window.endNanoseconds > Clock.monotonicNanoseconds() else { return }
        // The measurements until now count.
        window.endNanoseconds = max(window.startNanoseconds, Clock.monotonicNanoseconds())
        await sendWindow()
        try? await Task.sleep(for: .milliseconds(200))
    }

    private func sleepUnlessInterrupted(until deadline: Int64) async {
        while !isInterrupted {
            let left = deadline - Clock.monotonicNanoseconds()
            samples.lookForStops()
            guard left > 0 else { return }
            try? await Task.sleep(for: .nanoseconds(min(left, 100_000_000)))
        }
    }

    /// - Parameter tick: The moment at which the sample was due.
    private func sample(at tick: Int64) async {
        // If the runner was held, the sample may come too late after the end of the window.
        let isSteady =
            tick > window.startNanoseconds && tick <= window.endNanoseconds
            && Clock.monotonicNanoseconds() < window.endNanoseconds + 1_000_000_000
        // A server that was started again, or that starts processes, has other processes.
        if let driver {
            let groups = await driver.accountedGroups
            samples.replace("server", with: groups)
        }
        samples.sample(atSeconds: elapsed, isSteady: isSteady)
        await readStatistics(isSteady: isSteady)
        followEncoders(isSteady: isSteady)
        samples.replace(AccountedGroup.edgeRole, with: edges.accountedGroups)
        samples.readClocks()
        let (warmup, duration) = (scenario.warmup.seconds, scenario.duration.seconds)
        progress.show(
            observations.snapshot, elapsed: elapsed,
            total: warmup + duration + scenario.drain.seconds,
            phase: elapsed < warmup
                ? "warm-up" : elapsed < warmup + duration ? "running" : "drain  ")
        if elapsed >= nextInterimSeconds {
            let began = elapsed
            writeInterimResults()
            // The files of a long run are long, and the figures of many sessions take time that the
            // generators on this machine need, so the pauses grow from a second on. A disk or a
            // process that was held up once must not end the writing, so a long write makes a pause
            // no longer than a minute. Only the length of the run does.
            nextInterimSeconds = began + max(0.9, began / 100, min(60, 50 * (elapsed - began)))
        }
    }

    /// Reads what an external server tells about its own CPU time, if it does.
    func readStatistics(isSteady: Bool) async {
        guard let driver, await driver.hasStatistics else { return }
        let reading = await driver.readStatistics()
        samples.receive(
            reading, runID: writer.runID.description, atSeconds: elapsed, isSteady: isSteady)
    }

    /// Takes the server's latest report on its encoders.
    private func followEncoders(isSteady: Bool) {
        guard plan.hasEncoders, let status = observations.snapshot.server else { return }
        samples.receive(status, atSeconds: elapsed, isSteady: isSteady)
    }

    /// Continues the processes that are held at the end, because their reports are needed.
    private func releaseStopped() async {
        samples.lookForStops()
        // Before the start nothing has been accounted.
        let present = if let known = samples.accounting { known } else { await makeAccounting() }
        for pid in present.stopped.keys { kill(pid, SIGCONT) }
    }

    // MARK: Files of a run that goes on

    var manifest: Manifest {
        Manifest(
            scenario, runID: writer.runID, arguments: options.argv,
            congestionControl: congestionControl?.used ?? scenario.congestionControl.rawValue,
            start: startedAt)
    }

    /// Writes what the children have reported so far, so that these results remain if the runner is
    /// killed. Every file is replaced as a whole. A full disk is reported once.
    private func writeInterimResults() {
        var record = newRecord
        let live = observations.snapshot
        record.live = LiveFigures(live)
        record.streams = live.publishers.values.flatMap(\.streams)
        samples.add(to: &record)
        record.end = ISO8601Format.text(secondsSince1970: Date().timeIntervalSince1970)
        record.notes =
            notes + samples.encoderNotes + edges.notes(start: startNanoseconds, window: window)
        let seconds = CSVNumber.text((elapsed * 10).rounded() / 10)
        record.early = EarlyEnd(
            outcome: .interrupted,
            reason: "the run was cut off before its end; figures are those of \(seconds) s")
        do {
            try writer.writeInterim(
                record.interimResults(at: Clock.monotonicNanoseconds()), of: record)
        } catch {
            guard !hasReportedWriteFailure else { return }
            hasReportedWriteFailure = true
            let words = "at \(seconds) s the results could not be written: \(error)"
            notes.append(words)
            progress.say(words + " The run goes on; make room before its end")
        }
    }

    private var newRecord: TrialRecord {
        TrialRecord(
            setup: TrialSetup(scenario), plan: plan, manifest: manifest, window: window,
            startNanoseconds: startNanoseconds)
    }

    // MARK: End

    /// Takes the final reports, ends every child and returns all that was observed. If a
    /// generator's report does not come, the trial is void: what is left of its figures is no
    /// verdict on the server.
    func collect() async -> TrialRecord {
        var record = newRecord
        await releaseStopped()
        followEncoders(isSteady: false)
        samples.closeEncoders()
        var lost: [String] = []
        let ordered = members.sorted { $0.stage < $1.stage }
        for member in ordered where member.stage < .wanProxies {
            if let reason = await member.finish(into: &record) { lost.append(reason) }
        }
        if let linkNamespace { close(linkNamespace) }
        linkNamespace = nil
        let losses = await edges.finish(into: &record)
        // All ends of edges are known only now.
        notes += edges.notes(start: startNanoseconds, window: window) + losses
        for member in ordered where member.stage == .wanProxies {
            _ = await member.finish(into: &record)
        }
        if let capture {
            record.wire = await capture.finish(
                runID: writer.runID.description,
                startNanoseconds: startNanoseconds + samples.clockOffset.minimumNanoseconds)
            if scenario.capture.mode == .on, !record.wire.isWhole {
                lost.append("capture-0: \(record.wire.capture.reason)")
            }
        }
        let restarts = await driver?.restarts ?? []
        notes += restarts.map { $0.note(start: startNanoseconds, window: window) }
        record.hasRestarted = restarts.contains { $0.backNanoseconds != nil }
        await driver?.stop()
        record.serverDelays = await driver?.serverDelays
        record.serverCacheBytes = await driver?.serverCacheBytes
        let serverNotes = await driver?.notes ?? []
        notes += serverNotes
        record.live = LiveFigures(observations.snapshot)
        samples.readClocks()
        samples.add(to: &record)
        record.early = early
        record.hasLostReports = !lost.isEmpty
        // A loss that ended the run is the reason of its early end already.
        record.lost = lost.filter { reason in
            !(early?.reason ?? "").hasPrefix(reason.prefix { $0 != ":" })
        }
        record.notes = notes + samples.encoderNotes + samples.statisticsNotes
        record.end = ISO8601Format.text(secondsSince1970: Date().timeIntervalSince1970)
        return record
    }

    /// Compares the pictures of a whole run, and removes the recordings of any run.
    func comparePictures(into record: inout TrialRecord) async {
        guard let comparison else { return }
        if early == nil, await comparison.compare(into: &record, say: { progress.say($0) }) {
            record.early = EarlyEnd(
                outcome: .interrupted, reason: "interrupted while renditions were compared")
        }
        comparison.removeFiles()
    }
}
