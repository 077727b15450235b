import Testing

@testable import Scenario

@Suite struct ServerStartTests {
    /// The words are those of `sh -c 'printf "%s\n" …'`.
    @Test(
        arguments: [
            ("srv --port {rtmp_port}", ["srv", "--port", "{rtmp_port}"]),
            ("  a\tb  ", ["a", "b"]), (#"a 'b c' "d e""#, ["a", "b c", "d e"]),
            (#"a\ b '' "" x"#, ["a b", "", "", "x"]), (#""a\"b\\c\d""#, [#"a"b\c\d"#]),
            (#"'a\b'"#, [#"a\b"#]), (#"pre'mid'"post""#, ["premidpost"]),
            (#"echo '|' \& ">""#, ["echo", "|", "&", ">"]), ("a|b", ["a|b"]), ("", []),
            ("srv \\\n  --port 1 \\\n", ["srv", "--port", "1"]), ("\"a\\\nb\"", ["ab"]),
            ("http://x/?a=1&b=2 a=>b", ["http://x/?a=1&b=2", "a=>b"]),
        ] as [(String, [String])])
    func words(text: String, words: [String]) throws {
        #expect(try CommandWords.split(text) == words)
    }

    @Test(
        arguments: [
            ("a 'b", "without its end"), (#"a "b"#, "without its end"), (#"a \"#, "quotes nothing"),
            ("a | b", "sh -c"), ("a && b", "sh -c"), ("a > b", "sh -c"),
            ("a >log", "'>log'"), ("a 2>&1", "'2>&1'"), ("a <in", "sh -c"),
        ])
    func noCommandOfOneProgram(text: String, words: String) {
        let fault = #expect(throws: CommandWords.Fault.self) { try CommandWords.split(text) }
        #expect(fault?.description.contains(words) == true)
    }

    @Test func tooManyWords() {
        let text = String(repeating: "a ", count: CommandWords.countLimit + 1)
        #expect(throws: CommandWords.Fault.self) { try CommandWords.split(text) }
    }

    @Test func placeholders() {
        let values: [ServerPlaceholder: String] = [
            .rtmpPort: "1935", .directory: "/d/{rtmp_port}",
        ]
        #expect(
            ServerPlaceholder.fill(
                "{dir} {rtmp_port} {http_port} { {stream} {{rtmp_port}", with: values)
                == "/d/{rtmp_port} 1935 {http_port} { {stream} {1935")
        #expect(ServerPlaceholder.fill("", with: values) == "")
        #expect(ServerPlaceholder.complaint(about: "{rtmp_prot}")?.contains("{rtmp_port}") == true)
        #expect(ServerPlaceholder.complaint(about: "{stream}") != nil)
        #expect(ServerPlaceholder.complaint(about: "${A} {rtmp}") != nil)
        #expect(ServerPlaceholder.complaint(about: "{stream}", besides: ["stream"]) == nil)
        for text in ["{dir}/x", "{", "{}", "{1}", "a}b{", "x ${HOME}/$1 {dir}"] {
            #expect(ServerPlaceholder.complaint(about: text) == nil)
        }
    }

    @Test func settingsOfACommand() throws {
        let scenario = try TrialScenario.parse(
            """
            version: 1
            name: x
            stack:
              driver: command
              command: srv -c {dir}/srv.conf
              files: {srv.conf: "listen {host}:{rtmp_port};\\n"}
              env: {MODE: fast}
              ready: {port: 9000, within: 3s}
            streams: [{name: x}]
            viewers: [{count: 1}]
            """)
        let start = scenario.stack.start
        #expect(start.command == ["srv", "-c", "{dir}/srv.conf"])
        #expect(start.files == [NamedText(name: "srv.conf", text: "listen {host}:{rtmp_port};\n")])
        #expect(start.environment == [NamedText(name: "MODE", text: "fast")])
        #expect(start.readiness?.port == .number(9000))
        #expect(start.readiness?.within == .seconds(3))
        #expect(try TrialScenario.parse(scenario.canonicalYAML) == scenario)
        #expect(scenario.explanation.contains("srv -c {dir}/srv.conf"))
    }

    /// A number of threads reaches a server whose texts ask for it.
    @Test(arguments: [("srv -t {threads}", false), ("srv", true)])
    func threadsOfACommand(command: String, isUnsupported: Bool) throws {
        let scenario = try TrialScenario.parse(
            """
            version: 1
            name: x
            stack: {driver: command, command: "\(command) {rtmp_port}", threads: 3}
            streams: [{name: x}]
            viewers: [{count: 1}]
            """)
        let settings = scenario.unsupportedSettings
        #expect(settings.contains { $0.hasPrefix("threads") } == isUnsupported)
        let values: [ServerPlaceholder: String] = [.threads: "3"]
        #expect(
            ServerPlaceholder.fill(command, with: values) == (isUnsupported ? "srv" : "srv -t 3"))
    }

    /// A URL alone stands for a page with the standard metrics.
    @Test func statisticsByURL() throws {
        let scenario = try TrialScenario.parse(
            """
            version: 1
            name: x
            stack: {driver: external, url: "rtmp://h/live", stat: "http://h:9100/metrics"}
            streams: [{name: x}]
            viewers: [{count: 1}]
            """)
        let statistics = try #require(scenario.stack.accounting.statistics)
        #expect(statistics.url == "http://h:9100/metrics")
        #expect(statistics.cpuMetric == "process_cpu_seconds_total")
        #expect(try TrialScenario.parse(scenario.canonicalYAML) == scenario)
    }

    /// SRS keeps one group of pictures, and merges writes as the flush interval says.
    @Test func whatSRSCannotHonour() throws {
        let scenario = try TrialScenario.parse(
            """
            version: 1
            name: x
            stack: {driver: srs, gop_cache: 2, flush_interval: 350ms, threads: 2}
            streams: [{name: x}]
            viewers: [{count: 1}]
            """)
        let settings = scenario.unsupportedSettings
        #expect(settings.contains { $0.hasPrefix("gop_cache") } && settings.contains("threads"))
        #expect(!settings.contains("flush_interval"))
    }
}
