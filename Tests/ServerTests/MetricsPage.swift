/// A page of metrics, read by the rules of the text exposition format 0.0.4 and of Prometheus'
/// practices for names (https://prometheus.io/docs/practices/naming/).
struct MetricsPage {
    /// What breaks the rules, with the line.
    private(set) var problems: [String] = []
    /// Names of the metrics in their order.
    private(set) var names: [String] = []
    /// Values by name and labels as they are written.
    private(set) var values: [String: Double] = [:]
    private var kind: String?
    private var samples = 0
    private var series: Set<String> = []

    /// Parts of a name that say a type, or a unit that is no base unit.
    private static let forbiddenWords: Set<Substring> = [
        "counter", "gauge", "metric", "ms", "milliseconds", "minutes", "hours", "bits", "kbps",
        "kb", "kib", "mb", "mib", "kilobytes", "megabytes", "percent", "count", "sum", "bucket",
    ]

    init(_ text: String) {
        if !text.hasSuffix("\n") { problems.append("the last line does not end") }
        for line in text.split(separator: "\n") { read(line) }
        endMetric()
    }

    private mutating func expect(_ condition: Bool, _ rule: String, _ line: Substring) {
        if !condition { problems.append("\(rule): \(line)") }
    }

    private mutating func read(_ line: Substring) {
        let words = line.split(separator: " ", maxSplits: 3)
        if line.hasPrefix("# HELP ") {
            endMetric()
            expect(words.count == 4, "no help", line)
            let name = words.count > 2 ? String(words[2]) : ""
            expect(Self.isGoodName(name), "bad name", line)
            expect(!names.contains(name), "twice", line)
            names.append(name)
        } else if line.hasPrefix("# TYPE ") {
            expect(words.count == 4 && kind == nil, "stray TYPE", line)
            expect(words.count > 2 && names.last == String(words[2]), "TYPE without HELP", line)
            kind = words.last.map(String.init)
            expect(kind == "counter" || kind == "gauge", "unknown type", line)
            let isTotal = names.last?.hasSuffix("_total") ?? false
            expect(isTotal == (kind == "counter"), "counters, and only they, end in _total", line)
        } else {
            readSample(line)
        }
    }

    private mutating func endMetric() {
        if let name = names.last, samples == 0 || kind == nil {
            problems.append("no type or no sample: \(name)")
        }
        kind = nil
        samples = 0
    }

    private static func isGoodName(_ name: String) -> Bool {
        guard name.hasPrefix("millrace_") || name.hasPrefix("process_") else { return false }
        let words = name.split(separator: "_", omittingEmptySubsequences: false)
        return words.allSatisfy { word in
            !word.isEmpty && word.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber) }
        } && forbiddenWords.isDisjoint(with: words)
    }

    private mutating func readSample(_ line: Substring) {
        samples += 1
        let name = line.prefix { $0 != "{" && $0 != " " }
        expect(kind != nil && names.last == String(name), "sample of another metric", line)
        var rest = line.dropFirst(name.count)
        var labels: [String] = []
        if Self.skip("{", &rest) {
            repeat {
                guard let label = Self.label(&rest) else {
                    return problems.append("bad label: \(line)")
                }
                labels.append(label)
            } while Self.skip(",", &rest)
            expect(Self.skip("}", &rest), "labels do not end", line)
        }
        let written = line[..<rest.startIndex]
        guard Self.skip(" ", &rest), let value = Double(rest) else {
            return problems.append("bad value: \(line)")
        }
        expect(kind != "counter" || value >= 0 && value.isFinite, "bad value of a counter", line)
        let one = series.insert("\(name) \(labels.sorted())").inserted
        expect(one, "twice", line)
        values[String(written)] = value
    }

    private static func skip(_ character: Character, _ rest: inout Substring) -> Bool {
        guard rest.first == character else { return false }
        rest.removeFirst()
        return true
    }

    /// Reads a label, and returns its name and value; nil if it is not well formed.
    private static func label(_ rest: inout Substring) -> String? {
        let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        rest = rest.dropFirst(name.count)
        guard let first = name.first, !first.isNumber, !name.hasPrefix("__"), name != "le",
            name != "quantile", skip("=", &rest), skip("\"", &rest)
        else { return nil }
        var value = ""
        while let next = rest.popFirst() {
            switch next {
            case "\"": return "\(name)=\(value)"
            case "\\":
                switch rest.popFirst() {
                case "\\": value.append("\\")
                case "\"": value.append("\"")
                case "n": value.append("\n")
                default: return nil
                }
            default: value.append(next)
            }
        }
        return nil
    }
}
