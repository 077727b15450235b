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
                print(algorithm, abandonment, Double(decisions) / (cpuSeconds() - start), last.account.meanBitrate, last.account.stalled, last.abandoned, last.account.sessionTime)
            }
        }
    }
}
