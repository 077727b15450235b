public import Results

/// `junit.xml`: one test case per threshold and one for the trial's validity.
public struct JUnitReport: Sendable {
    private let results: RunResults

    public init(_ results: RunResults) { self.results = results }

    public var text: String {
        let manifest = results.manifest
        let thresholds = results.summary.thresholds
        let isValid = manifest.validity.valid
        // The server's end is a failure of the server, whatever the thresholds say.
        let ended = results.summary.outcome == .failed ? results.summary.earlyEnd : nil
        let failures =
            isValid ? thresholds.count { !$0.passed } + (ended == nil ? 0 : 1) : 0
        let reasons = (ended.map { [$0] } ?? []) + manifest.validity.reasons
        let words = Markup.escaped(reasons.joined(separator: "; "))
        let suite = Markup.escaped(manifest.scenario)
        var lines = [
            #"<?xml version="1.0" encoding="UTF-8"?>"#,
            "<testsuites>",
            "  <testsuite name=\"\(suite)\" tests=\"\(thresholds.count + 1)\" "
                + "failures=\"\(failures)\" errors=\"\(isValid ? 0 : 1)\" "
                + "skipped=\"\(isValid ? 0 : thresholds.count)\" "
                + "timestamp=\"\(Markup.escaped(manifest.start))\">",
            "    <testcase classname=\"\(suite)\" name=\"trial is valid\">"
                + (isValid
                    ? ended == nil ? "" : "<failure message=\"\(words)\"/>"
                    : "<error message=\"\(words)\"/>")
                + "</testcase>",
        ]
        for result in thresholds {
            let name = Markup.escaped("\(result.metric): \(result.expression)")
            let observed = result.observed.map { "observed \($0)" } ?? "no data"
            var body = ""
            if !isValid {
                body = "<skipped message=\"the trial is void\"/>"
            } else if !result.passed {
                body = "<failure message=\"\(Markup.escaped(observed))\"/>"
            }
            lines.append(
                "    <testcase classname=\"\(suite)\" name=\"\(name)\">\(body)</testcase>")
        }
        lines += ["  </testsuite>", "</testsuites>"]
        return lines.joined(separator: "\n") + "\n"
    }
}

/// Text inside XML and HTML.
package enum Markup {
    package static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            // Control characters are not allowed in XML 1.0.
            case "\u{FFFE}", "\u{FFFF}",
                _ where scalar.value < 0x20 && scalar != "\n" && scalar != "\t":
                result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
