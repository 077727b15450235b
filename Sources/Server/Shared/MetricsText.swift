import HTTPWire

/// A page in the text exposition format 0.0.4, which Prometheus reads
/// (https://prometheus.io/docs/instrumenting/exposition_formats/).
struct MetricsText: Sendable {
    enum Kind: String, Sendable {
        /// A number that only grows, or begins again at 0; its name ends in `_total`.
        case counter
        case gauge
    }

    /// One value of a metric, with labels in the order in which they are written.
    struct Sample: Sendable {
        fileprivate let value: String
        fileprivate let labels: KeyValuePairs<String, String>

        init(_ value: Int, _ labels: KeyValuePairs<String, String> = [:]) {
            self.value = "\(value)"
            self.labels = labels
        }

        init(_ value: Double, _ labels: KeyValuePairs<String, String> = [:]) {
            self.value =
                if value.isNaN {
                    "NaN"
                } else if value.isInfinite {
                    value < 0 ? "-Inf" : "+Inf"
                } else {
                    "\(value)"
                }
            self.labels = labels
        }
    }

    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var text = ""

    /// Adds a metric; one without samples is left out.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
        guard !samples.isEmpty else { return }
        text += "# HELP \(name) \(Self.escaped(help))\n# TYPE \(name) \(kind.rawValue)\n"
        for sample in samples {
            text += name
            if !sample.labels.isEmpty {
                let labels = sample.labels.map { label in
                    "\(label.key)=\"\(Self.escaped(label.value, quotes: true))\""
                }
                text += "{\(labels.joined(separator: ","))}"
            }
            text += " \(sample.value)\n"
        }
    }

    /// Returns a name that a stranger chose as the value of a label: controls and backslashes become
    /// `\u{…}`. Different names give different values, because Prometheus refuses a page that has a
    /// series twice.
    static func label(_ name: String) -> String {
        var result = ""
        for scalar in name.unicodeScalars {
            if scalar.isControl || scalar == "\\" {
                result += "\\u{" + String(scalar.value, radix: 16) + "}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func escaped(_ text: String, quotes: Bool = false) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
