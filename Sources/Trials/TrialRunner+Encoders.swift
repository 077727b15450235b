import Workers
import Scenario
import Stacks
import Sockets
import Glibc
import Server

/// Encoders in a trial: clips before it, waiting for them before the warm-up, following them.
extension TrialRunner {
    /// How long encoders may take until every rendition has pictures.
    static let encoderTimeout = Duration.seconds(60)

    private var driverName: String { scenario.stack.driver.rawValue }

    /// What has to be there before anything is started.
    ///
    /// - Throws: `StackError` where ffmpeg is missing or cannot make a clip.
    func prepareEncoders() async throws(StackError) {
        if plan.hasEncoders {
            do { _ = try FFmpegProgram.path(nil) } catch {
                throw StackError(driver: driverName, message: error.description)
            }
        }
        var clips: Set<ClipSource> = []
        for publisher in plan.publishers where publisher.isPublished {
            guard case .ffmpeg(let clip) = publisher.source, clips.insert(clip).inserted else {
                continue
            }
            progress.say("clip \(ClipStore.path(of: clip))")
            try await ClipStore.prepare(clip)
        }
    }

    /// Publishes, and waits until every encoded rendition has pictures: the first viewer finds them
    /// ready.
    ///
    /// - Throws: `StackError` with each encoder's last words where one does not come.
    func startEncoders() async throws(StackError) {
        guard plan.hasEncoders else { return }
        let start = Clock.monotonicNanoseconds() + 100_000_000
        let publishers = members.filter { $0.stage == .publishers }
        for publisher in publishers { publisher.start(atNanoseconds: start) }
        let expected = plan.publishers.filter { !$0.isPublished }.map(\.streamKey)
        progress.say("waiting for \(expected.count) encoded renditions")
        let deadline = ContinuousClock.now + Self.encoderTimeout
        while true {
            let status = observations.snapshot.server
            let waiting = Self.waiting(for: expected, status)
            if waiting.isEmpty { return }
            for publisher in publishers {
                if let failure = publisher.failure {
                    throw StackError(driver: driverName, message: "\(publisher.name): \(failure)")
                }
            }
            if let ended = await driver?.exitStatus {
                throw StackError(
                    driver: driverName, message: "the server ended before the warm-up: it \(ended)")
            }
            let hasFailed = waiting.contains { $0.state == .failed }
            if isInterrupted {
                throw StackError(driver: driverName, message: "interrupted while encoders began")
            }
            if hasFailed || ContinuousClock.now > deadline {
                throw StackError(
                    driver: driverName, message: Self.lateEncoders(waiting, hasFailed: hasFailed))
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    struct WaitingRendition {
        var key: String
        var state: LadderStatus.State?
        var lastError: String?
    }

    /// The renditions that have no pictures yet.
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

    static func lateEncoders(_ waiting: [WaitingRendition], hasFailed: Bool) -> String {
        let each = waiting.map { rendition in
            "\(rendition.key) (\(rendition.state?.rawValue ?? "no encoder")"
                + (rendition.lastError.map { ": \($0)" } ?? "") + ")"
        }.joined(separator: "; ")
        return
            (hasFailed
            ? "encoders were given up before the warm-up: "
            : "\(waiting.count) encoded renditions had no picture within \(encoderTimeout): ")
            + each
            + ". Try the ladder with `millrace serve --ladder` (nginx-rtmp's runs the same commands); a machine that is too slow needs "
            + "a faster preset or fewer rungs"
    }

    /// Takes the server's latest report; new encoder processes are accounted from here on.
    func followEncoders(isSteady: Bool) {
        guard plan.hasEncoders, let status = observations.snapshot.server else { return }
        encoders.receive(status, seconds: elapsed, isInWindow: isSteady)
        accounting?.replace(AccountedGroup.encoderRole, with: Self.accounted(status))
    }

    static func accounted(_ status: ServerStatus) -> [AccountedGroup] {
        EncoderWatch.processes(status).map { name, pid in
            AccountedGroup(
                role: AccountedGroup.encoderRole, processGroup: pid, isAlone: true, name: name)
        }
    }
}
