import Netem
import SimulationKernel
import Testing

@testable import ABR

/// Every algorithm by its name, over whole sessions.
@Suite struct AlgorithmSessionTests {
    @Test func namesParse() {
        for name in AlgorithmName.all {
            #expect(AlgorithmName(parsing: name.description) == name)
            #expect(name.summary.last == ".")
        }
        #expect(AlgorithmName(parsing: "fixed:3") == .fixed(rendition: 3))
        for wrong in ["", "fixed", "fixed:", "fixed:-1", "fixed:255", "bola", "MPC"] {
            #expect(AlgorithmName(parsing: wrong) == nil, "\(wrong)")
        }
        #expect(
            AlgorithmName.allNames == [
                "fixed:0", "throughput", "bola-finite", "bola-basic", "bola-e", "dynamic",
                "dynamic-dash", "bba-0", "bba-1", "bba-2", "mpc", "robust-mpc", "l2a-ll",
                "lol-plus", "hls-js", "media3", "soda",
            ])
    }

    /// Algorithms that say they never abandon must not.
    @Test(arguments: AlgorithmName.all)
    func mayAbandonIsTrue(_ name: AlgorithmName) throws {
        let title = try Make.title([300, 1000, 3000])
        var algorithm = name.make(title, maximumBuffer: PlayerConfiguration().maximumBuffer)
        guard !algorithm.mayAbandon else { return }
        let state = Make.state(title, buffer: 100, throughput: 3000, last: 2)
        let hopeless = Make.progress(
            state, rendition: 2, size: 12e6, downloaded: 10, elapsed: 60_000)
        #expect(algorithm.abandon(hopeless, state) == nil)
    }

    /// Before the time that an algorithm states, it gives nothing up; afterwards it may.
    @Test(arguments: AlgorithmName.all)
    func abandonGraceIsTrue(_ name: AlgorithmName) throws {
        let title = try Make.title([300, 1000, 3000])
        var algorithm = name.make(title, maximumBuffer: PlayerConfiguration().maximumBuffer)
        let state = Make.state(title, buffer: 100, throughput: 3000, last: 2)
        let grace = algorithm.abandonGrace
        #expect(grace == (name == .throughput || name == .dynamic ? 500 : 0))
        guard grace > 0 else { return }
        for elapsed in [grace - 1, grace] {
            let hopeless = Make.progress(
                state, rendition: 2, size: 12e6, downloaded: 10, elapsed: elapsed)
            let lower = algorithm.abandon(hopeless, state)
            #expect((lower == nil) == (elapsed < grace))
        }
    }

    /// Up to the time that an algorithm states after a judgement, it does not give up a download of
    /// which nothing but more bits is known.
    @Test(arguments: AlgorithmName.all)
    func earliestAbandonmentIsTrue(_ name: AlgorithmName) throws {
        let title = try Make.title([300, 1000, 3000])
        var random = SeededGenerator(seed: 1, entity: "abandonment")
        for _ in 0..<2000 {
            var algorithm = name.make(title, maximumBuffer: PlayerConfiguration().maximumBuffer)
            let state = Make.state(
                title, buffer: 20_000 * random.nextUnit(), throughput: 3000, last: 2)
            var progress = Make.progress(
                state, rendition: 2, size: 12e6, downloaded: 12e6 * random.nextUnit(),
                elapsed: 500 + 8000 * random.nextUnit(), timeToFirstByte: 9000 * random.nextUnit())
            guard algorithm.abandon(progress, state) == nil else { continue }
            let earliest = algorithm.earliestAbandonment(after: progress, state)
            guard earliest > progress.elapsed else { continue }
            progress.elapsed += (earliest - progress.elapsed) * 0.999 * random.nextUnit()
            progress.downloaded +=
                (progress.size - progress.downloaded) * max(0, 2 * random.nextUnit() - 1)
            let lower = algorithm.abandon(progress, state)
            #expect(lower == nil, "\(progress)")
        }
    }

    /// A download that is fast enough is judged no more before its end.
    @Test func needlessJudgementsAreLeftOut() throws {
        let title = try Make.title([300, 1000, 3000])
        let player = try Player(
            title: title, configuration: PlayerConfiguration(), algorithm: .throughput)
        let state = Make.state(title, buffer: 8000, last: 2)
        // The limit is 1.8 segments of 4 s.
        let cases: [(Double, Double)] = [(0.5, 3700), (0.25, 1900), (0.01, 200), (1, 7200)]
        for (share, next) in cases {
            let progress = Make.progress(
                state, rendition: 2, size: 12e6, downloaded: 12e6 * share, elapsed: 1000)
            #expect(player.nextJudgement(after: progress) == next)
        }
        let always = try Player(
            title: title, configuration: PlayerConfiguration(), algorithm: .bolaE)
        let half = Make.progress(
            state, rendition: 2, size: 12e6, downloaded: 6e6, elapsed: 1000)
        #expect(always.nextJudgement(after: half) <= 0)
    }

    private static func viewer(
        _ name: AlgorithmName, _ link: RateSchedule, variation: Double, buffer: Double = 25_000
    ) throws -> SimulatedViewer {
        let title = try Ladder.geometric.title(
            segmentDuration: 4000, segmentCount: 75, variation: variation, seed: 7)
        var player = PlayerConfiguration()
        player.maximumBuffer = buffer
        return SimulatedViewer(title: title, player: player, algorithm: name, link: link)
    }

    /// A whole title: everything is played once, the time is accounted for, renditions exist.
    @Test(arguments: AlgorithmName.all)
    func playsATitle(_ name: AlgorithmName) throws {
        for seed in 0..<4 as Range<UInt64> {
            for buffer in [8000.0, 25_000, 60_000] {
                let viewer = try Self.viewer(
                    name, try Make.link(seed: seed), variation: seed % 2 == 0 ? 0 : 0.4,
                    buffer: buffer)
                var run = try SoloSimulation(viewer, records: true)
                let session = run.run()
                let account = session.account
                #expect(account.segments == 75)
                #expect(abs(account.playing - 300_000) < 1e-3)
                let last = try #require(run.segments.last)
                let end =
                    last.requested + last.timeToFirstByte + last.transferTime + last.bufferAfter
                #expect(abs(account.sessionTime - end) < 1e-3, "\(name) \(seed)")
                #expect(
                    abs(
                        account.startup + account.playing + account.stalled + account.idle
                            - account.sessionTime) < 1e-6)
                #expect(run.segments.allSatisfy { (0..<6).contains($0.rendition) })
                #expect(run.segments.allSatisfy { $0.bufferAfter <= buffer + 1e-6 })
                // The same again.
                var again = try SoloSimulation(viewer, records: true)
                #expect(again.run() == session)
                #expect(again.segments.map(\.rendition) == run.segments.map(\.rendition))
            }
        }
    }

    /// Low latency: segments of 1 s in chunks, 3 s behind the edge.
    @Test(arguments: AlgorithmName.all)
    func playsLive(_ name: AlgorithmName) throws {
        let title = try Ladder.geometric.title(
            segmentDuration: 1000, segmentCount: 60, variation: 0.2, seed: 3)
        var player = PlayerConfiguration()
        var live = PlayerConfiguration.Live(targetLatency: 3000)
        live.catchUp = .sigmoid(maximumChange: 0.5)
        live.maximumLatency = 12_000
        player.live = live
        var viewer = SimulatedViewer(
            title: title, player: player, algorithm: name, link: try Make.link(seed: 9))
        viewer.arrival = 20_000
        viewer.watchTime = 120_000
        var timeline = LiveTimeline()
        timeline.parts = 5
        timeline.delivery = .chunks
        var run = try SoloSimulation(viewer, timeline: timeline, records: true)
        let account = run.run().account
        #expect(abs(account.sessionTime - 120_000) < 1e-3)
        #expect(account.playing > 10_000)
        #expect(run.segments.allSatisfy { (0..<6).contains($0.rendition) })
    }

    /// On a steady 5 Mbit/s everything that adapts uses the link, and without a stall; but MPC
    /// plans stalls where they cost less than two switches (as Chen et al. 2024 found too).
    @Test(arguments: AlgorithmName.all.filter { $0 != .fixed(rendition: 0) })
    func usesASteadyLink(_ name: AlgorithmName) throws {
        let link = try RateSchedule(periods: [
            .init(
                durationNanoseconds: 1_000_000_000, bitsPerSecond: 5_000_000,
                delayNanoseconds: 20_000_000)
        ])
        let viewer = try Self.viewer(name, link, variation: 0, buffer: 40_000)
        var run = try SoloSimulation(viewer, records: true)
        let session = run.run()
        let plansStalls = name == .mpc || name == .robustMPC
        #expect(plansStalls || session.account.stalled == 0, "\(name)")
        #expect(session.account.meanBitrate > 2000, "\(name): \(session.account.meanBitrate)")
    }

    /// SODA's weight of switches must not hold it below a rendition that the link sustains.
    @Test(arguments: Ladder.presets)
    func sodaReachesWhatTheLinkSustains(_ ladder: Ladder) throws {
        let title = try ladder.title(
            segmentDuration: 4000, segmentCount: 75, variation: 0, seed: 1)
        for (rendition, bitrate) in title.bitrates.enumerated() {
            let link = try RateSchedule(periods: [
                .init(
                    durationNanoseconds: 1_000_000_000, bitsPerSecond: Int64(bitrate * 1150),
                    delayNanoseconds: 20_000_000)
            ])
            let viewer = SimulatedViewer(
                title: title, player: PlayerConfiguration(), algorithm: .soda, link: link)
            var run = try SoloSimulation(viewer, records: true)
            let session = run.run()
            #expect(session.account.stalled == 0)
            let later = run.segments.suffix(50)
            let share = Double(later.count { $0.rendition >= rendition }) / 50
            #expect(share > 0.6, "\(ladder.name) \(rendition) \(share)")
        }
    }

    /// What the simple rules cost a viewer.
    @Test func simpleViewersAreSmall() {
        let viewer =
            MemoryLayout<Player>.stride + MemoryLayout<ThroughputRule>.stride
            + MemoryLayout<EWMAEstimator>.stride
        #expect(viewer < 900)
    }
}
