import Foundation
import Testing

@testable import Results

@Suite struct CSVTests {
    static let table: [(String, [[String]])] = [
        ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]), ("a,b\r\n1,2", [["a", "b"], ["1", "2"]]),
        ("\"a,\"\"b\"\"\",c\n", [["a,\"b\"", "c"]]), ("\"two\nlines\",x\n", [["two\nlines", "x"]]),
        ("a,,\n", [["a", "", ""]]), ("", []), ("\n\na\n", [["a"]]),
    ]

    @Test(arguments: table) func splits(text: String, records: [[String]]) {
        #expect(CSVText.records(text) == records)
    }

    @Test func rowsRoundTrip() {
        var row = RenditionRow()
        row.runID = "r, \"1\""
        row.viewers = 10
        row.delayP99Milliseconds = 12.5
        let text = RenditionRow.csv([row])
        #expect(RenditionRow.read(csv: text) == [row])
        #expect(
            text.hasPrefix(
                "run_id,stream,rendition,vantage,protocol,viewers,wire_kbps,payload_kbps,"
                    + "delay_p50_ms,delay_p90_ms,delay_p99_ms,frames_expected,frames_received,"
                    + "retransmitted_bytes,cpu_s_per_media_s"))
        #expect(
            ProcessRow.headerLine.hasPrefix(
                "run_id,t_s,role,pid,threads,cpu_percent,rss_bytes,voluntary_switches,"
                    + "involuntary_switches,run_delay_ms"))
    }

    @Test func readerToleratesOtherColumns() {
        let rows = WireRow.read(csv: "wire_bytes,later_column,run_id\n12,x,r1\n,,r2\n7\n")
        #expect(rows.map(\.wireBytes) == [12, nil, 7])
        #expect(rows.map(\.runID) == ["r1", "r2", ""])
        #expect(WireRow.read(csv: "").isEmpty)
    }

    @Test func numbersArePlain() {
        #expect(CSVNumber.text(1.5) == "1.5")
        #expect(CSVNumber.text(2) == "2")
        #expect(CSVNumber.text(0.1 + 0.2) == "0.3")
        #expect(CSVNumber.text(.nan) == "")
    }
}

@Suite struct ResultsDirectoryTests {
    static func sample() -> (Manifest, Summary) {
        var manifest = Manifest()
        manifest.runID = "r1"
        manifest.scenarioSHA256 = "ab"
        manifest.host.cpuModel = "cpu"
        manifest.validity.reasons = ["steal 7 %"]
        manifest.capture.dropped = 3
        var summary = Summary()
        summary.outcome = .failed
        summary.thresholds = [
            ThresholdResult(
                metric: "delay_ms", expression: "p(99)<2", observed: 3, limit: 2, passed: false)
        ]
        summary.roles = [
            RoleUsage(
                role: "server", processes: 1, cpuPercent: 12.5, peakRSSBytes: 5,
                runDelayMilliseconds: 1)
        ]
        summary.health.publisherLagP99Milliseconds = 0.5
        return (manifest, summary)
    }

    @Test func writesAndReadsBack() throws {
        let parent = NSTemporaryDirectory() + "millrace-results-\(UUID())"
        defer { try? FileManager.default.removeItem(atPath: parent) }
        let id = RunID(secondsSince1970: 1_790_000_000, entropy: 0xABCDEF)
        let writer = try ResultsWriter(parent: parent, runID: id)
        let (manifest, summary) = Self.sample()
        try writer.write(manifest: manifest, summary: summary, resolvedScenario: "version: 1\n")
        var row = WireRow()
        row.packets = 4
        try writer.write([row])
        #expect(!FileManager.default.fileExists(atPath: writer.finalPath))
        try writer.commit()
        #expect(try FileManager.default.contentsOfDirectory(atPath: parent) == ["\(id)"])
        let results = try RunResults(path: writer.finalPath)
        #expect(results.manifest == manifest)
        #expect(results.summary == summary)
        #expect(results.wire == [row])
        #expect(results.viewers.isEmpty)
        let text = try String(contentsOfFile: writer.finalPath + "/manifest.json", encoding: .utf8)
        #expect(text.contains("\"scenario_sha256\""))
    }

    @Test func missingDirectoryIsAnError() {
        let error = #expect(throws: ResultsError.self) { try RunResults(path: "/no/such") }
        #expect(error?.message.contains("millrace run") == true)
        #expect(throws: ResultsError.self) {
            try ResultsWriter(
                parent: "/proc/none", runID: RunID(secondsSince1970: 0, entropy: 0))
        }
    }

    @Test func runIDsSortByTime() {
        let ids = [1e9, 1e9 + 1, 1.7e9].map {
            RunID(secondsSince1970: $0, entropy: UInt64($0)).description
        }
        #expect(ids == ids.sorted())
        #expect(ids[0].hasPrefix("20010909T014640Z-"))
        #expect(ids[0].count == "20010909T014640Z-".count + 6)
    }

    @Test func dictionaryExplainsEveryColumn() {
        for file in DataDictionary.all.files {
            #expect(Set(file.columns.map(\.name)).count == file.columns.count)
            #expect(file.columns.allSatisfy { !$0.description.isEmpty })
        }
    }
}

/// Results contain no secrets.
@Suite struct RedactionTests {
    @Test(arguments: [
        ("rtmp://h/live/a", "rtmp://h/live/a"),
        ("rtmp://h/live/a?key=s3cret", "rtmp://h/live/a?key=***"),
        ("see 'https://u:p@h:1/x?a=1&b=2' and", "see 'https://***@h:1/x?a=***&b=***' and"),
        ("at rtmp://h/live/a?key=s,2&b=3,4 now", "at rtmp://h/live/a?key=***&b=*** now"),
        ("'rtmp://h/a?key=W'NG', or 'b'", "'rtmp://h/a?key=***', or 'b'"),
        ("to rtmp://h/a?key=W'NG now", "to rtmp://h/a?key=*** now"),
        ("u: 'rtmp://h/a?key=W''N,G'\n", "u: 'rtmp://h/a?key=***'\n"),
        ("{\"u\":\"http://h/?k\"}", "{\"u\":\"http://h/?k\"}"),
        ("http://h/x@y?z=@", "http://h/x@y?z=***"), ("a?key=b", "a?key=b"), ("://", "://"),
    ]) func urls(text: String, told: String) {
        #expect(Redaction.urls(in: text) == told)
    }

    /// A table has commas of its own, so its cells are examined one by one.
    @Test func cellsOfTables() {
        var row = RenditionRow()
        (row.runID, row.stream, row.viewers) = ("r", "rtmp://h/live/a?key=s,2", 10)
        let text = RenditionRow.csv([row])
        #expect(!text.contains("s,2") && !text.contains("key=s"))
        let told = RenditionRow.read(csv: text)
        #expect(told.map(\.stream) == ["rtmp://h/live/a?key=***"] && told.map(\.viewers) == [10])
    }

    @Test func keysOfScenarios() {
        let text = """
            stack:
              keys:
                - "cam:s3cret"
                - "open"
                - live/x:sha256:00
              url: "rtmp://h/"
            other: [a:b]
            keys: [cam:s, open]
            """
        let told = """
            stack:
              keys:
                - "cam:***"
                - "open"
                - live/x:***
              url: "rtmp://h/"
            other: [a:b]
            keys: [cam:***, open]
            """
        #expect(Redaction.keys(in: text) == told)
    }

    @Test func filesAreForOwnerAndGroup() throws {
        let parent = FileManager.default.temporaryDirectory.path + "/millrace-\(UUID())"
        defer { try? FileManager.default.removeItem(atPath: parent) }
        let writer = try ResultsWriter(
            parent: parent, runID: RunID(secondsSince1970: 1e9, entropy: 1))
        try writer.write("rtmp://h/a?key=s3cret", to: "note.txt")
        let other = writer.partialPath + "/child.pcap"
        #expect(FileManager.default.createFile(atPath: other, contents: nil))
        try writer.commit()
        func mode(_ path: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        }
        #expect(try mode(writer.finalPath) == 0o750)
        for name in ["note.txt", "child.pcap"] {
            #expect(try mode("\(writer.finalPath)/\(name)") == 0o640)
        }
        let text = try String(contentsOfFile: writer.finalPath + "/note.txt", encoding: .utf8)
        #expect(text == "rtmp://h/a?key=***")
    }
}
