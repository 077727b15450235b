import ArgumentParser
import Benches
import NetemShell
import Statistics

struct BenchLink: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "link",
        abstract: "The packet shell: accuracy of rate and delay with real packets, and its CPU.",
        discussion: """
            Real TCP (cubic) and UDP between two network namespaces, through the packet shell. \
            'goodput': one viewer at each rate, against rate × 1448/1500. 'delay': datagrams on an \
            idle link, what is beyond its ideal delay. 'viewers': many at once, behind one device. \
            'kernel': the same shaped by HTB on a router (no delay), against rate × 1448/1514. \
            A case is void (exit 97) where packets were released more than 5 ms late (p99).
            Keys of --json: benchmark, congestion_control, measurements[] (case, viewers, \
            rate_kbps, seconds, goodput_kbps, expected_kbps, error_pct, error_lowest_pct, \
            error_highest_pct, viewers_beyond_1_pct, delay_error_p50_ms, delay_error_p99_ms, \
            delay_error_max_ms, probes, cpu_cores, release_p50_ms, release_p99_ms, release_max_ms, \
            packets, void_reasons); a case has those that it measures.
            """)

    @Option(
        help: ArgumentHelp(
            "Case to run, may be repeated: goodput, delay, viewers; kernel only on demand. (default: the first three)",
            valueName: "case"))
    var only: [String] = []
    @Option(help: "Rates of the goodput cases, kbit/s, with commas.")
    var rates = "500,2000,10000,50000"
    @Option(help: "Viewers of the case with many, 1 to 1000.")
    var viewers = 100
    @Option(help: "kbit/s of each of them, and of the delay case.")
    var viewerRate = 2000
    @Option(help: "Seconds of each case after its warm-up.")
    var duration = 20
    @Option(help: "Seconds before.")
    var warmup = 5
    @Option(help: "One-way delay of the links, milliseconds.")
    var delay = 20
    @Option(help: "Microseconds from one wake-up to the next in the case with many viewers.")
    var quantum = 500
    @Flag(help: "Print JSON.")
    var json = false

    private static let cases = ["goodput", "delay", "viewers", "kernel"]

    func validate() throws {
        for name in only where !Self.cases.contains(name) {
            throw ValidationError(
                "there is no case '\(name)'; it takes \(Self.cases.joined(separator: ", "))")
        }
        guard rates.split(separator: ",").allSatisfy({ (Int($0) ?? 0) >= 50 }) else {
            throw ValidationError(
                "--rates is '\(rates)'; it takes kbit/s of 50 and more, as 500,2000")
        }
        try check(viewers, in: 1...1000, "--viewers")
        try check(viewerRate, in: 500...1_000_000, "--viewer-rate")
        try check(duration, in: 1...3600, "--duration")
        try check(warmup, in: 0...600, "--warmup")
        try check(delay, in: 0...1000, "--delay")
        try check(quantum, in: 0...10_000, "--quantum")
    }

    func run() throws {
        if let obstacle = ShellPrivilege.acquire() {
            fail("bench link needs network namespaces and TUN devices: \(obstacle)")
        }
        func wants(_ name: String) -> Bool { only.isEmpty || only.contains(name) }
        var options = LinkBench.Options()
        options.ratesKilobits =
            wants("goodput") ? rates.split(separator: ",").compactMap { Int($0) } : []
        options.measuresDelay = wants("delay")
        options.measuresViewers = wants("viewers")
        options.measuresKernel = only.contains("kernel")
        options.viewers = viewers
        options.viewerKilobits = viewerRate
        options.delayMilliseconds = delay
        options.seconds = Double(duration)
        options.warmupSeconds = Double(warmup)
        options.quantumNanoseconds = Int64(quantum) * 1000
        let report: LinkBench.Report
        do {
            report = try LinkBench(options).run { if !json { Self.show($0) } }
        } catch {
            fail("\(error)")
        }
        if json { try printJSON(report) }
        if report.measurements.contains(where: { !$0.voidReasons.isEmpty }) { throw ExitCode(97) }
    }

    private static func show(_ m: LinkBench.Measurement) {
        var line = "\(m.name) \(m.viewers) × \(m.rateKilobits) kbit/s: "
        if let goodput = m.goodputKilobits, let error = m.errorPercent,
            let low = m.lowestErrorPercent, let high = m.highestErrorPercent
        {
            line += "\(Figure.plain(goodput)) kbit/s of payload, \(Figure.plain(error)) %"
            if m.viewers > 1 { line += " (each \(Figure.plain(low)) to \(Figure.plain(high)) %)" }
        }
        if let probes = m.probes {
            line +=
                "delay error p50 \(Figure.plain(m.delayErrorP50)), p99 \(Figure.plain(m.delayErrorP99)), max \(Figure.plain(m.delayErrorMaximum)) ms (\(probes) probes)"
        }
        print(
            m.cpuCores == nil
                ? line
                : "\(line); released late p50 \(Figure.plain(m.releaseP50)), p99 \(Figure.plain(m.releaseP99)), max \(Figure.plain(m.releaseMaximum)) ms; \(Figure.plain(m.cpuCores ?? 0)) core"
        )
        if m.viewers > 1, let beyond = m.viewersBeyondOnePercent {
            let verdict =
                beyond == 0 ? "yes" : "no, \(beyond) of \(m.viewers) viewers are not"
            let cores = m.cpuCores.map {
                "; the packet shell is one thread and took \(Figure.plain($0)) of a core"
            }
            print("  each within 1 % of its rate: \(verdict)\(cores ?? "")")
        }
        for reason in m.voidReasons { print("  void: \(reason)") }
    }
}
