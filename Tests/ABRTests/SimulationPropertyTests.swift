import Netem
import SimulationKernel
import Testing

@testable import ABR

/// Invariants of simulated sessions over random links, titles and settings.
@Suite struct SimulationPropertyTests {
    private static let algorithms: [AlgorithmName] = [
        .throughput, .bolaE, .bolaBasic, .dynamic, .bba0, .fixed(rendition: 3),
    ]

    private struct Drawn {
        var title: Title
        var link: RateSchedule
        var player: PlayerConfiguration
        var algorithm: AlgorithmName
    }

    private static func draw(_ random: inout SeededGenerator, live: Bool) throws -> Drawn {
        let duration = [2000.0, 4000, 6000][Int(random.nextUnit() * 3)]
        let title = try Ladder.edge.title(
            segmentDuration: duration, segmentCount: 40, variation: 0.4,
            seed: UInt64(random.nextUnit() * 1e6))
        let periods = (0..<20).map { index in
            RateSchedule.Period(
                durationNanoseconds: Int64(2e8 + random.nextUnit() * 4e9),
                bitsPerSecond: index == 0 || random.nextUnit() > 0.1
                    ? Int64(1e5 + random.nextUnit() * 6e6) : 0,
                delayNanoseconds: Int64(random.nextUnit() * 8e7))
        }
        var player = PlayerConfiguration()
        player.maximumBuffer = duration * (1.5 + random.nextUnit() * 6)
        player.abandonment = [.off, .published, .sabre][Int(random.nextUnit() * 3)]
        if live {
            var settings = PlayerConfiguration.Live(
                targetLatency: duration * (1 + 2 * random.nextUnit()))
            if random.nextUnit() < 0.5 { settings.maximumLatency = settings.targetLatency * 2 }
            settings.catchUp =
                [.off, .sigmoid(maximumChange: 0.3), .media3][
                    Int(random.nextUnit() * 3)]
            player.live = settings
        }
        return Drawn(
            title: title, link: try RateSchedule(periods: periods), player: player,
            algorithm: algorithms[Int(random.nextUnit() * Double(algorithms.count))])
    }

    private static func check(
        _ session: SimulatedSession, _ records: [SegmentRecord], _ drawn: Drawn, time: Double
    ) {
        let account = session.account
        #expect(abs(account.sessionTime - time) < 1e-3, "\(account.sessionTime) of \(time)")
        #expect(session.bits >= session.wastedBits && session.wastedBits >= 0)
        var last = 0.0
        for record in records {
            #expect(record.bufferBefore >= 0 && record.bufferAfter >= 0)
            #expect(record.bufferAfter <= drawn.player.maximumBuffer + 1e-6)
            #expect(record.requested >= last, "time went back")
            #expect(record.transferTime >= 0)
            #expect((0..<drawn.title.renditionCount).contains(record.rendition))
            last = record.requested + record.transferTime
        }
        #expect(abs(records.reduce(0) { $0 + $1.bits } - session.bits) < 1)
    }

    @Test(arguments: 0..<60) func soloVOD(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed, entity: "solo")
        let drawn = try Self.draw(&random, live: false)
        let viewer = SimulatedViewer(
            title: drawn.title, player: drawn.player, algorithm: drawn.algorithm, link: drawn.link)
        var run = try SoloSimulation(
            viewer, tcp: random.nextUnit() < 0.5 ? TCPModel() : nil, records: true)
        let session = run.run()
        Self.check(session, run.segments, drawn, time: session.account.sessionTime)
        #expect(session.account.segments == drawn.title.segmentCount)
        // All of the title was played, at its own speed.
        let media = drawn.title.segmentDuration * Double(drawn.title.segmentCount)
        #expect(abs(session.account.playing - media) < 1e-3)
    }

    @Test(arguments: 0..<60) func soloLive(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed, entity: "live")
        let drawn = try Self.draw(&random, live: true)
        var viewer = SimulatedViewer(
            title: drawn.title, player: drawn.player, algorithm: drawn.algorithm, link: drawn.link)
        viewer.watchTime = 90_000
        viewer.arrival = drawn.title.segmentDuration + random.nextUnit() * 30_000
        var timeline = LiveTimeline()
        timeline.publishDelay = random.nextUnit() * 500
        timeline.delivery = [.segments, .chunks, .parts][Int(random.nextUnit() * 3)]
        timeline.parts = 4
        // Whatever the parts, a first request before the first part would wait.
        var run = try SoloSimulation(viewer, timeline: timeline, records: true)
        let session = run.run()
        let joined = max(
            viewer.arrival, timeline.requestable(0, duration: drawn.title.segmentDuration))
        Self.check(
            session, run.segments, drawn, time: viewer.arrival + viewer.watchTime - joined)
        for record in run.segments where record.abandonedFor == nil {
            // The last bit arrives after the encoder has made it.
            let made = timeline.available(
                segment: record.segment, part: timeline.effectiveParts - 1,
                of: timeline.effectiveParts, duration: drawn.title.segmentDuration)
            let ttfb = record.timeToFirstByte.isNaN ? 0 : record.timeToFirstByte
            if timeline.effectiveParts == 1 {
                #expect(record.requested >= made - 1e-6, "requested before it existed")
                #expect(record.requested + ttfb + record.transferTime >= made - 1e-6)
            }
        }
    }

    @Test(arguments: 0..<30) func shared(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed, entity: "shared")
        let drawn = try Self.draw(&random, live: seed % 2 == 0)
        var timeline: LiveTimeline?
        if drawn.player.live != nil { timeline = LiveTimeline() }
        let viewers = (0..<8).map { index in
            var viewer = SimulatedViewer(
                title: drawn.title, player: drawn.player, algorithm: drawn.algorithm,
                link: drawn.link)
            viewer.arrival = random.nextUnit() * 20_000
            viewer.watchTime = timeline == nil && index < 4 ? .infinity : 60_000
            viewer.weight = 0.5 + random.nextUnit()
            return (viewer, index % 2)
        }
        var run = try SharedSimulation(
            viewers,
            audiences: [
                .init(access: .shared(drawn.link), roundTrip: 30),
                .init(access: .each(drawn.link), roundTrip: 80),
            ], origin: RateSchedule(constant: Bitrate(kilobitsPerSecond: 6000)),
            timeline: timeline, tcp: random.nextUnit() < 0.5 ? TCPModel() : nil, records: true)
        let sessions = run.run()
        for (index, session) in sessions.enumerated() {
            let records = run.segments.filter { $0.viewer == index }
            let joined = max(
                viewers[index].0.arrival,
                timeline?.requestable(0, duration: drawn.title.segmentDuration) ?? 0)
            let end = viewers[index].0.arrival + viewers[index].0.watchTime
            let time = end.isFinite ? max(0, end - joined) : session.account.sessionTime
            Self.check(session, records, drawn, time: time)
            if let timeline {
                for record in records {
                    #expect(
                        record.requested
                            >= timeline.requestable(
                                record.segment, duration: drawn.title.segmentDuration) - 1e-6)
                }
            }
        }
        // The origin carries at most its capacity.
        let bits = sessions.reduce(0) { $0 + $1.bits }
        let last = run.segments.map { $0.requested + $0.timeToFirstByte + $0.transferTime }.max()
        #expect(bits <= 6000 * ((last ?? 0) + 1) * (1 + 1e-9))
    }

    /// Alone on a link, the two simulators are one: same requests at the same times.
    @Test(arguments: 0..<10) func soloEqualsShared(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed, entity: "both")
        var drawn = try Self.draw(&random, live: false)
        drawn.player.abandonment = .off
        let link = try RateSchedule(
            periods: drawn.link.periods.map { period in
                var period = period
                period.delayNanoseconds = 0
                return period
            })
        let viewer = SimulatedViewer(
            title: drawn.title, player: drawn.player, algorithm: drawn.algorithm, link: link)
        var solo = try SoloSimulation(viewer, records: true)
        var shared = try SharedSimulation(
            [(viewer, 0)], audiences: [.init(access: .shared(link), roundTrip: 0)], origin: nil,
            records: true)
        let (one, other) = (solo.run(), shared.run()[0])
        #expect(solo.segments.map(\.rendition) == shared.segments.map(\.rendition))
        #expect(abs(one.account.stalled - other.account.stalled) < 1e-3)
        #expect(abs(one.account.sessionTime - other.account.sessionTime) < 1e-3)
    }
}
