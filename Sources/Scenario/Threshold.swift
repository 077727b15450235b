import Foundation
import SimulationKernel

/// A condition on a measured figure, in the form that k6 uses: `delay_ms{rendition:720p}:
/// p(99)<200`.
package struct Threshold: Codable, Sendable, Hashable {
    package enum Aggregation: Codable, Sendable, Hashable {
        /// A percentile, 0…100.
        case percentile(Double)
        case mean, median, minimum, maximum
        /// The sum of a counter.
        case count
        /// The value itself. Every matching figure must fulfil the condition.
        case value
    }

    package enum Comparison: String, Codable, Sendable, CaseIterable {
        case lessOrEqual = "<="
        case greaterOrEqual = ">="
        case equal = "=="
        case notEqual = "!="
        case less = "<"
        case greater = ">"

        package func holds(_ a: Double, _ b: Double) -> Bool {
            switch self {
            case .lessOrEqual: a <= b
            case .greaterOrEqual: a >= b
            case .equal: a == b
            case .notEqual: a != b
            case .less: a < b
            case .greater: a > b
            }
        }
    }

    package var metric: Metric
    /// Tags that a figure must have; empty = any.
    package var tags: [String: String]
    package var aggregation: Aggregation
    package var comparison: Comparison
    /// Limit in the metric's unit.
    package var limit: Double
    /// Selector as it was written, for reports.
    package var selector: String
    package var expression: String

    static let tagNames = [
        "stream", "rendition", "vantage", "protocol", "role", "group", "kind", "via",
    ]

    static let rule = TextRule(
        hint: "an expression such as p(99)<200, max<500, count==0 or value>2500",
        pattern: "^ *(p\\([0-9]+(\\.[0-9]+)?\\)|avg|med|min|max|count|value)"
            + " *(<=|>=|==|!=|<|>) *-?[0-9]+(\\.[0-9]+)? *$"
    ) { parseExpression($0) != nil }

    static func parseExpression(_ text: String) -> (Aggregation, Comparison, Double)? {
        let compact = text.filter { $0 != " " }
        guard let comparison = Comparison.allCases.first(where: { compact.contains($0.rawValue) }),
            let place = compact.range(of: comparison.rawValue),
            let limit = Double(compact[place.upperBound...]), limit.isFinite
        else { return nil }
        let name = String(compact[..<place.lowerBound])
        let aggregation: Aggregation
        switch name {
        case "avg": aggregation = .mean
        case "med": aggregation = .median
        case "min": aggregation = .minimum
        case "max": aggregation = .maximum
        case "count": aggregation = .count
        case "value": aggregation = .value
        default:
            guard name.hasPrefix("p("), name.hasSuffix(")"),
                let percentile = Double(name.dropFirst(2).dropLast()),
                (0...100).contains(percentile)
            else { return nil }
            aggregation = .percentile(percentile)
        }
        return (aggregation, comparison, limit)
    }

    /// Reads `metric{tag:value,…}` and an expression. The failure describes the fault.
    static func parse(selector: String, expression: String) -> Result<Threshold, ScalarRule.Fault> {
        let open = selector.firstIndex(of: "{")
        let name = selector[..<(open ?? selector.endIndex)].trimmingCharacters(in: .whitespaces)
        guard let metric = Metric(rawValue: name) else {
            let names = Metric.allCases.map(\.rawValue)
            let nearest = NameDistance.nearest(to: name, among: names)
            return .failure(
                .init(
                    message: "unknown metric '\(name)'; "
                        + (nearest.map { "did you mean '\($0)'?" }
                            ?? "metrics: \(names.joined(separator: ", "))")))
        }
        var tags: [String: String] = [:]
        if let open {
            guard selector.hasSuffix("}") else {
                return .failure(.init(message: "'\(selector)' lacks its closing '}'"))
            }
            for pair in selector[selector.index(after: open)...].dropLast().split(separator: ",") {
                let parts = pair.split(separator: ":", maxSplits: 1).map {
                    $0.trimmingCharacters(in: .whitespaces)
                }
                guard parts.count == 2, tagNames.contains(parts[0]) else {
                    let names = tagNames.joined(separator: ", ")
                    return .failure(.init(message: "'\(pair)' is not tag:value; tags: \(names)"))
                }
                tags[parts[0]] = parts[1]
            }
        }
        guard let (aggregation, comparison, limit) = parseExpression(expression) else {
            return .failure(.init(message: "'\(expression)' is not \(rule.hint)"))
        }
        guard metric.kind.accepts(aggregation) else {
            return .failure(
                .init(message: "\(name) is a \(metric.kind.rawValue); use \(metric.kind.usage)"))
        }
        return .success(
            Threshold(
                metric: metric, tags: tags, aggregation: aggregation, comparison: comparison,
                limit: limit, selector: selector, expression: expression))
    }
}

extension ValueKind where Value == [Threshold] {
    /// A mapping of selectors to lists of expressions.
    static var thresholds: Self {
        let expressions = ValueKind<[String]>.list(.text(Threshold.rule))
        return .init(
            .map(expressions.spec),
            decode: { value, path, reader in
                guard case .object(let selectors) = value else { return nil }
                var result: [Threshold] = []
                for (selector, list) in selectors.values {
                    let place = "\(path).\(selector)"
                    // A fault of the selector occurs with each of its expressions; it is reported
                    // once.
                    var said: Set<String> = []
                    let texts = expressions.decode(list, place, &reader) ?? []
                    for (i, text) in texts.enumerated() {
                        switch Threshold.parse(selector: selector, expression: text) {
                        case .success(let threshold): result.append(threshold)
                        case .failure(let fault):
                            guard said.insert(fault.message).inserted else { continue }
                            let isExpression = Metric.allCases.contains {
                                selector.hasPrefix($0.rawValue)
                            }
                            reader.report(
                                at: isExpression ? "\(place)[\(i)]" : place,
                                "\(path): \(fault.message)")
                        }
                    }
                }
                return result
            }, encode: { $0.isEmpty ? .object(ResolvedObject()) : nil })
    }
}
