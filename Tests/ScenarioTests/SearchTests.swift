import Foundation
import SimulationKernel
import Testing

@testable import Scenario

@Suite struct SearchTests {
    private static let text = """
        version: 1
        name: x
        streams:
          - name: live
            count: 2
            renditions:
              - name: small
                source:
                  synthetic: {width: 320, height: 180, bitrate: 400kbps, audio_bitrate: 64kbps}
        viewers:
          - {protocol: rtmp, count: 30}
          - {protocol: http-flv, count: 10}
        thresholds:
          frames_missing: ["count==0"]
        search: {vary: viewers.count, from: 2, to: 400}

        """

    private static func tree(_ text: String = text) throws -> ScenarioTree {
        let scenario = try TrialScenario.parse(text)
        return try ScenarioTree(scenario, file: "x", folder: ".")
    }

    private static func changed(_ path: String, _ value: SearchedValue) throws -> TrialScenario {
        var tree = try tree()
        try tree.set(path, to: value)
        return try tree.scenario()
    }

    private static func message(_ path: String, _ value: SearchedValue = .number(5)) -> String {
        do {
            _ = try changed(path, value)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func defaultsOfASearch() throws {
        let search = try #require(try TrialScenario.parse(Self.text).search)
        #expect(search.firstLoad == .number(2) && search.width == 0.05)
        #expect(search.trial == .seconds(3) && search.finalTrial == .seconds(8))
        #expect(search.budget == .seconds(600) && search.calibrates && search.repeats == 1)
    }

    /// An unchanged tree is the same scenario.
    @Test func treeIsTheScenario() throws {
        let scenario = try TrialScenario.parse(Self.text)
        #expect(try Self.tree().scenario() == scenario)
    }

    @Test func changesKeys() throws {
        #expect(try Self.changed("stack.threads", .number(4)).stack.threads == 4)
        let driver = try Self.changed("stack.gop_cache", .number(2))
        #expect(driver.stack.gopCache == 2)
        let one = try Self.changed("viewers[1].count", .number(7))
        #expect(one.viewers.map(\.count) == [30, 7])
        let rate = try Self.changed(
            "streams.renditions.source.synthetic.bitrate", .bitrate(2_000_000))
        guard case .synthetic(let source) = rate.streams[0].renditions[0].source else {
            Issue.record("the source is another")
            return
        }
        #expect(source.bitrate.bitsPerSecond == 2_000_000 && source.width == 320)
        // A quantity as text is read in the unit of its key.
        #expect(
            try Self.changed("stack.flush_interval", .text("40ms")).stack.flushInterval
                == .milliseconds(40))
    }

    /// A mapping that the file does not have is made, with its defaults.
    @Test func makesMappings() throws {
        let scenario = try Self.changed("processes.viewers", .number(3))
        #expect(scenario.processes.viewers == 3 && scenario.processes.probes == 1)
        #expect(try Self.changed("relay.targets", .number(3)).relay?.targets == 3)
        let senders = try Self.changed("stack.threads", .text("per-session"))
        #expect(senders.stack.senders != nil)
        #expect(
            try Self.changed("stack.hls.segment", .text("4s")).stack.hls?.segment == .seconds(4))
    }

    /// A count without an index is shared in the ratio of the file's.
    @Test func sharesCounts() throws {
        #expect(try Self.changed("viewers.count", .number(100)).viewers.map(\.count) == [75, 25])
        #expect(try Self.changed("viewers.count", .number(2)).viewers.map(\.count) == [1, 1])
        #expect(try Self.changed("streams.count", .number(9)).streams.map(\.count) == [9])
        for load in 3...200 {
            let shares = ScenarioTree.shares(of: load, in: [5, 1, 17])
            #expect(shares.reduce(0, +) == load && shares.allSatisfy { $0 >= 1 }, "\(load)")
        }
    }

    @Test func namesTheNearestKey() {
        #expect(Self.message("viewers.cont").contains("did you mean 'viewers.count'?"))
        #expect(Self.message("viewer[1].count").contains("did you mean 'viewers[1].count'?"))
        #expect(Self.message("stack.thread").contains("did you mean 'stack.threads'?"))
        #expect(Self.message("viewers[2].count").contains("the last entry is viewers[1]"))
        #expect(Self.message("viewers").contains("is a list"))
        #expect(Self.message("stack.threads.x").contains("stack.threads has no keys"))
        #expect(Self.message("stack[0].threads").contains("is no list"))
        #expect(Self.message("stack.gop_cache.x").contains("stack.gop_cache has no keys"))
        #expect(Self.message("stack.gop_cache", .text("x")).contains("a whole number"))
        #expect(Self.message("viewers.count", .number(1)).contains("at least 2"))
        #expect(Self.message("search.from").contains("its own settings"))
        #expect(Self.message("viewers..count").contains("is not the path of a key"))
        #expect(Self.message("stack.gop_cache", .number(9)).contains("outside a whole number"))
        #expect(Self.message("streams.ladder.threads").contains("renditions"))
    }

    /// What a trial gets: the load, the window, the goals' thresholds, and no search.
    @Test func trialOfASearch() throws {
        var tree = try Self.tree()
        var options = SearchOptions()
        options.goals = ["delay_ms=p(99)<50", "frames_missing=count==0", "delay_ms=p(50)<9"]
        options.sweep = "stack.threads=1,2,4"
        options.to = "300"
        options.budget = "90s"
        try tree.apply(options)
        let scenario = try tree.scenario()
        let search = try #require(scenario.search)
        #expect(search.goals.map(\.name) == ["delay-ms", "frames-missing", "delay-ms-2"])
        #expect(search.sweep?.values == [.number(1), .number(2), .number(4)])
        #expect(search.to == .number(300) && search.budget == .seconds(90))
        #expect(scenario.searchThresholds.count == 3)
        let trial = try tree.trial(
            of: search, load: .number(40), swept: .number(2), duration: .milliseconds(1500),
            thresholds: scenario.searchThresholds)
        #expect(trial.search == nil && trial.duration == .milliseconds(1500))
        #expect(trial.stack.threads == 2 && trial.viewers.map(\.count) == [30, 10])
        #expect(Set(trial.thresholds) == Set(scenario.searchThresholds))
        #expect(trial.warmup == scenario.warmup)
    }

    /// A scenario without a search has one all the same: its viewers, from the least number to a
    /// hundred times its own, with the thresholds that need no capture as the goal.
    @Test func completesASearch() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../scenarios/quickstart.yml").standardizedFileURL.path
        let quickstart = try TrialScenario.load(path: path)
        #expect(quickstart.search == nil)
        var tree = try ScenarioTree(quickstart, file: "x", folder: ".")
        let notes = try tree.completeSearch(of: quickstart)
        let scenario = try tree.scenario()
        let search = try #require(scenario.search)
        #expect(search.vary == "viewers.count" && search.firstLoad == .number(40))
        #expect(search.from == .number(2) && search.to == .number(4000))
        #expect(
            scenario.searchThresholds.map(\.metric)
                == [.framesMissing, .joinFailures, .delayMilliseconds])
        #expect(scenario.capture.mode == .off)
        #expect(notes.contains { $0.contains("payload_kbps{rendition:720p,vantage:wire}") })
    }

    /// Options come before what would be filled in, and the range ends where the rules end.
    @Test func completesOptions() throws {
        let text = Self.text.replacing(
            "search: {vary: viewers.count, from: 2, to: 400}\n", with: "")
        let plain = try TrialScenario.parse(text)
        func completed(_ change: (inout SearchOptions) -> Void) throws -> SearchSettings {
            var options = SearchOptions()
            change(&options)
            var tree = try ScenarioTree(plain, file: "x", folder: ".")
            try tree.apply(options)
            _ = try tree.completeSearch(of: plain)
            return try #require(try tree.scenario().search)
        }
        let viewers = try completed { $0.to = "90" }
        #expect(viewers.from == .number(2) && viewers.to == .number(90) && viewers.start == nil)
        // At most 1000 streams of a name are allowed; the scenario has two.
        let streams = try completed { $0.vary = "streams.count" }
        #expect(streams.from == .number(1) && streams.to == .number(200))
        #expect(streams.firstLoad == .number(2))
        let cache = try completed { $0.vary = "stack.gop_cache" }
        #expect(cache.from == .number(1))
        #expect(cache.to == .number(1), "at most 2 groups of pictures are kept")
        let rate = try completed { $0.vary = "streams.renditions.source.synthetic.bitrate" }
        #expect(rate.firstLoad == .bitrate(400_000) && rate.to == .bitrate(4_000_000))
        #expect(throws: InputFault.self) { try completed { $0.vary = "viewers.cuont" } }
        #expect(throws: InputFault.self) { try completed { $0.vary = "relay.targets" } }
        let goals = try completed { $0.goals = ["delay_ms=p(99)<50"] }.goals
        #expect(goals.map(\.name) == ["delay-ms"])
    }

    @Test(arguments: ["delay_ms", "=", ""]) func goalsHaveAForm(text: String) throws {
        var tree = try Self.tree()
        var options = SearchOptions()
        options.goals = [text]
        #expect(throws: InputFault.self) { try tree.apply(options) }
    }

    /// Options are checked like a file.
    @Test func optionsAreChecked() throws {
        var tree = try Self.tree()
        var options = SearchOptions()
        options.budget = "10m"
        options.width = "3"
        try tree.apply(options)
        let errors = #expect(throws: ScenarioErrors.self) { try tree.scenario() }
        #expect(errors?.description.contains("search.budget") == true)
        #expect(errors?.description.contains("search.width") == true)
    }

    @Test(arguments: ["a", "a.b_c", "a[0].b", "x264.preset", "a[9999]"])
    func readsPaths(text: String) throws {
        #expect(ScenarioPath.text(try #require(ScenarioPath(text)).steps) == text)
    }

    @Test(arguments: ["", ".", "a.", "a[", "a[]", "a[x]", "a[1", "a[12345]", "A", "a b", "a[1]x"])
    func refusesOtherTexts(text: String) {
        #expect(ScenarioPath(text) == nil)
    }
}
