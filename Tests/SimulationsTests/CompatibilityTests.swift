import ABR
import Foundation
import Testing

@testable import Scenario
@testable import Simulations

/// Sabre's and Pensieve's figures, to the printed digits. The expected rows are what those programs
/// print (see Fixtures/README.md).
@Suite struct CompatibilityTests {
    private static func folder(_ name: String) throws -> String {
        let root = try #require(Bundle.module.resourcePath)
        return "\(root)/Fixtures/\(name)"
    }

    private static func table(_ text: String, keys: Int) -> [String: [String: String]] {
        let lines = text.split(whereSeparator: \.isNewline)
        let header = lines.first?.split(separator: ",").map(String.init) ?? []
        var rows: [String: [String: String]] = [:]
        for line in lines.dropFirst() {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
                .map(String.init)
            rows[fields.prefix(keys).joined(separator: ",")] = Dictionary(
                zip(header, fields), uniquingKeysWith: { first, _ in first })
        }
        return rows
    }

    @Test func sabre() throws {
        let folder = try Self.folder("sabre")
        let text = SabreCompatibility.csv(
            titles: try CompatibilityInputs.sabreTitles(folder: "\(folder)/titles"),
            traces: try CompatibilityInputs.sabreTraces(folder: "\(folder)/traces"),
            buffersSeconds: [25, 12])
        let actual = Self.table(text, keys: 5)
        let expected = Self.table(
            try String(contentsOfFile: "\(folder)/expected.csv", encoding: .utf8), keys: 5)
        #expect(expected.count == 224 && actual.count == 224)
        for (key, row) in expected { #expect(actual[key] == row, "\(key)") }
    }

    @Test func pensieve() throws {
        let folder = try Self.folder("pensieve")
        let text = PensieveCompatibility.csv(
            sizes: try CompatibilityInputs.pensieveSizes(folder: folder),
            traces: try CompatibilityInputs.pensieveTraces(folder: "\(folder)/traces"))
        let actual = Self.table(text, keys: 2)
        let expected = Self.table(
            try String(contentsOfFile: "\(folder)/expected.csv", encoding: .utf8), keys: 2)
        #expect(expected.count == 9 && actual.count == 9)
        for (key, row) in expected {
            let mine = try #require(actual[key])
            #expect(mine["levels"] == row["levels"], "\(key)")
            #expect(mine["n_switches"] == row["n_switches"])
            for name in ["qoe_lin_sum_48", "qoe_lin_sum_skip_first", "rebuffer_s"] {
                let (a, b) = (Double(mine[name] ?? ""), Double(row[name] ?? ""))
                #expect(abs(try #require(a) - (try #require(b))) <= 1e-6, "\(key) \(name)")
            }
        }
    }

    @Test func wrongFolders() throws {
        let folder = try Self.folder("pensieve")
        #expect(throws: InputFault.self) {
            try CompatibilityInputs.sabreTraces(folder: "/nonexistent")
        }
        // Pensieve's traces are not JSON, and have no such suffix.
        #expect(throws: InputFault.self) {
            try CompatibilityInputs.sabreTitles(folder: "\(folder)/traces")
        }
    }
}
