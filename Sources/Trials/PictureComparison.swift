import Analysis
import Foundation
import Processes
import Scenario
import SimulationKernel
import Stacks
import Synchronization
import Viewer
import Workers

/// Compares the pictures of renditions with those of their source. They are recorded in the steady
/// window and compared after it.
final class PictureComparison: Sendable {
    private struct State: Sendable {
        var isInterrupted = false
        /// The comparison that runs at present.
        var task: Task<RenditionQuality, any Error>?
    }

    private let plan: Plan
    /// Directory of the results.
    private let directory: String
    private let state = Mutex(State())

    /// Makes nothing if the plan compares no renditions.
    init?(_ plan: Plan, directory: String) {
        guard plan.publishers.contains(where: { $0.qualityFrames != nil }) else { return nil }
        self.plan = plan
        self.directory = directory
    }

    private var recordings: String { "\(directory)/\(StaleRuns.recordingsDirectory)" }
    private var workshop: String { "\(directory)/\(StaleRuns.comparisonDirectory)" }

    private func recording(_ publisher: PublisherPlan) -> String {
        "\(recordings)/\(publisher.streamKey).flv"
    }

    private func readRecording(of publisher: PublisherPlan) throws -> StampedRecording {
        guard let data = WorkerFile.read(recording(publisher)) else {
            throw QualityError(description: "nothing was recorded")
        }
        return try StampedRecording(data)
    }

    /// Ends the comparison that runs, and begins no other comparison.
    func interrupt() {
        let task = state.withLock {
            $0.isInterrupted = true
            return $0.task
        }
        task?.cancel()
    }

    private var isInterrupted: Bool { state.withLock { $0.isInterrupted } }

    /// Starts the recorder: one more viewer of the source and of each rendition, from the start of
    /// the steady window.
    ///
    /// - Parameter congestionControl: Congestion control of the recorder's sockets; nil = the
    ///   system's.
    func startRecorder(
        _ scenario: TrialScenario, _ endpoints: StackEndpoints, congestionControl: String?
    ) throws -> any TrialMember {
        try FileManager.default.createDirectory(
            atPath: recordings, withIntermediateDirectories: true)
        // The recorder opens its files when it joins, by then perhaps as another user.
        try Privileges.giveToWorkers(directory, onlyGroup: true)
        try Privileges.giveToWorkers(recordings)
        let join = scenario.warmup.nanoseconds
        let specs = plan.publishers.enumerated().compactMap { index, publisher -> ViewerSpec? in
            guard let frames = publisher.qualityFrames else { return nil }
            var spec = ViewerSpec(
                index: index, transport: .rtmp,
                url: endpoints.url(of: publisher), stream: publisher.stream,
                rendition: publisher.rendition, joinNanoseconds: join)
            spec.recording = RecordingSpec(
                path: recording(publisher), frames: frames, fromNanoseconds: join)
            return spec
        }
        let handle = try RoleHandle<ProbeRole>(
            name: "recorder-0", logDirectory: directory,
            cpus: scenario.cpus.probes ?? scenario.cpus.viewers,
            config: .init(
                specs: specs, congestionControl: congestionControl, links: [],
                trust: endpoints.trust))
        let plan = plan
        return RoleMember(
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
    }

    /// Compares the recorded pictures. A rendition that cannot be compared has a note in the record
    /// and no figures.
    ///
    /// - Parameter say: Function that gets the words of the progress.
    /// - Returns: Whether the comparison was interrupted.
    func compare(
        into record: inout TrialRecord, isolation: isolated (any Actor)? = #isolation,
        say: (String) -> Void
    ) async -> Bool {
        do {
            // The folder of the recordings belongs to the workers, so this process writes
            // elsewhere.
            try FileManager.default.createDirectory(
                atPath: workshop, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o750])
            try Privileges.giveToWorkers(workshop, onlyGroup: true)
        } catch {
            record.qualityNotes.append("quality: nothing can be compared: \(error)")
            return false
        }
        for source in plan.publishers where source.isLadderSource {
            guard let frames = source.qualityFrames else { continue }
            let renditions = plan.publishers.filter {
                !$0.isPublished && $0.streamID == source.streamID
            }
            say("comparing \(renditions.count) renditions of \(source.streamKey)")
            let original = Result { try readRecording(of: source) }
            for publisher in renditions {
                do {
                    guard !isInterrupted else { throw CancellationError() }
                    let pair = try PairedRecordings(
                        source: try original.get(),
                        rendition: try readRecording(of: publisher),
                        frames: frames, from: record.window.startNanoseconds)
                    record.quality[publisher.streamKey] = try await quality(
                        of: publisher.streamKey, pair)
                } catch {
                    record.qualityNotes.append(
                        "quality: \(publisher.streamKey): "
                            + (isInterrupted ? "the comparison was interrupted" : "\(error)"))
                }
            }
        }
        return isInterrupted
    }

    private func quality(of name: String, _ pair: PairedRecordings) async throws -> RenditionQuality
    {
        let comparison = QualityComparison(pair: pair, directory: workshop, name: name)
        let task = state.withLock { state -> Task<RenditionQuality, any Error>? in
            guard !state.isInterrupted else { return nil }
            let task = Task { try await comparison.run() }
            state.task = task
            return task
        }
        defer { state.withLock { $0.task = nil } }
        guard let task else { throw CancellationError() }
        return try await task.value
    }

    /// Removes the recordings and the files that were made from them.
    func removeFiles() {
        for path in [recordings, workshop] { try? FileManager.default.removeItem(atPath: path) }
    }
}
