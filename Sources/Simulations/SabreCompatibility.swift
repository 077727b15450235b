package import ABR
import Foundation

/// Sabre's runs over a set of titles and traces, with the figures that Sabre prints as CSV.
package enum SabreCompatibility {
    package struct Named<Value: Sendable>: Sendable {
        package var name: String
        package var value: Value
        package init(name: String, value: Value) {
            self.name = name
            self.value = value
        }
    }

    /// Returns one row for each title, trace, buffer, algorithm and variant. Rows of
    /// `abandon-fixed` exist only for the algorithms whose choice at abandonment Sabre loses.
    package static func csv(
        titles: [Title], traces: [Named<[SabrePeriod]>], buffersSeconds: [Double]
    ) -> String {
        var lines: [String] = []
        for title in titles {
            for trace in traces {
                for buffer in buffersSeconds where buffer * 1000 > title.segmentDuration {
                    for algorithm in SabreSession.Algorithm.allCases {
                        for variant in variants(of: algorithm) {
                            var session = SabreSession(
                                title: title, trace: trace.value, maximumBuffer: buffer * 1000,
                                algorithm: algorithm, variant: variant)
                            let metrics = session.run()
                            if lines.isEmpty { lines.append(header(metrics)) }
                            let key = [
                                title.name, trace.name, number(buffer), algorithm.rawValue,
                                variant.rawValue,
                            ]
                            lines.append(
                                (key + metrics.values.map { text($0.value) } + [""])
                                    .joined(separator: ","))
                        }
                    }
                }
            }
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func variants(of algorithm: SabreSession.Algorithm) -> [SabreSession.Variant] {
        switch algorithm {
        case .throughput, .dynamic: [.compat, .noAbandon, .abandonFixed]
        default: [.compat, .noAbandon]
        }
    }

    private static func header(_ metrics: SabreMetrics) -> String {
        (["title", "trace", "max_buffer_s", "algorithm", "variant"] + metrics.values.map(\.name)
            + ["error"]).joined(separator: ",")
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
    }

    private static func text(_ value: SabreMetrics.Value) -> String {
        switch value {
        case .count(let count): String(count)
        case .number(let number): String(format: "%f", number)
        }
    }
}
