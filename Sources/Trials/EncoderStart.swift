import Scenario
import Server
import Sockets
import Stacks
import Workers

/// The start of a stack's encoders before the warm-up: the clips that they take are made, and every
/// encoded rendition has pictures before the first viewer comes.
struct EncoderStart: Sendable {
    /// Longest time until every rendition has pictures.
    static let timeout = Duration.seconds(60)

    let plan: Plan
    /// Name of the stack's driver, for errors.
    let driverName: String

    private func failure(_ message: String) -> StackError {
        StackError(driver: driverName, message: message)
    }

    /// Checks that ffmpeg is installed, if the stack encodes, and makes the clips of the
    /// publishers.
    ///
    /// - Parameter say: Function that gets the words of the progress.
    /// - Throws: `StackError` if ffmpeg is missing or cannot make a clip.
    func prepare(
        isolation: isolated (any Actor)? = #isolation, say: (String) -> Void
    ) async throws(StackError) {
        if plan.hasEncoders {
            do { _ = try FFmpegProgram.path(nil) } catch { throw failure(error.description) }
        }
        var clips: Set<ClipSource> = []
        for publisher in plan.publishers where publisher.isPublished {
            guard case .ffmpeg(let clip) = publisher.source, clips.insert(clip).inserted else {
                continue
            }
            say("clip \(ClipStore.path(of: clip))")
            try await ClipStore.prepare(clip)
        }
    }

    /// Starts the publishers and waits until every encoded rendition has pictures.
    ///
    /// - Parameters:
    ///   - driver: Driver of the running stack.
    ///   - observations: Observations with the server's latest report.
    ///   - isInterrupted: Whether the run is to end.
    ///   - say: Function that gets the words of the progress.
    /// - Throws: `StackError` with each encoder's last words if one does not come.
    func start(
        _ publishers: [any TrialMember], driver: any StackDriver,
        observations: TrialObservations, isolation: isolated (any Actor)? = #isolation,
        isInterrupted: () -> Bool, say: (String) -> Void
    ) async throws(StackError) {
        guard plan.hasEncoders else { return }
        let start = Clock.monotonicNanoseconds() + 100_000_000
        for publisher in publishers { publisher.start(atNanoseconds: start) }
        let expected = plan.publishers.filter { !$0.isPublished }.map(\.streamKey)
        say("waiting for \(expected.count) encoded renditions")
        let deadline = ContinuousClock.now + Self.timeout
        while true {
            let waiting = Self.waiting(for: expected, observations.snapshot.server)
            if waiting.isEmpty { return }
            for publisher in publishers {
                if let reason = publisher.failure { throw failure("\(publisher.name): \(reason)") }
            }
            if let ended = await driver.exitStatus {
                throw failure("the server ended before the warm-up: it \(ended)")
            }
            if isInterrupted() { throw failure("interrupted while encoders began") }
            let hasFailed = waiting.contains { $0.state == .failed }
            if hasFailed || ContinuousClock.now > deadline {
                throw failure(Self.lateEncoders(waiting, hasFailed: hasFailed))
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    /// A rendition that has no pictures yet.
    struct WaitingRendition {
        /// Stream key of the rendition.
        var key: String
        /// State of its encoder; nil if the server has not reported one.
        var state: LadderStatus.State?
        var lastError: String?
    }

    /// Returns the renditions that have no pictures yet.
    ///
    /// - Parameters:
    ///   - expected: Stream keys of all encoded renditions.
    ///   - status: The server's latest report; nil before its first.
    static func waiting(for expected: [String], _ status: ServerStatus?) -> [WaitingRendition] {
        let ready = Set(
            (status?.streams ?? []).filter { $0.isPublished && $0.videoFrames > 0 }
                .map { EncoderWatch.key($0.name) })
        let states = Dictionary(
            (status?.ladders ?? []).flatMap(\.renditions).map { (EncoderWatch.key($0.stream), $0) },
            uniquingKeysWith: { a, _ in a })
        return expected.filter { !ready.contains($0) }.map {
            WaitingRendition(key: $0, state: states[$0]?.state, lastError: states[$0]?.lastError)
        }
    }

    /// Returns the words for encoders that did not come in time or were given up.
    static func lateEncoders(_ waiting: [WaitingRendition], hasFailed: Bool) -> String {
        let each = waiting.map { rendition in
            "\(rendition.key) (\(rendition.state?.rawValue ?? "no encoder")"
                + (rendition.lastError.map { ": \($0)" } ?? "") + ")"
        }.joined(separator: "; ")
        return
            (hasFailed
            ? "encoders were given up before the warm-up: "
            : "\(waiting.count) encoded renditions had no picture within \(timeout): ")
            + each
            + ". Try the ladder with `millrace serve --ladder` (nginx-rtmp's runs the same commands); a machine that is too slow needs "
            + "a faster preset or fewer renditions"
    }
}
