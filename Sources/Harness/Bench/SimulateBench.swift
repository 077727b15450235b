import ABR
import Glibc
import Netem
import SimulationKernel

/// Segments decided per CPU second, in virtual time.
public struct SimulateBench {
    /// CPU seconds of this thread.
    static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    public static func shared() throws {
        let title = try Title(
            name: "ladder", segmentDuration: 4000, bitrates: [264, 878, 1128, 2628],
            segmentCount: 900)
        for abandonment in [PlayerConfiguration.Abandonment.off, .published] {
            var player = PlayerConfiguration()
            player.abandonment = abandonment
            player.live = .init(targetLatency: 12_000)
            var generator = SeededGenerator(seed: 1, entity: "arrivals")
            let link = RateSchedule(constant: Bitrate(kilobitsPerSecond: 12_000_000))
            let viewers = (0..<10_000).map { _ in
                var viewer = SimulatedViewer(
                    title: title, player: player, algorithm: .throughput, link: link)
                viewer.arrival = 10_000 * generator.nextUnit()
                viewer.watchTime = 3_600_000
                return (viewer, 0)
            }
            let start = cpuSeconds()
            let before = residentBytes()
            var run = try SharedSimulation(
                viewers, audiences: [.init(access: .shared(link), roundTrip: 40)], origin: nil,
                timeline: LiveTimeline())
            let sessions = run.run()
            let cpu = cpuSeconds() - start
            let decisions = sessions.reduce(0) { $0 + $1.decisions }
            print(
                abandonment, cpu, decisions, Double(decisions) / cpu,
                Double(residentBytes() - before) / 10_000,
                sessions.reduce(0) { $0 + $1.account.meanBitrate } / 10_000,
                sessions.reduce(0) { $0 + $1.account.stalled } / 10_000,
                sessions.reduce(0) { $0 + $1.abandoned },
                sessions.reduce(0) { $0 + $1.account.meanLatency } / 10_000)
        }
    }

    static func residentBytes() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        fgets(&line, 128, file)
        let text = String(
            decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return (Int(text.split(separator: " ")[1]) ?? 0) * 4096
    }

    public static func solo() throws {
        let title = try Title(
            name: "ladder", segmentDuration: 4000, bitrates: [264, 878, 1128, 2628],
            segmentCount: 900)
        var generator = SeededGenerator(seed: 1, entity: "bench")
        let periods = (0..<600).map { _ in
            RateSchedule.Period(
                durationNanoseconds: 1_000_000_000,
                bitsPerSecond: Int64(500_000 + 4_000_000 * generator.nextUnit()),
                delayNanoseconds: 20_000_000)
        }
        let link = try RateSchedule(periods: periods)
        for abandonment in [PlayerConfiguration.Abandonment.off, .published] {
            for algorithm: AlgorithmName in [
                .throughput, .bolaBasic, .bolaFinite, .bolaE, .dynamic, .dynamicDASH,
            ] {
                var player = PlayerConfiguration()
                player.abandonment = abandonment
                let viewer = SimulatedViewer(
                    title: title, player: player, algorithm: algorithm, link: link)
                let start = cpuSeconds()
                var decisions = 0
                var last: SimulatedSession!
                while decisions < 1_000_000 {
                    var run = try SoloSimulation(viewer)
                    last = run.run()
                    decisions += last.decisions
                }
                print(
                    algorithm, abandonment, Double(decisions) / (cpuSeconds() - start),
                    last.account.meanBitrate, last.account.stalled, last.abandoned,
                    last.account.sessionTime)
            }
        }
    }
}
