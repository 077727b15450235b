import ArgumentParser
import Glibc
import Report
import Results
import Simulations

struct FidelityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fidelity",
        abstract: "Simulate the adaptive viewers of a finished run, and compare.",
        discussion: """
            millrace fidelity results/20261121T134845Z-a7438d

            The same players on the same links, with the run's own segment sizes and availability.
            Writes fidelity.csv into the directory. Exit code 99 where a median differs by more than
            its limit: 3 % of the mean bit rate, 5 % (or 0.5 s) of the stall time, 2 switches; 97 where
            the run is void.
            """)

    @Argument(help: "A results directory of a run with live HLS viewers.")
    var directory: String
    @Option(help: "Where the scenario's trace files are.")
    var folder = "."

    func run() throws {
        do {
            let job = try FidelityJob(path: directory, folder: folder)
            let rows = try job.write()
            let report = FidelityReport(rows)
            print(report.text, terminator: "")
            fflush(nil)
            guard job.voidReasons.isEmpty else {
                say(
                    "the run is void (\(job.voidReasons.joined(separator: "; "))): its viewers were not what they should be, and a difference says nothing of the simulator"
                )
                throw ExitCode(97)
            }
            if !report.agrees { throw ExitCode(99) }
        } catch let code as ExitCode {
            throw code
        } catch {
            fail("\(error)", code: 2)
        }
    }
}
