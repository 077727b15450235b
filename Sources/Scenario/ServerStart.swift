/// A name and a text, as a mapping of a scenario has them.
package struct NamedText: Codable, Hashable, Sendable {
    package var name: String
    package var text: String

    package init(name: String, text: String) {
        self.name = name
        self.text = text
    }
}

/// How a run starts a server that Millrace has no driver of its own for (`driver: command`), and
/// SRS. Texts may hold placeholders (`ServerPlaceholder`).
package struct ServerStart: ScenarioMapping, Codable, Hashable {
    /// Settings of SRS as its own documents give them.
    package enum SRSProfile: String, Codable, Sendable, CaseIterable {
        /// Least delay: nothing is merged.
        case realTime = "real-time"
        /// SRS's own defaults: reads and writes are merged for 350 ms.
        case standard = "default"
    }

    /// Program and arguments.
    package var command: [String]?
    /// Files that are written into the server's directory before it starts.
    package var files: [NamedText]?
    /// Variables that the server's environment has besides the runner's.
    package var environment: [NamedText]?
    package var readiness: ServerReadiness?
    /// Whether the server's directory remains in the results; nil = it is removed.
    package var keepsDirectory: Bool?
    /// Profile of SRS; nil = real-time.
    package var profile: SRSProfile?

    package init() {}

    /// Whether the server is told the value of a placeholder.
    func tells(_ placeholder: ServerPlaceholder) -> Bool {
        let texts = (command ?? []) + (environment ?? []).map(\.text) + (files ?? []).map(\.text)
        return texts.contains { $0.contains(placeholder.text) }
    }

    package static let fields: [Field<ServerStart>] = [
        .optional(
            "command", \.command, .commandLine,
            "Command line of driver: command, with {rtmp_port}, {http_port}, {host}, {dir} "
                + "and {threads}; no shell runs it."),
        .optional(
            "files", \.files, .table(.fileName),
            "Files that are written into {dir} before the command starts, with the placeholders."),
        .optional(
            "env", \.environment, .table(.variableName),
            "Variables of the command's environment, with the placeholders."),
        .optional("ready", \.readiness, .mapping, "When the command's server is ready."),
        .optional(
            "keep_dir", \.keepsDirectory, .boolean,
            "Whether {dir} remains in the results; default false."),
        .optional(
            "profile", \.profile, .choice,
            "Settings of driver: srs; default real-time, which merges no reads and writes."),
    ]
}

/// Sign by which a run sees that a server takes connections.
package struct ServerReadiness: ScenarioMapping, Codable, Hashable {
    /// A port that the run has chosen, or a number.
    package enum Port: Codable, Hashable, Sendable {
        case rtmp, http
        case number(Int)
    }

    /// Port that has to accept connections; nil = RTMP's, unless there is a URL.
    package var port: Port?
    /// URL that has to answer with a status of 200 to 299.
    package var url: String?
    /// Longest time from the start until the sign.
    package var within = Duration.seconds(10)

    package init() {}

    private static let portKind: ValueKind<Port> = .either(
        .named([("rtmp", .rtmp), ("http", .http)]),
        ValueKind<Int>.integer(1...65_535).map(
            { Port.number($0) },
            back: { (port: Port) -> Int? in
                guard case .number(let number) = port else { return nil }
                return number
            }))

    package static let fields: [Field<ServerReadiness>] = [
        .optional(
            "port", \.port,
            portKind, "Port that accepts connections: rtmp (the default), http or a number."),
        .optional(
            "url", \.url, .text(.url(["http", "https"])),
            "URL that answers with a status of 200 to 299."),
        .standard(
            "within", \.within, .duration(), in: "s", "Longest time until the server is ready."),
    ]

    package static var exclusive: [[PartialKeyPath<ServerReadiness>]] { [[\.port, \.url]] }
}

/// Which processes, or which statistics, are those of an external server.
package struct ServerAccounting: ScenarioMapping, Codable, Hashable {
    /// Number of the server's process on this machine.
    package var pid: Int?
    /// File with the number of the server's process.
    package var pidFile: String?
    /// Path of the cgroup that holds the server's processes.
    package var cgroup: String?
    package var statistics: ServerStatistics?

    package init() {}

    package static let fields: [Field<ServerAccounting>] = [
        .optional(
            "pid", \.pid, .integer(1...4_194_304),
            "Process of an external server on this machine; its descendants count as well."),
        .optional(
            "pid_file", \.pidFile, .text(.nonEmpty),
            "File with the number of an external server's process."),
        .optional(
            "cgroup", \.cgroup, .text(.nonEmpty),
            "cgroup of an external server's processes, such as system.slice/nginx.service."),
        .optional(
            "stat", \.statistics,
            .either(
                ValueKind<String>.text(.url(["http", "https"])).map { ServerStatistics(url: $0) },
                .mapping),
            "Prometheus page of an external server: a URL, or {url, cpu, memory}."),
    ]
}

/// A page in Prometheus' text format that tells CPU time and memory of a server.
package struct ServerStatistics: ScenarioMapping, Codable, Hashable {
    package var url = ""
    /// Metric that counts CPU seconds; its samples are added up.
    package var cpuMetric = "process_cpu_seconds_total"
    /// Metric of the resident memory in bytes; its samples are added up.
    package var memoryMetric = "process_resident_memory_bytes"

    package init() {}

    init(url: String) { self.url = url }

    package static let fields: [Field<ServerStatistics>] = [
        .required("url", \.url, .text(.url(["http", "https"])), "URL of the page."),
        .standard("cpu", \.cpuMetric, .text(.metricName), "Metric that counts CPU seconds."),
        .standard("memory", \.memoryMetric, .text(.metricName), "Metric of the memory in bytes."),
    ]
}

extension TextRule {
    static let fileName = TextRule(
        hint: "a file name such as server.conf or conf/server.conf, of letters, digits, '-', '.', "
            + "'_' and '/', without an empty part and without '..'",
        pattern: "^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$"
    ) { name in
        name.utf8.count <= 200
            && name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
                !part.isEmpty && part.first != "."
                    && part.allSatisfy {
                        $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0))
                    }
            }
    }
    static let variableName = TextRule(
        hint: "a name of letters, digits and '_' that begins with no digit",
        pattern: "^[A-Za-z_][A-Za-z0-9_]*$"
    ) { isIdentifier($0, extra: "_") }
    static let metricName = TextRule(
        hint: "a Prometheus metric's name without labels, such as process_cpu_seconds_total",
        pattern: "^[A-Za-z_:][A-Za-z0-9_:]*$"
    ) { isIdentifier($0, extra: "_:") }

    private static func isIdentifier(_ text: String, extra: String) -> Bool {
        text.first?.isNumber == false
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || extra.contains($0)) }
    }
}

extension ValueKind where Value == [String] {
    /// A command line: text that is split into words, or a list of words.
    static var commandLine: Self {
        .either(
            ValueKind<String>.text(.nonEmpty).reading { text, _ in try CommandWords.split(text) },
            ValueKind<String>.list(ValueKind<String>.text(.any)))
    }
}

extension ValueKind where Value == [NamedText] {
    /// A mapping of names to texts, in the order of the file.
    static func table(_ names: TextRule) -> Self {
        .init(
            .table(names, .text(.any)),
            decode: { value, _, _ in
                guard case .object(let object) = value else { return nil }
                return object.values.compactMap { name, value -> NamedText? in
                    guard case .text(let text) = value else { return nil }
                    return NamedText(name: name, text: text)
                }
            },
            encode: { entries in
                var object = ResolvedObject()
                object.values = entries.map {
                    (key: $0.name, value: ResolvedValue.text($0.text))
                }
                return .object(object)
            })
    }
}
