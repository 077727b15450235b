import ArgumentParser
import Benches

struct BenchSimulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "The ABR simulator: segments decided per CPU second.",
        discussion: """
            One thread. Each algorithm plays hour-long titles of 6 renditions on a fading link; then live \
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
