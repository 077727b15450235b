import Foundation
import Testing

@testable import Processes

@Suite struct ProgramTextTests {
    private func residentFileKilobytes() throws -> Int {
        let status = try #require(ProcFile.read("/proc/self/status"))
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssFile:") })
        return try #require(Int(line.split { $0 == " " || $0 == "\t" }[1]))
    }

    /// The pages leave, and the program runs on with what it reads again.
    @Test func pagesLeaveAndComeBack() throws {
        let before = try residentFileKilobytes()
        ProgramText.release()
        let after = try residentFileKilobytes()
        #expect(after < before)
        let value = try JSONDecoder().decode([String: Int].self, from: Data(#"{"a":1}"#.utf8))
        #expect(value == ["a": 1])
        #expect(String(format: "%.2f", 1.5) == "1.50")
    }
}
