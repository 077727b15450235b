import ArgumentParser
import Glibc
import Netem
import NetemShell
import SimulationKernel
import Statistics

struct Link: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a program behind an emulated link, or replay a link's log.",
        usage: """
            millrace link --down 2Mbps --delay 20ms --queue droptail:64KB -- COMMAND …
            millrace link --profile lte --log lte -- COMMAND …
            millrace link --replay lte.down.csv
            """,
        discussion: """
            COMMAND gets a network of its own: its only way out is a link whose packets pass the \
            model (loss, then a queue in front of the rate, then delay; 1500-byte MTU). A server on \
            this machine that listens on every address (0.0.0.0) is at $MILLRACE_GATEWAY, \
            100.64.0.1 for the first link. As root, and with nft or iptables, the outside is \
            reachable, too, through address translation, unless a firewall here drops what is \
            forwarded. The exit code is COMMAND's own, 128 + n after signal n, 127 where it is \
            not found, 126 where it cannot be executed, 1 where no link can be made. Ctrl-C reaches COMMAND; SIGTERM and SIGINT \
            sent to millrace are passed on, a second one after a second or more kills. When COMMAND ends, so does \
            everything that it started; nothing of the link outlives millrace.

              millrace link --down 2Mbps --up 500kbps --delay 20ms -- \
            sh -c 'curl -o /dev/null http://$MILLRACE_GATEWAY:8080/live/cam.flv'
              millrace link --down drive.trace --queue codel --loss 1% -- bash

            --log NAME writes NAME.down.csv and NAME.up.csv. --replay feeds the arrivals of such a \
            log to the model again, with the options that the log names, and compares departures \
            and drops to the nanosecond (logs with t_ms: to the millisecond; the trace starts at \
            the log's offset_ms): '-' is a line that only the log has, '+' one that only the model \
            has. A replay ends with 0, or with 99 where a line differs.

            Bad traces and logs end with 104, bad options with 2. A note tells when the machine was \
            too busy (packets released more than 5 ms late): such a trial is void.
            """)

    @OptionGroup(title: "The link")
    var link: LinkOptions
    @Option(
        help: ArgumentHelp("Log both directions to NAME.down.csv, NAME.up.csv.", valueName: "name"))
    var log: String?
    @Flag(name: .shortAndLong, help: "Say nothing but errors and void trials.")
    var quiet = false
    @Option(
        help: ArgumentHelp("Replay a log instead of running a program.", valueName: "log"))
    var replay: String?
    @Option(help: "Of a replay: which of the link's directions. (default: as logged, or down)")
    var direction: LinkDirection?
    @Option(help: "Of a replay: differing lines to print, 0 to 100.")
    var differences = 20
    @Argument(
        parsing: .postTerminator,
        help: ArgumentHelp("After --: the program and its arguments.", valueName: "command"))
    var command: [String] = []

    func validate() throws {
        try check(differences, in: 0...LinkReplay.mostDifferences, "--differences")
        guard (replay == nil) != command.isEmpty else {
            throw ValidationError(
                replay == nil
                    ? "name a program after '--', as in: millrace link --down 2Mbps -- curl URL; or --replay a log"
                    : "--replay runs no program; leave the command away")
        }
        guard replay == nil || log == nil else {
            throw ValidationError("--replay writes no log; leave --log away")
        }
        guard replay != nil || link.down != nil || link.profile != nil else {
            throw ValidationError("give the link a rate, as --down 2Mbps, or a --profile")
        }
    }

    func run() throws {
        do {
            if let replay { try compare(replay) } else { try runCommand() }
        } catch let error as ExitCode {
            throw error
        } catch let error as TraceError {
            fail("\(error)", code: 104)
        } catch let error as ShellError {
            fail("\(error)", code: error.exitCode)
        } catch {
            fail("\(error)", code: 2)
        }
    }

    private func compare(_ path: String) throws {
        let log = try LinkLog(parsing: TraceReader.contents(ofFile: path), file: path)
        var options = link
        let logged = try options.adopt(log, file: path)
        let direction = direction ?? logged ?? .down
        let spec = try options.spec(
            direction, traceStartNanoseconds: log.offsetMilliseconds * 1_000_000)
        let result = try LinkReplay(log, through: spec, seed: options.seed(direction))
        for line in result.differences.prefix(differences) { print(line) }
        let more = result.mismatches - min(result.differences.count, differences)
        if more > 0 { print("… and \(more) more") }
        print(
            "arrivals: \(result.arrivals)\ndepartures: \(result.departures)\ndrops: \(result.drops)"
        )
        print("mismatches: \(result.mismatches)")
        if result.mismatches > 0 { throw ExitCode(99) }
    }

    private func runCommand() throws {
        var request = LinkSession.Request(
            command: command, down: try link.spec(.down), up: try link.spec(.up),
            seed: link.seed ?? 0)
        if let log {
            func file(_ direction: LinkDirection) -> LinkSession.LogRequest {
                let path = "\(log).\(direction.rawValue).csv"
                return .init(
                    path: path,
                    title:
                        "millrace link, one direction; replay with: millrace link --replay \(path)",
                    options: link.description + [.init("direction", direction.rawValue)])
            }
            request.logs = (file(.down), file(.up))
        }
        let session = try LinkSession(request)
        if !quiet, let obstacle = session.obstacle {
            say(
                "millrace: behind the link only this machine is reachable, at \(session.gateway): \(obstacle)"
            )
        }
        let outcome = try session.run()
        for reason in outcome.report.voidReasons { say("millrace: the trial is void: \(reason)") }
        if outcome.report.logFailures > 0 { say("millrace: the log is not complete") }
        if !quiet { say(Self.summary(outcome.report)) }
        Glibc.exit(outcome.exitCode)
    }

    private static func summary(_ report: ShellReport) -> String {
        func direction(_ name: String, _ direction: ShellReport.Direction?) -> String {
            let counters = direction?.counters ?? .init()
            return
                "\(name) \(counters.departed.packets) packets, \(counters.departed.bytes) bytes, \(counters.dropped.packets) dropped, \(counters.lost.packets) lost"
        }
        func late(_ percentile: Double) -> String {
            Figure.plain(report.releaseLateness.milliseconds(atPercentile: percentile))
        }
        return
            "millrace: \(direction("down", report.viewers.first?.down)); \(direction("up", report.viewers.first?.up)); released late by p50 \(late(50)), p99 \(late(99)) ms"
    }
}
