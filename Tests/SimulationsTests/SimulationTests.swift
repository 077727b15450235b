import ABR
import Foundation
import Netem
import Results
import Synchronization
import Testing

@testable import Scenario
@testable import Simulations

@Suite struct SimulationTests {
    private static let text = """
        version: 1
        kind: simulation
        name: test
        seed: 5
        matrix:
          traces: [lte, hspa, 2Mbps]
          algorithms: [throughput, bola-e, dynamic]
          max_buffers: [12s, 25s]
          ladders: [edge-ladder, geometric]
        title: {duration: 60s, variation: 20%}
        viewers: 3
        segments: true
        """

    private static func scenario(_ changes: (String, String)...) throws -> SimulationScenario {
        let text = changes.reduce(text) { $0.replacing($1.0, with: $1.1) }
        return try SimulationScenario.parse(text, file: "test.yml")
    }

    private static func temporaryDirectory() throws -> String {
        let path = NSTemporaryDirectory() + "millrace-simulation-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        return path
    }

    private static func files(_ scenario: SimulationScenario, threads: Int) async throws -> [String]
    {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var options = SimulationJob.Options()
        options.resultsDirectory = directory
        options.threads = threads
        let (path, summary) = try await SimulationJob(scenario, options: options)()
        #expect(summary.outcome == "complete")
        return try ["viewers.csv", "segments.csv", "summary.json"].map {
            try String(contentsOfFile: "\(path)/\($0)", encoding: .utf8)
        }
    }

    @Test(arguments: ["own", "common"])
    func threadsChangeNothing(sharing: String) async throws {
        let scenario = try Self.scenario(("viewers: 3", "viewers: 3\nsharing: \(sharing)"))
        let one = try await Self.files(scenario, threads: 1)
        let two = try await Self.files(scenario, threads: 2)
        #expect(one == two)
        // 36 cells of 3 viewers.
        #expect(one[0].split(separator: "\n").count == 109)
        let another = try await Self.files(
            try Self.scenario(("seed: 5", "seed: 6")), threads: 2)
        #expect(another[0] != one[0])
    }

    /// The sums of a fixed seed, so that debug and release, and any later version, agree. Rates and
    /// times are those of a constant link, worked out by hand: 1128 kbit/s segments of 4 s on
    /// 2 Mbit/s take 2.256 s each, the first (264 kbit/s) 0.528 s.
    @Test func figuresOfAConstantLink() async throws {
        let scenario = try Self.scenario(
            ("[lte, hspa, 2Mbps]", "[2Mbps]"), ("[throughput, bola-e, dynamic]", "[throughput]"),
            ("[12s, 25s]", "[25s]"), ("[edge-ladder, geometric]", "[edge-ladder]"),
            ("variation: 20%", "variation: 0%"), ("viewers: 3", "viewers: 1\ntcp: false"))
        let files = try await Self.files(scenario, threads: 1)
        let viewer = try #require(ViewerRow.read(csv: files[0]).first)
        #expect(viewer.startupDelaySeconds == 0.528)
        #expect(viewer.stalls == 0 && viewer.switches == 1)
        #expect(viewer.playSeconds == 60)
        let segments = SegmentRow.read(csv: files[1])
        #expect(segments.map(\.rendition) == [0] + Array(repeating: 2, count: 14))
        #expect(segments[1].transferMilliseconds == 2256)
        #expect(segments[1].requestedSeconds == 0.528)
        #expect(segments[2].requestedSeconds == 2.784)
    }

    @Test func interruptedRunKeepsWhatIsFinished() async throws {
        let directory = try Self.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var options = SimulationJob.Options()
        options.resultsDirectory = directory
        let stop = Mutex(false)
        let (path, summary) = try await SimulationJob(try Self.scenario(), options: options)(
            isCancelled: { stop.withLock { $0 } },
            progress: { done in if done == 5 { stop.withLock { $0 = true } } })
        #expect(summary.outcome == "interrupted")
        #expect(summary.cells.count >= 5 && summary.cells.count < 36)
        let rows = ViewerRow.read(
            csv: try String(contentsOfFile: "\(path)/viewers.csv", encoding: .utf8))
        #expect(rows.count == summary.cells.count * 3)
        #expect(SimulationSummary.read(directory: path) == summary)
    }

    @Test(arguments: [
        (
            "[throughput, bola-e, dynamic]", "[troughput]", "test.yml:7:",
            "did you mean 'throughput'?"
        ),
        ("[lte, hspa, 2Mbps]", "[ltee]", "test.yml:6:", "did you mean 'lte'?"),
        ("[edge-ladder, geometric]", "[edge-lader]", "test.yml:9:", "did you mean 'edge-ladder'?"),
        ("[12s, 25s]", "[1s]", "test.yml:8:", "at least one"),
        ("[12s, 25s]", "[12]", "test.yml:8:", "unit"),
        ("viewers: 3", "viewers: 0", "test.yml:11:", "from 1"),
        ("viewers: 3", "viewer: 3", "test.yml:11:", "did you mean 'viewers'?"),
        ("viewers: 3", "viewers: 100000", "test.yml:11:", "sessions"),
        ("kind: simulation", "kind: simulatio", "test.yml:2:", "simulation"),
        ("2Mbps]", "0bps]", "test.yml:6:", "no rate of a link"),
        ("2Mbps]", "0.4bps]", "test.yml:6:", "no rate of a link"),
        ("2Mbps]", "99999999999999Gbps]", "test.yml:6:", "no rate of a link"),
        ("duration: 60s", "duration: 24h, segment_duration: 1ns", "test.yml:9:", "segments"),
    ]) func wrongScenarios(old: String, new: String, place: String, reason: String) {
        let error = #expect(throws: ScenarioErrors.self) { try Self.scenario((old, new)) }
        let text = error?.description ?? ""
        #expect(text.contains(place) && text.contains(reason), "\(text)")
    }

    /// What a live scenario leaves out has a default, and YAML's `off` is the choice `off`.
    @Test(arguments: ["", ", catch_up: off", ", catch_up: \"off\"", ", catch_up: hls-js"])
    func liveDefaults(catchUp: String) throws {
        let scenario = try Self.scenario(
            (
                "viewers: 3",
                "viewers: 3\nplayer: {abandonment: off}\nlive: {target_latency: 6s\(catchUp)}"
            ))
        let expected: CatchUp = catchUp.hasSuffix("js") ? .hlsJS(maximumRate: 1.5) : .off
        #expect(scenario.player.live?.catchUp == expected)
        #expect(scenario.player.abandonment == .off)
        // What `explain` prints reads as the same.
        let again = try SimulationScenario.parse(scenario.canonicalYAML, file: "again.yml")
        #expect(again.canonicalYAML == scenario.canonicalYAML)
    }

    /// Sessions end with the title, or with the viewer's patience: before the first live segment
    /// there is none.
    @Test(arguments: ["own", "common"]) func shortAndLongStays(sharing: String) throws {
        for (watch, live) in [("24h", false), ("100ms", true)] {
            let scenario = try Self.scenario(
                (
                    "viewers: 3",
                    "viewers: 3\nsharing: \(sharing)\narrivals: {over: 1s, mean_watch: \(watch)}"
                        + (live ? "\nlive: {target_latency: 6s}" : "")
                ))
            let outcome = try #require(
                try SimulationRun(scenario).run(SimulationRun(scenario).cells[12]))
            for session in outcome.sessions {
                #expect(session.account.idle == 0)
                #expect(live == (session.account.sessionTime == 0))
            }
        }
    }

    @Test(arguments: [
        ("t,kbps\n0,100\n1,-5\n", "csv", ":3:", "-5"), ("", "csv", ":", "empty"),
        ("t,kbps\n0,100\n0,100\n", "csv", ":3:", "no time"),
        ("t,kbps\n5,100\n1,100\n", "csv", ":3:", "before"),
        ("t,kbps\n0,nan\n", "csv", ":2:", "finite"), ("t,kbps\n0,0\n", "csv", ":", "every rate"),
        ("t,kbps,loss\n0,100,1%\n", "csv", "", "loss"),
        ("[{\"duration_ms\":1000,\"bandwidth_kbps\":-1}]", "json", ":1:", "-1"),
    ]) func wrongTraces(text: String, suffix: String, place: String, reason: String) throws {
        let directory = try Self.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let file = "\(directory)/bad.\(suffix)"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let error = #expect(throws: ScenarioErrors.self) {
            try Self.scenario(("[lte, hspa, 2Mbps]", "[\"\(file)\"]"))
        }
        let description = error?.description ?? ""
        #expect(description.contains("bad.\(suffix)\(place)"), "\(description)")
        #expect(description.contains(reason), "\(description)")
    }

    /// Viewers that share a link have one round trip; a trace with several is refused, not bent.
    @Test(arguments: ["sharing: common", "origin: 5Mbps", "sharing: own"])
    func changingDelay(sharing: String) throws {
        let directory = try Self.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let file = "\(directory)/delay.csv"
        try "t,kbps,delay_ms\n0,3000,10\n5,2000,90\n10,0,10\n".write(
            toFile: file, atomically: true, encoding: .utf8)
        let changes = [("[lte, hspa, 2Mbps]", "[\"\(file)\"]"), ("viewers: 3", sharing)]
        if sharing.hasSuffix("own") {
            _ = try Self.scenario(changes[0], changes[1])
        } else {
            let error = #expect(throws: ScenarioErrors.self) {
                try Self.scenario(changes[0], changes[1])
            }
            #expect(error?.description.contains("its delay changes") == true)
        }
    }

    /// Files say what they are, and commands tell where else to take them.
    @Test func kinds() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../scenarios").standardizedFileURL.path
        let expected: [(String, ScenarioKind)] = [
            ("quickstart", .trial), ("simulate-algorithms", .simulation),
            ("simulate-shared", .simulation), ("ladder", .ladder),
        ]
        for (name, kind) in expected {
            let path = "\(folder)/\(name).yml"
            #expect(ScenarioKind.of(path: path) == kind)
            #expect(try kind.load(path: path).canonicalYAML.contains("version: 1"))
        }
        #expect(ScenarioKind.of(path: "\(folder)/none.yml") == nil)
        for kind in ScenarioKind.allCases {
            let schema = try JSONSerialization.jsonObject(with: Data(kind.schema.utf8))
            #expect((schema as? [String: Any])?["properties"] != nil)
        }
    }

    /// A file of 10 GB, of which no byte is stored, is refused by its size.
    @Test func hugeTrace() throws {
        let directory = try Self.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let file = "\(directory)/huge.csv"
        #expect(FileManager.default.createFile(atPath: file, contents: nil))
        let handle = try #require(FileHandle(forWritingAtPath: file))
        try handle.truncate(atOffset: 10_000_000_000)
        try handle.close()
        let error = #expect(throws: ScenarioErrors.self) {
            try Self.scenario(("[lte, hspa, 2Mbps]", "[\"\(file)\"]"))
        }
        #expect(error?.description.contains("10000000000 bytes") == true)
    }
}
