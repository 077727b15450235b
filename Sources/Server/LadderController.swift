// How encoders are run.
//
// `LadderController` compares the published streams with the running encoders; an
// `EncoderSupervisor` keeps one ffmpeg alive (back-off with jitter, a watchdog, bounded stderr).
//
// Timestamps stay the source's (`-copyts`), and key frames are forced at multiples of the GOP in
// the time of the slowest rendition, so all renditions cut at the same pictures whenever they
// joined. Frames are selected by slot, not by ffmpeg's `fps` filter, which would wait for the next
// frame. Stamps are SEI messages, and x264 writes them again. An encoder that comes back sends some
// frames again: `ResumedTimeline` leaves these out.

import HTTPWire
import Logging
import NIOCore
import Synchronization

/// Starts a ladder's encoders when a source is published and stops them when it is gone.
///
/// The controller compares the published streams with the running encoders whenever it is notified
/// of a change: a notification that comes late or twice does no harm.
actor LadderController {
    /// Largest number of sources that may have encoders at one time.
    static let sourceLimit = 64

    /// The encoders of one source and one ladder.
    private final class Run: Sendable {
        let source: String
        let ladder: LadderConfiguration
        let supervisors: [EncoderSupervisor]

        init(_ source: String, _ ladder: LadderConfiguration, _ supervisors: [EncoderSupervisor]) {
            self.source = source
            self.ladder = ladder
            self.supervisors = supervisors
        }

        var status: LadderStatus {
            LadderStatus(
                source: source, mode: ladder.mode,
                renditions: supervisors.flatMap { $0.status(source: source) })
        }
    }

    private struct Key: Hashable {
        var source: String
        var ladder: Int
    }

    private let ladders: [LadderConfiguration]
    private let paths: [String]
    private let directory: StreamDirectory
    private let logger: Logger
    private var host = "127.0.0.1"
    private var port = 0
    private var runs: [Key: Run] = [:]
    /// Encoders that are ending; their source may come back in the meantime.
    private var stopping: Set<Key> = []
    private var isStopped = false
    private var hasWarned = false
    private let changes: AsyncStream<Void>
    private let changed: AsyncStream<Void>.Continuation
    private var watcher: Task<Void, Never>?

    /// - Throws: `LadderConfigurationError` for a setting out of its range, or if ffmpeg is
    ///   missing.
    init(
        _ ladders: [LadderConfiguration], directory: StreamDirectory, logger: Logger
    ) throws(LadderConfigurationError) {
        for ladder in ladders { try ladder.check() }
        var paths: [String] = []
        for ladder in ladders { paths.append(try FFmpegProgram.path(ladder.ffmpegPath)) }
        self.ladders = ladders
        self.paths = paths
        self.directory = directory
        self.logger = logger
        (changes, changed) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Begins to watch.
    ///
    /// - Parameters:
    ///   - host: Address of the relay; encoders reach a wildcard address over loopback.
    ///   - port: RTMP port of the relay.
    func start(host: String, port: Int) {
        self.host = Self.reachable(host)
        self.port = port
        let changed = changed
        directory.observe { changed.yield() }
        watcher = Task { [changes] in
            for await _ in changes { self.reconcile() }
        }
        changed.yield()
    }

    static func reachable(_ host: String) -> String {
        switch host {
        case "0.0.0.0", "": "127.0.0.1"
        case "::": "[::1]"
        default: host.contains(":") ? "[\(host)]" : host
        }
    }

    func status() -> [LadderStatus] {
        runs.sorted { ($0.key.source, $0.key.ladder) < ($1.key.source, $1.key.ladder) }
            .map(\.value.status)
    }

    /// Ends all encoders; none is left when the function returns.
    func stop() async {
        isStopped = true
        changed.finish()
        await watcher?.value
        await withTaskGroup(of: Void.self) { group in
            for run in runs.values {
                for supervisor in run.supervisors {
                    group.addTask { await supervisor.stop(drain: .zero) }
                }
            }
        }
        runs = [:]
    }

    private func reconcile() {
        guard !isStopped else { return }
        let sources = directory.publications.filter { !$0.value.isEncoder }.keys
        for (key, run) in runs where !sources.contains(key.source) && !stopping.contains(key) {
            stopping.insert(key)
            logger.info("ladder \(key.source.printable): the source is gone")
            Task { await end(key, run) }
        }
        for source in sources {
            for (index, ladder) in ladders.enumerated() where ladder.takes(source) {
                let key = Key(source: source, ladder: index)
                guard runs[key] == nil else { continue }
                guard runs.count < Self.sourceLimit else {
                    if !hasWarned {
                        logger.warning(
                            "ladder: \(Self.sourceLimit) sources have encoders, \(source.printable) and later ones have none; name the source with --ladder-source"
                        )
                    }
                    hasWarned = true
                    return
                }
                begin(key, ladder)
            }
        }
    }

    private func begin(_ key: Key, _ ladder: LadderConfiguration) {
        let groups =
            ladder.mode == .single ? [ladder.renditions] : ladder.renditions.map { [$0] }
        let supervisors = groups.map { renditions in
            let label = renditions.count == 1 ? "_\(renditions[0].name)" : ""
            return EncoderSupervisor(
                name: "\(key.source)\(label)", path: paths[key.ladder],
                command: EncoderCommand(
                    host: host, port: port, source: key.source, ladder: ladder,
                    renditions: renditions), registry: directory.encoders, logger: logger)
        }
        runs[key] = Run(key.source, ladder, supervisors)
        for supervisor in supervisors { supervisor.start() }
    }

    private func end(_ key: Key, _ run: Run) async {
        await withTaskGroup(of: Void.self) { group in
            for supervisor in run.supervisors {
                group.addTask {
                    await supervisor.stop(drain: .milliseconds(run.ladder.drainMilliseconds))
                }
            }
        }
        stopping.remove(key)
        runs.removeValue(forKey: key)
        // The source may be back.
        reconcile()
    }
}
