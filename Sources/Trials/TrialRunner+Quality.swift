import SimulationKernel
import Analysis
import Scenario
import Stacks
import Workers
import Foundation
import Processes
import Results
import Viewer

/// Pictures of renditions against their source: recorded in the steady window, compared after it.
extension TrialRunner {
    private var qualityDirectory: String {
        "\(writer.partialPath)/\(StaleRuns.recordingsDirectory)"
    }
    private var comparisonDirectory: String {
        "\(writer.partialPath)/\(StaleRuns.comparisonDirectory)"
    }
    private var comparesQuality: Bool { plan.publishers.contains { $0.qualityFrames != nil } }

    private func recording(_ publisher: PublisherPlan) -> String {
        "\(qualityDirectory)/\(publisher.streamKey).flv"
    }

    private func readRecording(of publisher: PublisherPlan) throws -> StampedRecording {
        guard let data = WorkerFile.read(recording(publisher)) else {
            throw QualityError(description: "nothing was recorded")
        }
        return try StampedRecording(data)
    }

    /// One more viewer of the source and of each rendition, from the start of the steady window.
    func startRecorder(_ endpoints: StackEndpoints, _ congestionControl: String?) async throws {
        guard comparesQuality else { return }
        try FileManager.default.createDirectory(
            atPath: qualityDirectory, withIntermediateDirectories: true)
        // The recorder opens its files when it joins, as another user perhaps.
        try Privileges.giveToWorkers(writer.partialPath, onlyGroup: true)
        try Privileges.giveToWorkers(qualityDirectory)
        let from = scenario.warmup.nanoseconds
        let specs = plan.publishers.enumerated().compactMap { index, publisher -> ViewerSpec? in
            guard let frames = publisher.qualityFrames else { return nil }
            var spec = ViewerSpec(
                index: index, transport: .rtmp,
                url: endpoints.url(of: publisher), stream: publisher.stream,
                rendition: publisher.rendition, joinNanoseconds: from)
            spec.recording = RecordingSpec(
                path: recording(publisher), frames: frames, fromNanoseconds: from)
            return spec
        }
        let handle = try RoleHandle<ProbeRole>(
            name: "recorder-0", logDirectory: writer.partialPath,
            cpus: scenario.cpus.probes ?? scenario.cpus.viewers,
            config: .init(
                specs: specs, congestionControl: congestionControl, links: [],
                trust: endpoints.trust))
        let plan = plan
        let member = RoleMember(
            stage: .recorder, accountedRole: "recorder", handle: handle
        ) { report, loss, record in
            guard let report else {
                record.qualityNotes.append("quality: \(loss)")
                return nil
            }
            record.recorderPeers = report.viewers.map { ViewerPeer(port: $0.localPort) }
            for viewer in report.viewers {
                guard let failure = viewer.failure else { continue }
                record.qualityNotes.append(
                    "quality: \(plan.publishers[viewer.index].streamKey) was not recorded whole: "
                        + failure)
            }
            return nil
        }
        members.append(member)
        try await member.waitUntilReady()
    }

    /// Compares what was recorded; what cannot be compared has a note and no figures.
    func compareQuality(into record: inout TrialRecord) async {
        defer {
            for path in [qualityDirectory, comparisonDirectory] {
                try? FileManager.default.removeItem(atPath: path)
            }
        }
        guard comparesQuality, early == nil else { return }
        do {
            // The recordings' folder is the workers': what this process writes goes elsewhere.
            try FileManager.default.createDirectory(
                atPath: comparisonDirectory, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o750])
            try Privileges.giveToWorkers(comparisonDirectory, onlyGroup: true)
        } catch {
            return record.qualityNotes.append("quality: nothing can be compared: \(error)")
        }
        for source in plan.publishers where source.isLadderSource {
            guard let frames = source.qualityFrames else { continue }
            let renditions = plan.publishers.filter {
                !$0.isPublished && $0.streamID == source.streamID
            }
            progress.say("comparing \(renditions.count) renditions of \(source.streamKey)")
            let original = Result { try readRecording(of: source) }
            for publisher in renditions {
                do {
                    guard !isInterrupted else { throw CancellationError() }
                    let pair = try PairedRecordings(
                        source: try original.get(),
                        rendition: try readRecording(of: publisher),
                        frames: frames, from: window.startNanoseconds)
                    let comparison = QualityComparison(
                        pair: pair, directory: comparisonDirectory, name: publisher.streamKey)
                    let task = Task { try await comparison.run() }
                    comparing = task
                    record.quality[publisher.streamKey] = try await task.value
                } catch {
                    record.qualityNotes.append(
                        "quality: \(publisher.streamKey): "
                            + (isInterrupted ? "the comparison was interrupted" : "\(error)"))
                }
            }
        }
        comparing = nil
        if isInterrupted {
            early = EarlyEnd(
                outcome: .interrupted, reason: "interrupted while renditions were compared")
        }
    }
}
