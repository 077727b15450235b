import Results
import Scenario
import Testing

@testable import Benches

/// The front of CPU against delay, from measurements that are given.
@Suite struct FrontRowTests {
    private func measurement(
        _ server: String, _ flush: Int?, round: Int = 1, mode: String = "prompt", cpu: Double,
        p50: Double, p99: Double
    ) -> FanoutBench.Measurement {
        var measurement = FanoutBench.Measurement(
            server: server, mode: mode, pair: round, gigabits: 1, serverCPUPerGigabit: cpu,
            viewerCPUPerGigabit: 0, delayP50Milliseconds: p50, delayP99Milliseconds: p99,
            framesMissing: 0, serverRSSBytes: 0, publisherLagP99Milliseconds: 0,
            congestionControl: "cubic")
        measurement.flushIntervalMilliseconds = flush
        return measurement
    }

    @Test func mediansOfRounds() {
        let rows = FrontRow.rows(of: [
            measurement("embedded", nil, round: 1, cpu: 0.3, p50: 3, p99: 9),
            measurement("embedded", 40, round: 1, cpu: 0.2, p50: 20, p99: 50),
            measurement("embedded", 40, round: 2, cpu: 0.4, p50: 22, p99: .nan),
            measurement("embedded", nil, round: 2, cpu: 0.1, p50: 1, p99: 4),
            measurement("embedded", nil, round: 3, cpu: 0.2, p50: 2, p99: 8),
        ])
        #expect(rows.map(\.flushWords) == ["auto", "40"])
        #expect(rows.map(\.cpuPerGigabit) == [0.2, (0.2 + 0.4) / 2])
        #expect(rows.map(\.delayP50Milliseconds) == [2, 21])
        // What was not measured is left out.
        #expect(rows.map(\.delayP99Milliseconds) == [8, 50])
        #expect(rows.allSatisfy { $0.place == nil && $0.timesFloor == nil })
    }

    /// A peer is behind if one row of ours is better in all three figures, not if each figure has a
    /// better row.
    @Test func peersAreAheadOrBehind() {
        let rows = FrontRow.rows(of: [
            measurement("embedded", 0, cpu: 0.20, p50: 1, p99: 5),
            measurement("embedded", 350, cpu: 0.05, p50: 180, p99: 360),
            measurement("slow", nil, cpu: 0.25, p50: 1, p99: 5),
            measurement("cheap", nil, cpu: 0.10, p50: 100, p99: 350),
            measurement("equal", nil, cpu: 0.20, p50: 1, p99: 5),
            measurement("unknown", nil, cpu: 0.30, p50: .nan, p99: .nan),
        ])
        #expect(rows.map(\.place) == [nil, nil, .behind, .ahead, .ahead, nil])
        #expect(rows[2].behind == "embedded 0")
        #expect(rows[2].flushWords == "-")
        #expect(rows.dropFirst(3).allSatisfy { $0.behind == nil })
    }

    /// Modes are fronts of their own.
    @Test func modesAreNotCompared() {
        let rows = FrontRow.rows(of: [
            measurement("embedded", 0, mode: "lazy", cpu: 0.1, p50: 1, p99: 5),
            measurement("peer", nil, mode: "prompt", cpu: 0.3, p50: 2, p99: 6),
            measurement("peer", nil, mode: "lazy", cpu: 0.3, p50: 2, p99: 6),
        ])
        #expect(rows.map(\.place) == [nil, .ahead, .behind])
    }

    /// The floor's multiple is that of the same interval.
    @Test func multiplesOfTheFloor() {
        let rows = FrontRow.rows(of: [
            measurement("embedded", nil, cpu: 0.2, p50: 1, p99: 5),
            measurement("embedded", 0, cpu: 0.3, p50: 1, p99: 5),
            measurement("embedded", 350, cpu: 0.06, p50: 180, p99: 360),
            measurement("floor", 0, cpu: 0.1, p50: 1, p99: 5),
            measurement("floor", 350, cpu: 0.04, p50: 180, p99: 360),
            measurement("peer", nil, cpu: 0.3, p50: 2, p99: 6),
        ])
        #expect(rows[0].timesFloor == nil)
        #expect(rows[1].timesFloor == 0.3 / 0.1)
        #expect(rows[2].timesFloor == 0.06 / 0.04)
        #expect(rows[3].timesFloor == nil && rows[3].place == nil)
        #expect(rows[5].timesFloor == nil)
    }

    /// A setting of ours that a peer dominates is told, too: a front that is behind is no front.
    @Test func ownSettingsMayBeBehind() {
        var measurements = [
            measurement("embedded", 0, cpu: 0.20, p50: 1, p99: 5),
            measurement("embedded", 350, cpu: 0.15, p50: 180, p99: 360),
            measurement("floor", 350, cpu: 0.01, p50: 100, p99: 200),
            measurement("srs-default", nil, cpu: 0.08, p50: 170, p99: 350),
        ]
        measurements[1].framesMissing = 3
        let rows = FrontRow.rows(of: measurements)
        #expect(rows.map(\.place) == [nil, .behind, nil, .ahead])
        #expect(rows[1].behind == "srs-default")
        #expect(rows.map(\.framesMissing) == [0, 3, 0, 0])
    }

    /// Medians leave out what was not measured, and servers and modes stay apart.
    @Test func mediansOfServers() {
        var measurements = [
            measurement("embedded", nil, round: 1, mode: "push", cpu: 0.1, p50: 1, p99: 5),
            measurement("per-session", nil, round: 1, mode: "push", cpu: 0.4, p50: 9, p99: 90),
            measurement("per-session", nil, round: 2, mode: "push", cpu: 0.6, p50: 7, p99: .nan),
        ]
        measurements[1].switchesPerSecond = 9000
        measurements[0].cachedBytes = 5_000_000
        let medians = ServerMedians.all(of: measurements)
        #expect(medians.map(\.server) == ["embedded", "per-session"])
        #expect(medians.map(\.cpuPerGigabit) == [0.1, 0.5])
        #expect(medians.map(\.delayP99Milliseconds) == [5, 90])
        #expect(medians.map(\.switchesPerSecond) == [nil, 9000])
        #expect(medians.map(\.cachedBytes) == [5_000_000, nil])
    }

    /// Rates are those of the whole server in the steady window: rows of thread groups and of other
    /// times are left out, and processes of one moment are added up.
    @Test func schedulingOfTheServer() {
        func row(_ time: Double, role: String = "server", group: String = "", steady: Int = 1)
            -> ProcessRow
        {
            var row = ProcessRow()
            (row.timeSeconds, row.role, row.threadGroup, row.steady) = (time, role, group, steady)
            (row.voluntarySwitches, row.involuntarySwitches) = (100, 20)
            (row.runDelayMilliseconds, row.threads) = (3, 2)
            return row
        }
        var measurement = measurement("nginx-rtmp", nil, cpu: 0.1, p50: 1, p99: 5)
        measurement.addScheduling(
            of: [
                row(1), row(1), row(2), row(2), row(2, group: "sender"), row(2, role: "sinks"),
                row(3, steady: 0),
            ], seconds: 2)
        #expect(measurement.switchesPerSecond == 240)
        #expect(measurement.runDelayMillisecondsPerSecond == 6)
        #expect(measurement.serverThreads == 4)
        var other = self.measurement("external", nil, cpu: 0.1, p50: 1, p99: 5)
        other.addScheduling(of: [row(1, role: "sinks")], seconds: 2)
        #expect(other.switchesPerSecond == nil && other.serverThreads == nil)
    }

    /// What the benches run are scenarios without a fault in their form.
    @Test func scenariosCanBeRun() throws {
        var options = FanoutBench.Options()
        (options.streams, options.viewers, options.sinks) = (4, 8, 2)
        options.probes = 2
        for mode in options.modes {
            let scenario = try TrialScenario.parse(FanoutBench(options).scenario(.embedded, mode))
            #expect(scenario.viewers.map(\.mode) == [mode])
        }
        options.pushes = true
        for threads in ["1", "per-session", "per-stream"] {
            options.threads = threads
            let text = FanoutBench(options).scenario(.embedded, .prompt)
            #expect(try TrialScenario.parse(text).relay?.targets == 2)
        }
        options.threads = "1"
        for fault in RelayFault.allCases {
            options.fault = fault
            for isFaulty in [false, true] {
                options.isFaulty = isFaulty
                let text = FanoutBench(options).scenario(.embedded, .prompt)
                let scenario = try TrialScenario.parse(text)
                #expect((scenario.relay?.faults != nil) == isFaulty)
                #expect(scenario.warmup >= .seconds(5) && scenario.warmup < .seconds(30))
            }
        }
    }

    /// Every round runs every server and setting once.
    @Test func runsAreCounted() {
        var options = FrontBench.Options()
        options.fanout.pairs = 3
        options.fanout.modes = [.prompt]
        options.flushIntervals = [0, 40, nil]
        #expect(FrontBench(options).runCount == 9)
        // The floor sender has no automatic interval.
        options.hasFloor = true
        #expect(FrontBench(options).runCount == 15)
        options.flushIntervals = [nil]
        options.peers = BenchPeer.known.filter { $0.name == "nginx-rtmp" }
        #expect(FrontBench(options).runCount == 9)
    }
}
