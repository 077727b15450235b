import Foundation
import Netem
import NetemShell
import SimulationKernel
import Testing
import Viewer

@testable import Scenario

@Suite struct ScenarioLanguageTests {
    static let corpus = Bundle.module.resourceURL!.appending(path: "Fixtures/scenarios")

    static func files(_ folder: String) -> [String] {
        let path = corpus.appending(path: folder).path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.filter { $0.hasSuffix(".yml") }.sorted().map { "\(path)/\($0)" }
    }

    @Test(arguments: files("good")) func acceptsGoodScenarios(path: String) throws {
        let scenario = try TrialScenario.load(path: path)
        // The resolved scenario is itself a scenario, and a fixed point.
        let again = try TrialScenario.parse(scenario.canonicalYAML)
        #expect(again == scenario)
        #expect(again.sha256 == scenario.sha256)
        #expect(scenario.explanation.contains(scenario.sha256))
    }

    @Test(arguments: files("bad") + files("decoder-only"))
    func rejectsBadScenariosWithEveryFault(path: String) throws {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let expected = text.split(separator: "\n").filter { $0.hasPrefix("# expect: ") }
            .map { String($0.dropFirst("# expect: ".count)) }
        #expect(!expected.isEmpty)
        let errors = #expect(throws: ScenarioErrors.self) { try TrialScenario.load(path: path) }
        let report = try #require(errors).description
        for fragment in expected {
            #expect(report.contains(fragment), "missing '\(fragment)' in:\n\(report)")
        }
        #expect(errors!.diagnostics.allSatisfy { $0.line > 0 && $0.column > 0 })
    }

    /// Links reach the plan: one for each group, viewers at places of their own, the same for a seed.
    @Test func linksOfGroups() throws {
        let path = try #require(Self.files("good").first { $0.hasSuffix("links.yml") })
        let scenario = try TrialScenario.load(path: path)
        let plan = Plan(scenario)
        #expect(
            plan.links.map(\.name) == [
                "lte", "1500kbps", "hspa", "2Mbps", "3Mbps packets", "wifi-poor packets",
            ])
        #expect(plan.links[1].payloadRate.bitsPerSecond == 1_448_000)
        // A plain limit counts payload.
        #expect(plan.links[3].payloadRate.bitsPerSecond == 2_000_000)
        let hspa = try #require(plan.links[2].socket)
        #expect(hspa.delay.nanoseconds == 40_000_000)
        #expect(hspa.rate.periods.allSatisfy { $0.delayNanoseconds == 0 })
        #expect(hspa.loss == .gilbertElliott(p: 0.01, r: 0.2))
        for viewer in plan.viewers { #expect(viewer.link?.link == viewer.group) }
        let offsets = plan.viewers.filter { $0.group == 0 }.map { $0.link?.offsetNanoseconds }
        #expect(Set(offsets).count == 2)
        #expect(Plan(scenario) == plan)
    }

    @Test func corpusIsThere() {
        #expect(Self.files("good").count >= 2)
        #expect(Self.files("bad").count >= 10)
    }

    @Test(arguments: [
        "quickstart", "quickstart-nginx", "fanout", "relay-1x1", "relay-100x2",
        "relay-100x2-per-session", "relay-link-2mbps", "relay-faults", "find-the-limit",
        "relay-pool-sweep",
    ])
    func shippedScenariosAreValid(name: String) throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../scenarios/\(name).yml").standardizedFileURL.path
        let scenario = try TrialScenario.load(path: path)
        #expect(scenario.name == name)
        #expect((scenario.warmup + scenario.duration + scenario.drain) < .seconds(40))
    }

    @Test func fillsInDefaults() throws {
        let scenario = try TrialScenario.load(
            path: Self.files("good").first { $0.contains("minimal") }!)
        #expect(scenario.seed == 1)
        #expect(scenario.warmup == .seconds(5))
        #expect(scenario.duration == .seconds(20))
        #expect(scenario.stack.driver == .embedded)
        #expect(scenario.congestionControl == .cubic)
        #expect(scenario.capture.mode == .auto)
        #expect(scenario.capture.ringBytes == 64 << 20)
        #expect(scenario.validity.generatorLagP99 == .milliseconds(20))
        #expect(scenario.viewers[0].arrival.over == .seconds(3))
        let rates = scenario.streams[0].renditions.map { rendition -> Int in
            guard case .synthetic(let source) = rendition.source else { return 0 }
            return source.bitrate.bitsPerSecond
        }
        #expect(rates == [2_628_000, 1_128_000, 878_000, 264_000])
    }

    @Test func schemaAgreesWithDecoder() throws {
        let schema = FileManager.default.temporaryDirectory
            .appending(path: "millrace-schema-\(UUID()).json")
        defer { try? FileManager.default.removeItem(at: schema) }
        try TrialScenario.schema.write(to: schema, atomically: true, encoding: .utf8)
        let script = """
            import sys, json
            try:
                import jsonschema, yaml
            except ImportError as e:
                print("SKIP", e); sys.exit(0)
            schema = json.load(open(sys.argv[1]))
            jsonschema.Draft7Validator.check_schema(schema)
            for path in sys.argv[2:]:
                errors = list(jsonschema.Draft7Validator(schema).iter_errors(yaml.safe_load(open(path))))
                print("bad" if errors else "good", path, "; ".join(e.message[:100] for e in errors))
            """
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            ["python3", "-c", script, schema.path] + Self.files("good") + Self.files("bad")
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        if text.hasPrefix("SKIP") {
            print("schemaAgreesWithDecoder skipped: pip install jsonschema pyyaml (\(text))")
            return
        }
        #expect(process.terminationStatus == 0)
        let lines = text.split(separator: "\n")
        #expect(lines.count == Self.files("good").count + Self.files("bad").count)
        for line in lines {
            let isGood = line.contains("/scenarios/good/")
            #expect(line.hasPrefix(isGood ? "good" : "bad"), "\(line)")
        }
    }
}
