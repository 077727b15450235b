public import Results
import Statistics

/// A capacity search as text; the verdict comes last.
public struct SearchReport {
    private let summary: SearchSummary

    public init(_ summary: SearchSummary) { self.summary = summary }

    public var text: String {
        let sections = [head, goals, searches, sweep, scaling, calibration, notes, verdict]
        return sections.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private var head: String {
        let range =
            "\(summary.words(load: Double(summary.lowest))) to "
            + summary.words(load: Double(summary.highest))
        return """
            SEARCHED  \(summary.scenario): \(summary.vary) from \(range)
              run \(summary.runID), stack \(summary.driver), \
            \(Figure.count(summary.trials.count, "trial")), \
            \(summary.trials.count { $0.voidReason != nil }) of them void
            \(method)
            """
    }

    private var method: String {
        guard let method = summary.method else { return "" }
        func seconds(_ value: Double) -> String { "\(Figure.short(value, digits: 3)) s" }
        return "  each trial: warm-up \(seconds(method.warmupS)), window "
            + "\(seconds(method.initialS)) first and \(seconds(method.finalS)) to confirm, drain "
            + "\(seconds(method.drainS)); \(seconds(method.sumS)) make a load a bound; width "
            + "\(Figure.percent(method.width)) of the upper bound\n"
    }

    private var goals: String {
        var table = TextTable(
            header: ["goal", "must hold", "time that may be bad"], leftColumns: [0, 1])
        for goal in summary.goals {
            table.rows.append([
                goal.name, goal.thresholds.joined(separator: " and "),
                Figure.percent(goal.exceedRatio),
            ])
        }
        return "GOALS\n" + table.text
    }

    // MARK: Bounds

    private var searches: String {
        let blocks = summary.searches.indices.compactMap { block($0) }
        return "CAPACITY (RFC 9971: the relevant lower bound of each goal)\n" + blocks.joined()
    }

    private func block(_ index: Int) -> String? {
        let search = summary.searches[index]
        guard !search.bounds.isEmpty else { return nil }
        var text = ""
        if !search.value.isEmpty {
            text +=
                "  \(summary.sweptNoun) \(search.value), search \(search.repetition)"
                + "\(endWords(search.end))\n"
        } else if !endWords(search.end).isEmpty {
            text += "  the search ended\(endWords(search.end))\n"
        }
        for bound in search.bounds { text += "  \(bound.goal): \(words(bound, of: index))\n" }
        if let line = busiest(index) { text += "  \(line)\n" }
        return text
    }

    private func endWords(_ end: String) -> String {
        switch end {
        case "budget": ", before its time: the budget was spent (--budget)"
        case "trials": ", before its time: there were too many trials"
        case "interrupted": ", interrupted"
        default: ""
        }
    }

    private func words(_ bound: SearchSummary.Bound, of search: Int) -> String {
        guard let lower = bound.lowerBound else { return noCapacity(bound, of: search) }
        var words = "capacity \(load(lower)) (lower bound \(number(Double(lower)))"
        if let upper = bound.upperBound {
            words +=
                ", upper bound \(number(Double(upper)))"
                + (bound.generatorLimited ? ", which is the generators' limit" : "")
        } else if bound.noUpperBound {
            words += ", no upper bound: the highest load is good, so raise 'to'"
        } else {
            words += ", upper bound not reached"
        }
        if let rate = bound.conditionalThroughputMbps {
            words += "; conditional throughput \(Figure.number(rate)) Mbit/s"
        }
        words += "), irregular: \(irregularity(bound))"
        return words + (bound.confirmed ? "" : "; PRELIMINARY, not confirmed by the final trials")
    }

    private func noCapacity(_ bound: SearchSummary.Bound, of search: Int) -> String {
        let upper = load(bound.upperBound)
        if bound.generatorLimited {
            let reason = summary.trials.last { trial in
                trial.search == search && trial.load == bound.upperBound && trial.voidReason != nil
            }?.voidReason
            let words = "no capacity, because no trial with \(upper) was valid"
            return reason.map { "\(words) (\($0))" } ?? words
        }
        return bound.belowLowest
            ? "no capacity, because even the lowest load, \(upper), is bad"
            : "no capacity is known"
    }

    /// Why a result is irregular: RFC 9971 calls a result regular if both bounds exist and its
    /// conditions for stopping hold. A bad load below a good one is told as well.
    private func irregularity(_ bound: SearchSummary.Bound) -> String {
        var reasons: [String] = []
        if bound.irregular { reasons.append("a bad load lies below a good one") }
        if bound.upperBound == nil { reasons.append("no load was bad") }
        if bound.generatorLimited { reasons.append("the upper bound is not the server's") }
        if !bound.confirmed { reasons.append("the bounds are preliminary") }
        return reasons.isEmpty ? "no" : "yes, " + reasons.joined(separator: ", and ")
    }

    private func load(_ load: Int?) -> String {
        load.map { summary.words(load: Double($0)) } ?? "–"
    }

    /// The server's resources at the upper bound or, if there is none, at the capacity.
    private func busiest(_ index: Int) -> String? {
        let search = summary.searches[index]
        for (place, load) in [("upper", search.limit), ("lower", search.capacity)] {
            guard let load,
                let trial = summary.verdicts(ofSearch: index, load: load).last,
                let percent = trial.serverCPUPercent
            else { continue }
            return "at the \(place) bound, \(self.load(load)): server "
                + "\(Figure.number(percent)) % of a core"
                + (trial.busiest.map { ", busiest thread \($0)" } ?? "")
        }
        return nil
    }

    // MARK: Sweep

    private var sweep: String {
        guard !summary.points.isEmpty else { return "" }
        var table = TextTable(
            header: [summary.sweptNoun, "capacity", "interval", "searches", "server CPU %"],
            leftColumns: [0])
        for value in sweptValues {
            guard let point = summary.points.first(where: { $0.value == value }) else {
                table.rows.append([value, "none", "–", "0", "–"])
                continue
            }
            table.rows.append([
                point.value, summary.words(load: point.capacity),
                "\(number(point.low)) … \(number(point.high))", "\(point.searches)",
                Figure.number(point.serverCPUPercent),
            ])
        }
        return
            "SWEEP over \(summary.sweptKey) (all goals together; the interval is of 95 % over the "
            + "bounds of the searches or, of one search, its bounds)\n" + table.text
            + (summary.points.contains { Int($0.value) == nil } ? sentences : recommendation)
    }

    /// The values of the sweep in its order, those without a capacity too.
    private var sweptValues: [String] {
        var seen: Set<String> = []
        return summary.searches.map(\.value).filter { seen.insert($0).inserted }
    }

    /// A sentence for each value of a sweep that is not over numbers.
    private var sentences: String {
        summary.points.map { sentence($0, with: $0.value) }.joined()
    }

    /// What the machine carries with one value of the sweep.
    private func sentence(_ point: SearchSummary.Point, with words: String) -> String {
        "  With \(words) this machine carries \(isOpen(point) ? "at least " : "")"
            + "\(summary.words(load: point.capacity)) at \(goalWords) (interval "
            + "\(number(point.low)) to \(number(point.high))\(doubt(point))).\n"
    }

    /// Whether the server's own limit was not reached in a search for this value.
    private func isOpen(_ point: SearchSummary.Point) -> Bool {
        summary.searches.contains {
            $0.value == point.value && $0.capacity != nil && $0.isOpen
        }
    }

    private func doubt(_ point: SearchSummary.Point) -> String {
        let isPreliminary = summary.searches.contains {
            $0.value == point.value && $0.capacity != nil
                && $0.bounds.contains { !$0.confirmed }
        }
        return isPreliminary ? ", preliminary" : ""
    }

    private func number(_ load: Double) -> String {
        summary.variesBitrate
            ? Figure.short(load / 1e6, digits: 3)
            : Figure.number(load, digits: load == load.rounded() ? 0 : 1)
    }

    private var recommendation: String {
        guard let value = summary.recommended,
            let point = summary.points.first(where: { $0.value == value })
        else { return "" }
        let noun = summary.sweptNoun
        let first = sentence(
            point, with: "\(value) \(value == "1" && noun == "threads" ? "thread" : noun)")
        let larger = summary.points.filter { (Int($0.value) ?? 0) >= (Int(value) ?? 0) }
        guard !larger.contains(where: isOpen) else {
            return first
                + "  Whether more \(noun) pay is not known, because some searches did not reach the "
                + "limit of the server.\n"
        }
        return first
            + (larger.count > 1
                ? "  Beyond \(value), more \(noun) stop paying: no larger value is better by "
                    + "more than the intervals.\n"
                : "  Every larger value paid until the end of the sweep; a longer sweep may find "
                    + "more.\n")
    }

    /// The goals in a sentence, delays first, such as `p99 < 50 ms and frames_missing count==0`.
    private var goalWords: String {
        let thresholds = summary.goals.flatMap(\.thresholds)
        let delays = thresholds.compactMap(delayWords)
        let others = thresholds.filter { delayWords($0) == nil }
        return (delays + others).joined(separator: " and ")
    }

    /// A limit of a percentile of the delay as people write it; nil if the threshold is another.
    private func delayWords(_ threshold: String) -> String? {
        let parts = threshold.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].hasPrefix("delay_ms"), parts[1].hasPrefix("p("),
            let close = parts[1].firstIndex(of: ")")
        else { return nil }
        let percentile = parts[1][..<close].dropFirst(2)
        let condition = parts[1][parts[1].index(after: close)...].drop { $0 == " " }
        guard condition.first == "<" else { return nil }
        let sign = condition.hasPrefix("<=") ? "≤" : "<"
        return "p\(percentile) \(sign) \(condition.drop { "<= ".contains($0) }) ms"
    }

    private var scaling: String {
        guard let scaling = summary.scaling else { return "" }
        func words(_ estimate: SearchSummary.Estimate, _ digits: Int) -> String {
            "\(Figure.number(estimate.value, digits: digits)) "
                + "(\(Figure.number(estimate.low, digits: digits)) … "
                + "\(Figure.number(estimate.high, digits: digits)))"
        }
        let peak =
            scaling.peak.map { "at \(words($0, 1)) \(summary.sweptNoun)" }
            ?? "no peak inside the sweep"
        return """
            SCALING (Universal Scalability Law; in brackets 95 % intervals)
              capacity of one        \(words(scaling.lambda, 1))
              contention (sigma)     \(words(scaling.contention, 4))
              coherency (kappa)      \(words(scaling.coherency, 5))
              peak                   \(peak)
              R squared              \(Figure.number(scaling.rSquared, digits: 3))

            """
    }

    // MARK: The rest

    private var calibration: String {
        guard !summary.calibrations.isEmpty else { return "" }
        var table = TextTable(
            header: ["load", "delay p99 ms", "generators' CPU %", "verdict"],
            leftColumns: [0, 3])
        for calibration in summary.calibrations {
            table.rows.append([
                summary.words(load: Double(calibration.load)),
                Figure.number(calibration.delayP99Ms, digits: 2),
                Figure.number(calibration.generatorCPUPercent),
                calibration.voidReason.map { "void: \($0)" } ?? "the generators carry it",
            ])
        }
        return "CALIBRATION (the generators without the server under test)\n" + table.text
    }

    private var notes: String {
        let voids = Set(summary.trials.compactMap(\.voidReason)).sorted().prefix(3)
        let failures = Set(summary.trials.compactMap(\.failure)).sorted().prefix(3)
        let lines =
            voids.map { "void trials: \($0)" } + failures.map { "bad trials: \($0)" }
            + summary.notes
        return lines.isEmpty ? "" : "NOTES\n" + lines.map { "  \($0)\n" }.joined()
    }

    /// What a reader of the capacity alone must know; empty if nothing.
    private func reservations(_ search: SearchSummary.Search) -> String {
        var words: [String] = []
        if search.bounds.contains(where: { !$0.confirmed }) { words.append("not confirmed") }
        if search.bounds.contains(where: \.generatorLimited) {
            words.append("limited by the generators")
        }
        // Of several goals, the one with the smallest capacity counts.
        let isOpen = search.bounds.allSatisfy { $0.upperBound == nil }
        if isOpen { words.append("no load of the search was bad") }
        return words.isEmpty ? "" : " (" + words.joined(separator: "; ") + ")"
    }

    private var verdict: String {
        switch summary.outcome {
        case "complete":
            guard summary.searches.count == 1, let search = summary.searches.first else {
                let doubtful = summary.searches.count { !reservations($0).isEmpty }
                return "FOUND  a capacity for each of \(summary.searches.count) searches"
                    + (doubtful > 0 ? "; \(doubtful) of them with reservations, above\n" : "\n")
            }
            let interval = search.limit.map { limit in
                " (interval \(number(Double(search.capacity ?? 0))) to \(number(Double(limit))))"
            }
            return "FOUND  \(load(search.capacity)) at \(goalWords)\(interval ?? "")"
                + "\(reservations(search))\n"
        case "void":
            let reason = summary.trials.compactMap(\.voidReason).first
            return "VOID  every trial was void: \(reason ?? "the generators are the limit")\n"
        case "interrupted":
            return "INTERRUPTED  what is known is above; 'millrace search --resume' goes on\n"
        case "running": return "UNFINISHED  'millrace search --resume' goes on\n"
        default: return "INCONCLUSIVE  a search has no lower bound\n"
        }
    }
}
