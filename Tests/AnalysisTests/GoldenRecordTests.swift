import Foundation
import Results
import SimulationKernel
import Testing
import Trials

@testable import Analysis
@testable import Trials

/// Checks that records of real runs give the same result files as before.
///
/// Each folder of `Fixtures/records` holds a record and its golden files. A change that moves a
/// figure on purpose rewrites them: `MILLRACE_REWRITE_GOLDEN=1 swift test --filter GoldenRecord`,
/// and its commit names the figure.
@Suite struct GoldenRecordTests {
    private static let folder = "Fixtures/records"
    private static var rewrites: Bool {
        ProcessInfo.processInfo.environment["MILLRACE_REWRITE_GOLDEN"] == "1"
    }

    /// Directory of the golden files in the source tree, which are rewritten instead of their
    /// copies in the bundle.
    private static var directory: String {
        #filePath.replacing("/GoldenRecordTests.swift", with: "/\(folder)")
    }

    /// Returns the texts of all result files that hold figures, by name.
    private static func files(of record: TrialRecord) throws -> [String: String] {
        let files = try TrialFiles.all(record.results, of: record)
        return Dictionary(uniqueKeysWithValues: files.map { ($0.name, $0.text) }).filter {
            $0.key.hasSuffix(".csv") || ["manifest.json", "summary.json"].contains($0.key)
        }
    }

    @Test(arguments: ["quickstart", "fit-the-device", "edge-vs-cloud", "ladder-bandwidth"])
    func `figures of a record are those that were recorded`(name: String) throws {
        let directory = "\(Self.directory)/\(name)"
        let record = try #require(try RecordFile.read(directory: directory))
        for (file, text) in try Self.files(of: record).sorted(by: { $0.key < $1.key }) {
            let path = "\(directory)/\(file)"
            if Self.rewrites { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }
            let golden = try String(contentsOfFile: path, encoding: .utf8)
            guard golden != text else { continue }
            let lines = zip(golden.split(separator: "\n"), text.split(separator: "\n"))
            let first = lines.enumerated().first { $1.0 != $1.1 }
            Issue.record(
                """
                \(name)/\(file), line \((first?.offset ?? 0) + 1):
                golden: \(first?.element.0 ?? "")
                now:    \(first?.element.1 ?? "")
                """)
        }
    }

    @Test(arguments: ["quickstart", "edge-vs-cloud"])
    func `a record survives being written and read`(name: String) throws {
        let record = try #require(try RecordFile.read(directory: "\(Self.directory)/\(name)"))
        let again = try RecordFile.parse(Data(try RecordFile.json(record).utf8))
        #expect(try Self.files(of: again) == Self.files(of: record))
    }

    @Test func `a record of another version is refused with its number`() {
        #expect {
            try RecordFile.parse(Data(#"{"version": 7}"#.utf8))
        } throws: { error in
            "\(error)".contains("7")
        }
    }

    /// A record of unknown origin may hold any number. It is refused, or figures are computed.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func `numbers that no trial writes never trap`(seed: UInt64) throws {
        let names = ["quickstart", "fit-the-device", "edge-vs-cloud", "ladder-bandwidth"]
        let name = names[Int(seed) % names.count]
        let record = try #require(try RecordFile.read(directory: "\(Self.directory)/\(name)"))
        var generator = SeededGenerator(seed: seed, entity: "record")
        let extremes = [
            "-1", "0", "18446744073709551615", "9223372036854775807", "-9223372036854775808",
            "3e18", "-3e18", "8800000000000", "-8800000000000", "1e300", "0.5",
        ]
        var json = Array(try RecordFile.json(record).utf8)
        for _ in 0..<1 + Int(generator.next() % 20) {
            var start = Int(generator.next() % UInt64(json.count))
            while start < json.count, !Self.begins(at: start, of: json) { start += 1 }
            guard start < json.count else { continue }
            let end = json[start...].firstIndex { !Self.isDigit($0) } ?? json.endIndex
            let extreme = extremes[Int(generator.next() % UInt64(extremes.count))]
            json.replaceSubrange(start..<end, with: Array(extreme.utf8))
        }
        guard let changed = try? RecordFile.parse(Data(json)) else { return }
        _ = changed.results
    }

    private static func begins(at index: Int, of json: [UInt8]) -> Bool {
        index > 0 && isDigit(json[index])
            && [UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: ",")].contains(json[index - 1])
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
    }
}
