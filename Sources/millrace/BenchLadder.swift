import ArgumentParser
import Benches
import Foundation
import Statistics

struct BenchLadder: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ladder",
        abstract: "How far the ladder chooser's local search is from the exact one.",
        discussion: """
            Seeded random problems (rates, costs, links, devices, CPU limit), each solved both ways.
            Keys of --json: benchmark, largest_gap, mean_gap, same, sets_share, instances[] \
            (instance, exact, heuristic, gap, exact_sets, heuristic_sets). A gap is \
            (exact - heuristic) / |exact|.
            """)

    @Option(help: "Problems.")
    var instances = 100
    @Option(help: "Candidates of each.")
    var candidates = 16
    @Option(help: "Rungs to choose.")
    var rungs = 5
    @Option(help: "Threads; 0 is one per core.")
    var threads = 0
    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        try check(instances, in: 1...100_000, "--instances")
        try check(candidates, in: 2...24, "--candidates")
        try check(rungs, in: 1...8, "--rungs")
        try check(threads, in: 0...256, "--threads")
    }

    func run() async throws {
        var bench = LadderBench()
        bench.instances = instances
        bench.candidates = candidates
        bench.rungs = rungs
        bench.threads = threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount
        let report: LadderBench.Report
        do {
            report = try await bench.run { instance in
                if instance.gap > 0 {
                    say(
                        "instance \(instance.instance): gap \(percent(instance.gap)), "
                            + "\(instance.heuristicSets) of \(instance.exactSets) ladders")
                }
            }
        } catch {
            fail("\(error)")
        }
        if json { return try printJSON(report) }
        print(
            "\(report.instances.count) problems of \(rungs) of \(candidates): largest gap "
                + "\(percent(report.largestGap)), mean \(percent(report.meanGap)), the same ladder's "
                + "objective in \(report.same); local search simulated \(percent(report.setsShare)) of the ladders"
        )
    }

    private func percent(_ share: Double) -> String {
        Figure.short(share * 100, digits: 3) + " %"
    }
}
