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
        var names: Set<String> = []
        for line in text.split(whereSeparator: \.isNewline) {
            let line = line.drop { $0 == " " || $0 == "\t" }
            guard let first = line.first, first != "#" else { continue }
            let name = line.prefix { $0 != "{" && $0 != " " && $0 != "\t" }
            guard name == metric else {
                if names.count < 10_000 { names.insert(String(name)) }
                continue
            }
            let rest = Self.withoutLabels(line.dropFirst(name.count))
            let word = rest.split { $0 == " " || $0 == "\t" }.first ?? ""
            guard let value = Double(word), value.isFinite, value >= 0 else {
                throw Fault(
                    description: "the value of \(metric) is '\(word.prefix(40))', not a number")
            }
            sum = (sum ?? 0) + value
        }
        if let sum { return sum }
        let nearest = NameDistance.nearest(to: metric, among: names.sorted())
        throw Fault(
            description: "the page has no metric \(metric)"
                + (nearest.map { "; did you mean '\($0)'?" } ?? ""))
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
