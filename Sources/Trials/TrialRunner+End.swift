import Sockets
import Stacks
import Scenario
import Analysis
import Workers
import Foundation
import Publisher
import Results
import Statistics
import Viewer

/// What is written while a trial runs, and what is gathered at its end.
extension TrialRunner {
    /// What the children have said so far, so that a runner that is killed leaves it behind.
    /// Every file is replaced whole; what a full disk does not take is said once.
    func writeInterimResults() {
        var record = TrialRecord(
            setup: TrialSetup(scenario), plan: plan, manifest: baseManifest, window: window,
            startNanoseconds: startNanoseconds)
        let live = observations.snapshot
        record.live = LiveFigures(live)
        record.streams = live.publishers.values.flatMap(\.streams)
        record.usage = accounting?.usage
        (record.stops, record.uncountedStops) = (stops.stops, stops.uncounted)
        record.clockOffset = clock.offset
        record.notes =
            notes + encoders.notes + edges.notes(start: startNanoseconds, window: window)
        let seconds = CSVNumber.text((elapsed * 10).rounded() / 10)
        record.early = EarlyEnd(
            outcome: .interrupted,
            reason: "the run was cut off before its end; figures are those of \(seconds) s")
        record.end = ISO8601Format.text(secondsSince1970: Date().timeIntervalSince1970)
        do {
            try writer.writeInterim(
                record.interimResults(at: Clock.monotonicNanoseconds()), of: record)
        } catch {
            guard !hasSaidUnwritable else { return }
            hasSaidUnwritable = true
            let words = "at \(seconds) s the results could not be written: \(error)"
            notes.append(words)
            progress.say(words + " The run goes on; make room before its end")
        }
    }

    /// What was measured is not lost with the disk that it was meant for: it goes where temporary
    /// files go.
    /// - Throws: `error` where it cannot go there either.
    func rescue(
        _ record: TrialRecord, _ results: RunResults, after error: ResultsError
    ) throws(ResultsError) -> String {
        let files = FileManager.default
        var results = results
        results.summary.notes.append("the results are not where they were meant to be: \(error)")
        guard
            let other = try? ResultsWriter(
                parent: NSTemporaryDirectory() + "millrace-results-\(UUID().uuidString)",
                runID: writer.runID)
        else { throw error }
        // Logs, and what children wrote themselves.
        for name in (try? files.contentsOfDirectory(atPath: writer.partialPath)) ?? []
        where name != StaleRuns.ownerFile {
            try? files.copyItem(
                atPath: "\(writer.partialPath)/\(name)", toPath: "\(other.partialPath)/\(name)")
        }
        guard (try? other.write(results, of: record)) != nil, (try? other.commit()) != nil else {
            try? files.removeItem(atPath: other.partialPath)
            throw error
        }
        try? files.removeItem(atPath: writer.partialPath)
        progress.say("\(error) The results are in \(other.finalPath) instead")
        return other.finalPath
    }

    /// Takes the final reports, stops every child and hands all over. A generator whose report
    /// does not come voids the trial: what is left of its figures is no verdict on the server.
    func collect() async -> TrialRecord {
        var record = TrialRecord(
            setup: TrialSetup(scenario), plan: plan, manifest: baseManifest, window: window,
            startNanoseconds: startNanoseconds)
        await releaseStopped()
        followEncoders(isSteady: false)
        encoders.close()
        var lost: [String] = []
        let ordered = members.sorted { $0.stage < $1.stage }
        for member in ordered where member.stage < .wanProxies {
            if let reason = await member.finish(into: &record) { lost.append(reason) }
        }
        closeLinkNamespace()
        let losses = await edges.finish(into: &record)
        // Only now all ends are known.
        notes += edges.notes(start: startNanoseconds, window: window) + losses
        for member in ordered where member.stage == .wanProxies {
            _ = await member.finish(into: &record)
        }
        if let capture {
            record.wire = await capture.finish(
                runID: writer.runID.description,
                startNanoseconds: startNanoseconds + clock.offset.minimumNanoseconds)
            if scenario.capture.mode == .on, !record.wire.isWhole {
                lost.append("capture-0: \(record.wire.capture.reason)")
            }
        }
        let restarts = await driver?.restarts ?? []
        notes += restarts.map { $0.note(start: startNanoseconds, window: window) }
        record.hasRestarted = restarts.contains { $0.backNanoseconds != nil }
        await driver?.stop()
        record.live = LiveFigures(observations.snapshot)
        clock.sample()
        record.usage = accounting?.usage
        (record.stops, record.uncountedStops) = (stops.stops, stops.uncounted)
        record.clockOffset = clock.offset
        record.early = early
        record.hasLostReports = !lost.isEmpty
        // One that ended the run has said so already.
        record.lost = lost.filter { reason in
            !(early?.reason ?? "").hasPrefix(reason.prefix { $0 != ":" })
        }
        record.notes = notes + encoders.notes
        record.end = ISO8601Format.text(secondsSince1970: Date().timeIntervalSince1970)
        return record
    }
}
