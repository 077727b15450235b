import SimulationKernel

/// A page in Prometheus' text format (version 0.0.4), as far as one metric of it is wanted.
struct PrometheusPage {
    struct Fault: Error, Hashable, CustomStringConvertible {
        var description: String
    }

    let text: String

    /// Returns the sum of a metric's samples, whatever their labels are.
    ///
    /// - Throws: `Fault` if the page has no such metric, or a sample that is no number of 0 or more.
    func sum(of metric: String) throws(Fault) -> Double {
        var sum: Double?
        // A page may have megabytes and is read every second beside the load, so lines of other
        // metrics are passed over by their bytes.
        for line in samples {
            let name = Self.name(of: line)
            guard name.elementsEqual(metric.utf8) else { continue }
            let rest = Self.withoutLabels(Substring(line.dropFirst(name.count)))
            let word = rest.split { $0 == " " || $0 == "\t" }.first ?? ""
            guard let value = Double(word), value.isFinite, value >= 0 else {
                throw Fault(
                    description: "the value of \(metric) is '\(word.prefix(40))', not a number")
            }
            let whole = (sum ?? 0) + value
            guard whole.isFinite else {
                throw Fault(description: "the values of \(metric) are too large to add up")
            }
            sum = whole
        }
        if let sum { return sum }
        var names: Set<String> = []
        for line in samples where names.count < 10_000 {
            names.insert(String(Substring(Self.name(of: line))))
        }
        let nearest = NameDistance.nearest(to: metric, among: names.sorted())
        throw Fault(
            description: "the page has no metric \(metric)"
                + (nearest.map { "; did you mean '\($0)'?" } ?? ""))
    }

    /// The lines that are neither empty nor comments, without blanks before them.
    private var samples: [Substring.UTF8View] {
        var found: [Substring.UTF8View] = []
        for line in text.utf8.split(whereSeparator: Self.isLineEnd) {
            let sample: Substring.UTF8View = line.drop(while: Self.isBlank)
            if let first = sample.first, first != UInt8(ascii: "#") { found.append(sample) }
        }
        return found
    }

    private static func isLineEnd(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    private static func name(of line: Substring.UTF8View) -> Substring.UTF8View {
        line.prefix { !isBlank($0) && $0 != UInt8(ascii: "{") }
    }

    /// Drops `{label="value",…}` from the start of a text. Values may hold any character; a quote in
    /// them stands behind a backslash.
    private static func withoutLabels(_ text: Substring) -> Substring {
        guard text.first == "{" else { return text }
        var isQuoted = false
        var isEscaped = false
        for place in text.indices {
            let character = text[place]
            if isEscaped {
                isEscaped = false
            } else if character == "\\" {
                isEscaped = isQuoted
            } else if character == "\"" {
                isQuoted.toggle()
            } else if character == "}", !isQuoted {
                return text[text.index(after: place)...]
            }
        }
        return ""
    }
}
