import SimulationKernel

/// Checks of the keys that only some drivers have, and of servers that a command line starts.
enum ServerRules {
    /// Most files of a server, and the most bytes of all of them together.
    private static let fileLimit = 100
    private static let fileByteLimit = 1 << 20
    /// Longest time that a server may take to become ready.
    private static let longestStart = Duration.seconds(600)

    static func check(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        checkOwners(scenario.stack, reader: &reader)
        checkAccounting(scenario.stack.accounting, reader: &reader)
        switch scenario.stack.driver {
        case .command:
            checkCommand(scenario.stack, reader: &reader)
            checkSearch(scenario, reader: &reader)
        case .srs: checkSRS(scenario, reader: &reader)
        default: break
        }
    }

    /// Keys of the stack with the drivers that have them.
    private static func owners(
        _ stack: StackSettings
    ) -> [(key: String, isGiven: Bool, drivers: [StackSettings.Driver])] {
        let (start, accounting) = (stack.start, stack.accounting)
        let foreign: [StackSettings.Driver] = [.external, .command]
        return [
            ("url", stack.url != nil, foreign), ("http_url", stack.httpURL != nil, foreign),
            ("hls_url", stack.hlsURL != nil, foreign),
            ("command", start.command != nil, [.command]),
            ("files", start.files != nil, [.command]),
            ("env", start.environment != nil, [.command]),
            ("ready", start.readiness != nil, [.command]),
            ("keep_dir", start.keepsDirectory != nil, [.command, .srs]),
            ("profile", start.profile != nil, [.srs]), ("pid", accounting.pid != nil, [.external]),
            ("pid_file", accounting.pidFile != nil, [.external]),
            ("cgroup", accounting.cgroup != nil, [.external]),
            ("stat", accounting.statistics != nil, [.external]),
        ]
    }

    private static func checkOwners(_ stack: StackSettings, reader: inout ScenarioReader) {
        for (key, isGiven, drivers) in owners(stack) where isGiven {
            guard !drivers.contains(stack.driver) else { continue }
            let names = drivers.map(\.rawValue).joined(separator: " or ")
            reader.report(
                at: "stack.\(key)",
                "\(key) belongs to driver: \(names); remove it or change the driver")
        }
    }

    private static func checkAccounting(
        _ accounting: ServerAccounting, reader: inout ScenarioReader
    ) {
        let given = [
            accounting.pid.map { _ in "pid" }, accounting.pidFile.map { _ in "pid_file" },
            accounting.cgroup.map { _ in "cgroup" }, accounting.statistics.map { _ in "stat" },
        ].compactMap(\.self)
        guard given.count > 1 else { return }
        reader.report(
            at: "stack.\(given[1])",
            "\(given.joined(separator: ", ")): the server's CPU would count more than once; give "
                + "one of them")
    }

    private static func checkSRS(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        guard let hls = scenario.stack.hls else { return }
        if hls.container != .ts {
            reader.report(
                at: "stack.hls.container",
                "the run lets SRS make MPEG-TS segments; take container: ts")
        }
        if hls.part != nil {
            reader.report(
                at: "stack.hls.part", "SRS makes no parts; remove part, or take driver: embedded")
        }
        for (i, stream) in scenario.streams.enumerated()
        where stream.nginxVariants.count < stream.renditions.count {
            reader.report(
                at: "streams[\(i)]",
                "the run writes the multivariant playlist for SRS, and the rate of a file is not "
                    + "known; take source: {ffmpeg: …} or synthetic")
        }
    }

    private static func checkCommand(_ stack: StackSettings, reader: inout ScenarioReader) {
        let start = stack.start
        guard let command = start.command else {
            // A command that cannot be read has been reported.
            guard reader.marks["stack.command"] == nil else { return }
            reader.report(
                at: "stack",
                "driver: command needs stack.command, such as "
                    + "'my-server --rtmp-port {rtmp_port} --http-port {http_port}'")
            return
        }
        if command.first?.isEmpty ?? true {
            reader.report(at: "stack.command", "the command's first word must name a program")
        }
        for word in command { checkPlaceholders(in: word, at: "stack.command", reader: &reader) }
        for entry in start.environment ?? [] {
            checkPlaceholders(in: entry.text, at: "stack.env.\(entry.name)", reader: &reader)
        }
        checkPlaceholders(in: stack.url, at: "stack.url", reader: &reader)
        checkPlaceholders(in: stack.httpURL, at: "stack.http_url", reader: &reader)
        checkPlaceholders(
            in: stack.hlsURL, at: "stack.hls_url", besides: ["stream"], reader: &reader)
        checkPlaceholders(in: start.readiness?.url, at: "stack.ready.url", reader: &reader)
        if let within = start.readiness?.within, within > longestStart {
            reader.report(at: "stack.ready.within", "within must be 10min at most")
        }
        checkFiles(start.files ?? [], reader: &reader)
        checkPorts(stack, reader: &reader)
    }

    private static func checkPlaceholders(
        in text: String?, at place: String, besides others: [String] = [],
        reader: inout ScenarioReader
    ) {
        guard let text,
            let words = ServerPlaceholder.complaint(about: text, besides: others)
        else { return }
        reader.report(at: place, words)
    }

    private static func checkFiles(_ files: [NamedText], reader: inout ScenarioReader) {
        let bytes = files.reduce(0) { $0 + $1.text.utf8.count }
        if files.count > fileLimit || bytes > fileByteLimit {
            reader.report(
                at: "stack.files",
                "\(files.count) files with \(bytes) bytes; at most \(fileLimit) files with "
                    + "\(fileByteLimit) bytes in all")
        }
        let names = Set(files.map(\.name))
        for file in files {
            let parts = file.name.split(separator: "/")
            for count in 1..<max(1, parts.count)
            where names.contains(parts.prefix(count).joined(separator: "/")) {
                reader.report(
                    at: "stack.files",
                    "'\(parts.prefix(count).joined(separator: "/"))' is a file and the folder of "
                        + "'\(file.name)'; rename one")
            }
        }
    }

    /// A search over a number that the server does not get would find no difference.
    private static func checkSearch(_ scenario: TrialScenario, reader: inout ScenarioReader) {
        guard let search = scenario.search, scenario.stack.start.command != nil,
            [search.vary, search.sweep?.vary].contains("stack.threads"),
            !scenario.stack.start.tells(.threads)
        else { return }
        reader.report(
            at: "stack.command",
            "the search varies stack.threads, and nothing tells the server: write {threads} in "
                + "command, files or env")
    }

    /// A port that the run chooses must reach the server in some way.
    private static func checkPorts(
        _ stack: StackSettings, reader: inout ScenarioReader
    ) {
        let start = stack.start
        let urls = [
            stack.url ?? ServerPlaceholder.standardURL, stack.httpURL ?? "", stack.hlsURL ?? "",
            start.readiness?.url ?? "",
        ]
        for port in [ServerPlaceholder.rtmpPort, .httpPort] {
            let sign: ServerReadiness.Port = port == .rtmpPort ? .rtmp : .http
            let isUsed =
                urls.contains { $0.contains(port.text) } || start.readiness?.port == sign
            guard isUsed, !start.tells(port) else { continue }
            let key = port == .rtmpPort ? "url" : "http_url"
            reader.report(
                at: "stack.command",
                "nothing tells the server its port \(port.text): write it in command, files or "
                    + "env, or give \(key) and ready with the port that the server has")
        }
    }
}

extension ServerPlaceholder {
    /// URL of a server whose scenario gives none.
    package static let standardURL = "rtmp://127.0.0.1:{rtmp_port}/live"
}
