import ArgumentParser
import Glibc
import Netem
import NetemShell
import SimulationKernel

/// One of a link's directions, as the program behind the link sees it.
enum LinkDirection: String, ExpressibleByArgument, CaseIterable {
    case down, up

    var inProfile: LinkProfile.Direction { self == .down ? .down : .up }
}

/// Options for the properties of a link in both directions.
struct LinkOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Rate towards the program: a rate (2Mbps, bucket:rate=2Mbps,burst=16KB, unlimited) or a trace file (Mahimahi, Sabre JSON, Pensieve or CSV).",
            valueName: "rate|trace"))
    var down: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Rate from the program; as --down where not given.", valueName: "rate|trace"))
    var up: String?
    @Option(
        help: ArgumentHelp(
            "Instead of --down: \(LinkProfile.all.map(\.name).joined(separator: ", ")).",
            valueName: "name"))
    var profile: String?
    @Option(
        help:
            "infinite, droptail:64KB, droptail:100p, drophead:…, codel[:target=5ms,interval=100ms], pie. (default: infinite)"
    )
    var queue: String?
    @Option(help: "The uplink's queue; as --queue where not given.")
    var upQueue: String?
    @Option(
        parsing: .unconditional,
        help:
            "One-way delay, in each direction: 20ms, 20ms±5ms, '20ms±5ms normal 25%'. On top of a profile's. (default: 0ms)"
    )
    var delay: String?
    @Option(
        parsing: .unconditional, help: "The uplink's delay; as --delay where not given.")
    var upDelay: String?
    @Option(
        parsing: .unconditional,
        help:
            "none, 1%, gemodel:p=1%,r=10%, state:p13=1%,p31=10%, replay:0010. (default: none)")
    var loss: String?
    @Option(
        parsing: .unconditional, help: "The uplink's loss; as --loss where not given.")
    var upLoss: String?
    @Option(
        help:
            "Bytes that each packet costs besides its own: 0 counts IP, 14 and 38 Ethernet. (default: 0; profiles: 14)"
    )
    var overhead: Int?
    @Option(
        parsing: .unconditional,
        help: "Share of packets that overtake those before them: 1%. (default: 0%)")
    var reorder: String?
    @Option(
        parsing: .unconditional, help: "Share of packets that arrive twice: 1%. (default: 0%)")
    var duplicate: String?
    @Option(help: "Seed of the links' randomness. (default: 0)")
    var seed: UInt64?

    func validate() throws {
        if let overhead { try check(overhead, in: 0...1500, "--overhead") }
        guard profile == nil || (down == nil && up == nil) else {
            throw ValidationError("--profile has rates of its own; leave --down and --up away")
        }
        guard up == nil || down != nil else {
            throw ValidationError("--up needs --down; 'unlimited' is a rate, too")
        }
    }

    /// The link's options as its log contains them. Files have their full path.
    var description: [LinkLog.Option] {
        func whole(_ text: String?) -> String? {
            // A text that is a rate counts as a rate, even if a file has that name.
            guard let text, (try? RateModel(parsing: text)) == nil,
                let path = realpath(text, nil)
            else { return text }
            defer { free(path) }
            return String(cString: path)
        }
        let values: [(String, String?)] = [
            ("profile", profile), ("down", whole(down)), ("up", whole(up)), ("queue", queue),
            ("up-queue", upQueue), ("delay", delay), ("up-delay", upDelay), ("loss", loss),
            ("up-loss", upLoss), ("reorder", reorder), ("duplicate", duplicate),
            ("overhead", overhead.map { "\($0)" }),
            ("seed", "\(seed ?? 0)"),
        ]
        return values.compactMap { name, value in value.map { .init(name, $0) } }
    }

    /// Takes over the options that a log contains and the command line does not.
    /// - Returns: The direction; nil if the log does not contain it.
    mutating func adopt(
        _ log: LinkLog, file: String
    ) throws -> LinkDirection? {
        var direction: LinkDirection?
        let hasRate = down != nil || profile != nil
        for option in log.options {
            switch option.name {
            case "profile": if !hasRate { profile = option.value }
            case "down": if !hasRate { down = option.value }
            case "up": if !hasRate { up = option.value }
            case "queue": queue = queue ?? option.value
            case "up-queue": upQueue = upQueue ?? option.value
            case "delay": delay = delay ?? option.value
            case "up-delay": upDelay = upDelay ?? option.value
            case "loss": loss = loss ?? option.value
            case "up-loss": upLoss = upLoss ?? option.value
            case "reorder": reorder = reorder ?? option.value
            case "duplicate": duplicate = duplicate ?? option.value
            case "overhead": overhead = overhead ?? Int(option.value)
            case "seed": seed = seed ?? UInt64(option.value)
            case "direction": direction = LinkDirection(rawValue: option.value)
            default:
                fail("\(file): the log's option --\(option.name) is unknown here", code: 104)
            }
        }
        try validate()
        return direction
    }

    /// Returns the seed of one direction's packets.
    func seed(_ direction: LinkDirection) -> UInt64 {
        let viewer = PacketShell.Viewer(
            address: IPv4Address(rawValue: 0), down: .init(), up: .init(), seed: seed ?? 0)
        return direction == .down ? viewer.seed : viewer.upSeed
    }

    /// - Parameter traceStartNanoseconds: Time at which the trace starts.
    /// - Throws: `TraceError`, `LinkError` or `RateScheduleError`.
    func spec(
        _ direction: LinkDirection, traceStartNanoseconds: Int64 = 0
    ) throws -> LinkSpec {
        guard profile != nil || down != nil else {
            throw ValidationError("give the link a rate, as --down 2Mbps, or a --profile")
        }
        var link = LinkDescription()
        (link.profile, link.down, link.up) = (profile, down, up)
        (link.queue, link.upQueue) = (queue, upQueue)
        (link.delay, link.upDelay) = (delay, upDelay)
        (link.loss, link.upLoss) = (loss, upLoss)
        link.reorder = try reorder.map { try LinkDescription.share($0, "--reorder") }
        link.duplicate = try duplicate.map { try LinkDescription.share($0, "--duplicate") }
        link.overhead = overhead
        return try link.spec(
            direction.inProfile, seed: seed ?? 0, traceStartNanoseconds: traceStartNanoseconds)
    }
}
