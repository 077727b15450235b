import Foundation
import Glibc
import Testing

@testable import Processes

@Suite(.timeLimit(.minutes(1))) struct ProgramTests {
    /// A directory with a file of each kind that a search may meet.
    private final class Directory {
        let path = NSTemporaryDirectory() + "millrace-programs-\(UUID())"

        init() throws {
            let files = FileManager.default
            for folder in ["first", "second", "second/tool"] {
                try files.createDirectory(
                    atPath: "\(path)/\(folder)", withIntermediateDirectories: true)
            }
            for (name, mode) in [("first/text", 0o644), ("second/text", 0o755), ("note", 0o644)] {
                try "#!/bin/sh\n".write(
                    toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
                try files.setAttributes(
                    [.posixPermissions: mode], ofItemAtPath: "\(path)/\(name)")
            }
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    @Test func aSearchTakesTheFirstProgramThatMayBeExecuted() throws {
        let directory = try Directory()
        let path = directory.path
        let both = "\(path)/first:\(path)/second"
        #expect(Program.search("text", in: both) == .found("\(path)/second/text"))
        #expect(Program.search("text", in: "\(path)/first") == .notExecutable)
        #expect(Program.search("note", in: both) == .missing)
        // A directory is no program, and is only named by its path.
        #expect(Program.search("tool", in: both) == .missing)
        #expect(Program.search("\(path)/second/tool", in: both) == .notExecutable)
        #expect(Program.search("\(path)/second/text", in: "") == .found("\(path)/second/text"))
        #expect(Program.search("\(path)/none", in: both) == .missing)
    }

    @Test func programsOfTheSystemAreFound() {
        #expect(Program.find("sh")?.hasSuffix("/sh") == true)
        #expect(Program.find("/bin/sh") == "/bin/sh")
        #expect(Program.find("no-such-program-of-millrace") == nil)
        #expect(Program.find("/") == nil)
    }

    private func shell(
        _ script: String, output: Program.Output = .discarded, endsWithCaller: Bool = false
    ) throws -> Program.Outcome {
        try Program.run("/bin/sh", ["-c", script], output: output, endsWithCaller: endsWithCaller)
    }

    @Test func theStatusIsReturned() throws {
        #expect(try shell("exit 0").status == .exited(0))
        #expect(try shell("exit 7").status == .exited(7))
        #expect(try shell("kill -9 $$").status == .signaled(9))
        #expect(try shell("exit 7").status.shellCode == 7)
        #expect(try shell("kill -9 $$").status.shellCode == 137)
        #expect(Program.succeeds("/bin/sh", ["-c", "exit 0"]))
        #expect(!Program.succeeds("/bin/sh", ["-c", "exit 1"]))
        #expect(!Program.succeeds("/no/such/program"))
    }

    @Test func aProgramThatCannotBeStartedIsAnError() {
        let error = #expect(throws: Program.StartError.self) {
            try Program.run("/no/such/program")
        }
        #expect(error?.code == ENOENT && error?.description == "No such file or directory")
    }

    @Test func standardOutputIsReturnedUpToTheLimit() throws {
        let both = try shell("echo one; echo two >&2", output: .text(limit: 100))
        #expect(both.text == "one\n")
        #expect(try shell("echo one").text == "")
        // More than a pipe holds: the program is not kept from ending.
        let much = try shell("yes | head -c 300000", output: .text(limit: 5))
        #expect(much.text == "y\ny\ny" && much.status.isSuccess)
        #expect(try shell("exit 3", output: .text(limit: 5)).status == .exited(3))
    }

    @Test func standardInputIsEmpty() throws {
        #expect(try shell("cat; echo end", output: .text(limit: 100)).text == "end\n")
    }

    /// A terminal's signals go to the group that the program is in.
    @Test func onlyAProgramThatEndsWithTheCallerIsInItsGroup() throws {
        let script = "cut -d' ' -f5 /proc/$$/stat"
        func group(_ endsWithCaller: Bool) throws -> Int32? {
            let text = try shell(
                script, output: .text(limit: 100), endsWithCaller: endsWithCaller
            ).text
            return Int32(text.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        #expect(try group(true) == getpgrp())
        let own = try #require(try group(false))
        #expect(own != getpgrp())
    }
}
