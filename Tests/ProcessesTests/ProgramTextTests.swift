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

    /// Only mappings of programs are taken, and only if no page of them differs from the file.
    @Test func unchangedMappingsOfPrograms() {
        func mapping(
            _ start: Int, _ permissions: String, _ file: String, own: Int = 0, swapped: Int = 0
        ) -> String {
            """
            \(start)000-\(start)800 \(permissions) 00000000 08:01 \(file)
            Rss:                   4 kB
            Anonymous:      \(own) kB
            Swap:           \(swapped) kB
            VmFlags: rd mr mw me

            """
        }
        let smaps =
            mapping(1, "r--p", "7    /opt/my program (deleted)")
            + mapping(2, "r-xp", "7    /opt/my program (deleted)")
            + mapping(3, "r--p", "7    /opt/my program (deleted)", own: 4)
            + mapping(4, "r--p", "7    /opt/my program (deleted)", swapped: 4)
            + mapping(5, "rw-p", "7    /opt/my program (deleted)")
            + mapping(6, "r--p", "8    /etc/ld.so.cache")
            + mapping(7, "r--p", "9    /anon_hugepage (deleted)")
            + mapping(8, "r-xp", "0    [vdso]")
            + "9000-9800 r-xp 00000000 08:01 7    /opt/my program (deleted)\n"
        #expect(
            ProgramText.unchangedMappings(in: smaps) == [0x1000..<0x1800, 0x2000..<0x2800])
        #expect(ProgramText.unchangedMappings(in: "") == [])
    }
}
