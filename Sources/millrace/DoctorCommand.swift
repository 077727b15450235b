import ArgumentParser
import Trials

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Say what this machine can run, and how to mend the rest.")

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let findings = Doctor().examine()
        if json {
            return try printJSON(findings, escapesSlashes: false)
        }
        for finding in findings {
            let mark = finding.level == .ok ? "✓" : finding.level == .warning ? "!" : "✗"
            print("\(mark) \(finding.subject): \(finding.detail)")
            if !finding.remedy.isEmpty { print("    mend: \(finding.remedy)") }
        }
    }
}
