import ArgumentParser
import Glibc
import Workers

@main
struct Millrace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace",
        abstract:
            "Load-tests live-streaming stacks: publishers, thousands of viewers, capture, verdict.",
        discussion: """
            Exit codes: 0 pass, 1 internal error, 2 usage, 97 trial void, 98 inconclusive, \
            99 thresholds failed or a regression, 104 bad scenario, 105 interrupted.
            Results go to stdout, logs to stderr.
            """,
        version: "0.1.0",
        subcommands: [
            Run.self, SearchCommand.self, Compare.self, ReportCommand.self, Validate.self,
            Explain.self, Schema.self, Publish.self, View.self, Sink.self, Serve.self, Edge.self,
            Analyze.self,
            ValidateHLS.self, Simulate.self,
            FidelityCommand.self,
            LadderCommand.self, Link.self,
            Bench.self,
            DoctorCommand.self,
            WorkerProgram.self,
        ])

    /// Runs the command. ArgumentParser's own usage code (64) is replaced by 2.
    ///
    /// The first thread waits for the other threads. With an asynchronous `main` the first thread
    /// would end, and its remains would keep root's rights when `--user` gives them up.
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            guard command is any AsyncParsableCommand else {
                try command.run()
                Glibc.exit(0)
            }
        } catch {
            end(error)
        }
        Task.detached {
            do {
                // A command cannot be handed to another thread, so it is parsed again.
                if var command = try parseAsRoot() as? any AsyncParsableCommand {
                    try await command.run()
                }
                Glibc.exit(0)
            } catch {
                end(error)
            }
        }
        while true { pause() }
    }

    private static func end(_ error: any Error) -> Never {
        if exitCode(for: error) == .validationFailure {
            say(fullMessage(for: error))
            Glibc.exit(2)
        }
        exit(withError: error)
    }
}
