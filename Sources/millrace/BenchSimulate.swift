import Benches
import ArgumentParser
import Foundation

struct BenchSimulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "The ABR simulator: segments decided per CPU second.",
        discussion: """
            One thread. Each algorithm plays hour-long titles of 6 rungs on a fading link; then live \
            viewers share one bottleneck for an hour of media.
            Keys of --json: benchmark, measurements[] (algorithm, abandonment, segments, cpu_s, \
            segments_per_cpu_s), shared[] (abandonment, viewers, media_h, segments, cpu_s, \
            bytes_per_viewer).
            """)

    @Option(help: "Segments of each measurement; a twentieth for algorithms that search.")
    var segments = 1_000_000
    @Option(help: "Live viewers on the shared bottleneck.")
    var viewers = 10_000
    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        try check(segments, in: 1000...1_000_000_000, "--segments")
        try check(viewers, in: 10...1_000_000, "--viewers")
    }

    func run() throws {
        var bench = SimulateBench()
        bench.segments = segments
        bench.viewers = viewers
        let report: SimulateBench.Report
        do {
            report = try bench.run { line in json ? say(line) : print(line) }
        } catch {
            fail("\(error)")
        }
        if json { try printJSON(report) }
    }
}

struct BenchLadder: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ladder",
        abstract: "How far the ladder chooser's local search is from the exact one.",
        discussion: """
            Seeded random problems (rates, costs, links, devices, CPU limit), each solved both ways.
            Keys of --json: benchmark, largestGap, meanGap, same, setsShare, instances[] (instance, \
            exact, heuristic, gap, exactSets, heuristicSets). A gap is (exact - heuristic) / |exact|.
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
        "\((share * 100_000).rounded() / 1000) %"
    }
}

func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    print(String(decoding: try encoder.encode(value), as: UTF8.self), isJSON: true)
}
