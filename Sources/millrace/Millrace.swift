import ArgumentParser
import Glibc

@main
struct Millrace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace",
        abstract:
            "Load-tests live-streaming stacks: publishers, thousands of viewers, capture, verdict.",
        discussion: """
            Exit codes: 0 pass, 1 internal error, 2 usage, 97 trial void, 98 inconclusive \
            (reserved for compare), 99 thresholds failed, 104 bad scenario, 105 interrupted.
            Results go to stdout, logs to stderr.
            """,
        version: "0.1.0",
        subcommands: [
            Run.self, ReportCommand.self, Validate.self, Explain.self, Schema.self, Publish.self,
            View.self, Serve.self, Edge.self, Analyze.self, ValidateHLS.self, Simulate.self,
            FidelityCommand.self,
            LadderCommand.self, Link.self,
            Bench.self,
            DoctorCommand.self,
            WorkerCommand.self,
        ])

    /// Runs the command; ArgumentParser's own usage code (64) becomes 2.
    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            let code = exitCode(for: error)
            if code == .validationFailure {
                say(fullMessage(for: error))
                Glibc.exit(2)
            }
            exit(withError: error)
        }
    }
}
