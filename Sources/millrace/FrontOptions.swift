import ArgumentParser
import Benches
import NetemShell
import Scenario
import SimulationKernel
import Statistics

/// Options of `bench fanout` for more than one pair of servers, and the printing of their figures.
struct FrontOptions: ParsableArguments {
    @Flag(help: "Measure the floor sender as well: the least work that feeds the same viewers.")
    var floor = false
    @Option(
        help: ArgumentHelp(
            "Flush intervals to compare, such as 0,10,40,120,350,auto; in place of --flush-interval.",
            valueName: "list"))
    var flush: String?
    @Option(
        help: ArgumentHelp(
            "Peers beside --floor and --flush, such as nginx-rtmp,srs, or none; without it, all "
                + "that are installed.", valueName: "list"))
    var peers: String?

    /// Longest list of intervals.
    private static let mostIntervals = 16
    /// Seconds of a run besides its steady window, about.
    private static let secondsAround = 12

    /// Whether more is to be measured than one pair of servers.
    var isAsked: Bool { floor || flush != nil || peers != nil }

    func validate() throws {
        _ = try intervals()
        _ = try peerList()
    }

    /// Returns the flush intervals in milliseconds; nil if `--flush` was not given.
    private func intervals() throws -> [Int?]? {
        guard let flush else { return nil }
        var all: [Int?] = []
        for word in flush.split(separator: ",", omittingEmptySubsequences: false) {
            guard let interval = FlushIntervalArgument(argument: String(word)) else {
                throw ValidationError(
                    "--flush has '\(word)'; it takes milliseconds from 0 to 10000 and auto, "
                        + "separated by commas")
            }
            if !all.contains(interval.milliseconds) { all.append(interval.milliseconds) }
        }
        guard all.count <= Self.mostIntervals else {
            throw ValidationError(
                "--flush has \(all.count) intervals; it takes \(Self.mostIntervals) at most")
        }
        return all
    }

    private func peerList() throws -> [BenchPeer] {
        guard let peers else { return BenchPeer.atHand }
        guard peers != "none" else { return [] }
        let known = BenchPeer.known
        return try peers.split(separator: ",", omittingEmptySubsequences: false).map { word in
            if let peer = known.first(where: { $0.name == word }) { return peer }
            let nearest = NameDistance.nearest(to: String(word), among: known.map(\.name))
            throw ValidationError(
                "--peers has '\(word)'; it takes none or some of "
                    + known.map(\.name).joined(separator: ",")
                    + (nearest.map { "; did you mean '\($0)'?" } ?? ""))
        }
    }

    func run(_ shared: FanoutOptions, viewers: Int, probes: Int) async throws {
        if let why = NetworkIsolation.enter(congestionControl: "cubic") {
            fail("this bench needs the same congestion control on all servers; \(why)")
        }
        var options = FrontBench.Options()
        options.fanout.pairs = shared.pairs
        options.fanout.viewers = viewers
        options.fanout.probes = probes
        options.fanout.bitrateKilobits = shared.bitrate
        options.fanout.seconds = shared.duration
        options.fanout.peerChunkSize = shared.peerChunkSize
        if shared.promptOnly { options.fanout.modes = [.prompt] }
        options.flushIntervals = try intervals() ?? [shared.flushInterval.milliseconds]
        options.hasFloor = floor
        options.peers = try peerList()
        let bench = FrontBench(options)
        let minutes = (bench.runCount * (shared.duration + Self.secondsAround) + 59) / 60
        say("\(bench.runCount) runs, about \(Figure.count(minutes, "minute"))")
        let report: FrontBench.Report
        do {
            report = try await bench.run { measurement in
                say(Self.line(measurement))
            }
        } catch {
            fail("\(error)")
        }
        if shared.json {
            return try printJSON(report)
        }
        printTables(report)
    }

    private func printTables(_ report: FrontBench.Report) {
        print(
            "fanout: streams \(report.streams), RTMP viewers \(report.viewers), "
                + "\(report.bitrateKilobits) kbit/s each, CPU in seconds per gigabit")
        print("server      flush readers round server viewers p50 ms  p99 ms  RSS MB  missing")
        for measurement in report.measurements { print(Self.line(measurement)) }
        print("")
        print("medians of \(Figure.count(report.rounds, "round"))")
        print("server      flush readers CPU    p50 ms  p99 ms  x floor missing place")
        for row in report.rows { print(Self.line(row)) }
        if floor {
            print(
                """
                The floor sends all of an interval at once. The embedded stack holds back audio
                and data alone for that time, and video never, so it sends more often.
                """)
        }
        guard report.rows.contains(where: { $0.place != nil }) else { return }
        print(
            """
            A peer is behind the named setting of the embedded stack if that setting uses less
            CPU and has no more delay, neither at p50 nor at p99. Otherwise it is ahead. A setting
            of the embedded stack is behind the named peer in the same way.
            """)
    }

    private static func line(_ m: FanoutBench.Measurement) -> String {
        let cells: [(String, Int)] = [
            (m.server, 12), (FrontRow.flushWords(m.server, m.flushIntervalMilliseconds), 6),
            (m.mode, 8), ("\(m.pair)", 6), (Figure.plain(m.serverCPUPerGigabit, digits: 3), 7),
            (Figure.plain(m.viewerCPUPerGigabit, digits: 3), 8),
            (Figure.plain(m.delayP50Milliseconds), 8), (Figure.plain(m.delayP99Milliseconds), 8),
            (Figure.plain(Double(m.serverRSSBytes) / 1e6, digits: 1), 8),
        ]
        return cells.map { Figure.flushLeft($0.0, $0.1) }.joined() + "\(m.framesMissing)"
    }

    private static func line(_ row: FrontRow) -> String {
        let place = [row.place?.rawValue, row.behind].compactMap { $0 }.joined(separator: " ")
        let timesFloor = row.timesFloor.map { Figure.plain($0) } ?? ""
        let cells: [(String, Int)] = [
            (row.server, 12), (row.flushWords, 6), (row.mode, 8),
            (Figure.plain(row.cpuPerGigabit, digits: 3), 7),
            (Figure.plain(row.delayP50Milliseconds), 8),
            (Figure.plain(row.delayP99Milliseconds), 8),
            (timesFloor, 8), ("\(row.framesMissing)", 8), (place, 0),
        ]
        var text = cells.map { Figure.flushLeft($0.0, $0.1) }.joined()
        while text.last == " " { text.removeLast() }
        return text
    }
}
