import ArgumentParser
import Glibc
import Netem
import SimulationKernel

struct Link: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Replay a link's log through the link model.",
        discussion: """
            --replay feeds the arrivals of LOG (event,t_ms,bytes,delay_ms) to the model and compares \
            departures and drops to the millisecond: '-' is a line that only the log has, '+' one \
            that only the model has. The trace starts at the log's offset_ms. Ends with 0, or with \
            99 where a line differs.
            """)

    @Option(help: "A log to replay.")
    var replay: String
    @OptionGroup var link: LinkOptions
    @Option(help: "Seed of the model's randomness.")
    var seed: UInt64 = 0
    @Option(help: "Differing lines to print, 0 to 100.")
    var differences = 20

    func validate() throws {
        try check(differences, in: 0...LinkReplay.mostDifferences, "--differences")
    }

    func run() throws {
        let result: LinkReplay
        do {
            let log = try LinkLog(
                parsing: TraceReader.contents(ofFile: replay), file: replay)
            let spec = try link.spec(
                startOffsetNanoseconds: log.offsetMilliseconds * 1_000_000)
            result = try LinkReplay(log, through: spec, seed: seed)
        } catch let error as TraceError {
            fail("\(error)", code: 104)
        } catch {
            fail("\(error)", code: 2)
        }
        for line in result.differences.prefix(differences) { print(line) }
        let more = result.mismatches - min(result.differences.count, differences)
        if more > 0 { print("… and \(more) more") }
        print(
            "arrivals: \(result.arrivals)\ndepartures: \(result.departures)\ndrops: \(result.drops)"
        )
        print("mismatches: \(result.mismatches)")
        if result.mismatches > 0 { throw ExitCode(99) }
    }
}

/// What a link is made of.
struct LinkOptions: ParsableArguments {
    @Option(
        help: "Trace of the downlink (Mahimahi, Sabre JSON, Pensieve or CSV), or a rate (2Mbps).")
    var down: String
    @Option(
        help:
            "infinite, droptail:64KB, droptail:100p, drophead:…, codel[:target=5ms,interval=100ms], pie."
    )
    var queue = "infinite"
    @Option(help: "One-way delay: 20ms, 20ms±5ms, '20ms±5ms normal 25%'.")
    var delay = "0ms"
    @Option(help: "none, 1%, gemodel:p=1%,r=10%, state:p13=1%,p31=10%, replay:0010.")
    var loss = "none"
    @Option(help: "Bytes that each packet costs besides its own: 0 counts IP, 14 and 38 Ethernet.")
    var overhead = 0

    func validate() throws { try check(overhead, in: 0...1500, "--overhead") }

    /// - Throws: `TraceError`, `LinkError` or `RateScheduleError`.
    func spec(startOffsetNanoseconds: Int64) throws -> LinkSpec {
        var spec = LinkSpec(
            loss: try LossModel(parsing: loss), queue: try QueueDiscipline(parsing: queue),
            delay: try DelayModel(parsing: delay), overhead: PacketOverhead(bytes: overhead))
        do {
            spec.rate = try RateModel(parsing: down)
            return spec
        } catch  where down.first?.isNumber == true && access(down, F_OK) != 0 {
            throw error
        } catch {
            // Not a rate, so a file.
        }
        let trace = try TraceReader.read(path: down)
        spec.rate =
            switch trace {
            case .delivery(let opportunities):
                .trace(opportunities, startOffsetNanoseconds: startOffsetNanoseconds)
            case .schedule:
                // Here the offset is the delay of the trace's start, not a place in it.
                .schedule(try Self.delayed(trace, by: startOffsetNanoseconds))
            }
        return spec
    }

    /// The trace so that its start falls on `instant`.
    private static func delayed(_ trace: LinkTrace, by instant: Int64) throws -> RateSchedule {
        let cycle = try trace.rateSchedule().cycleNanoseconds
        return try trace.rateSchedule(
            startOffsetNanoseconds: (cycle - instant % cycle) % cycle)
    }
}
