import Glibc
import Results
import Statistics

/// The progress of a search on standard error: on a terminal one line that is overwritten,
/// elsewhere a line after each trial.
struct SearchProgress {
    private let isTerminal = isatty(2) == 1
    private let isQuiet: Bool
    private var hasOpenLine = false

    init(quiet: Bool) { isQuiet = quiet }

    /// Shows the bracket of each goal.
    ///
    /// - Parameters:
    ///   - search: Index of the search that runs.
    ///   - load: Load of the trial that runs; nil = a trial has just ended.
    mutating func show(
        _ summary: SearchSummary, search: Int, running load: String?, spentSeconds: Double
    ) {
        guard !isQuiet, isTerminal || load == nil else { return }
        let line = Self.line(summary, search: search, running: load, spentSeconds: spentSeconds)
        put(isTerminal ? "\r\u{1B}[K\(line)" : line + "\n")
        hasOpenLine = isTerminal
    }

    mutating func say(_ line: String) {
        guard !isQuiet else { return }
        put((hasOpenLine ? "\n" : "") + line + "\n")
        hasOpenLine = false
    }

    /// Ends the line that would be overwritten.
    mutating func end() {
        if hasOpenLine { put("\n") }
        hasOpenLine = false
    }

    static func line(
        _ summary: SearchSummary, search: Int, running load: String?, spentSeconds: Double
    ) -> String {
        let own = summary.searches.indices.contains(search) ? summary.searches[search] : nil
        var parts: [String] = []
        if let own, !own.value.isEmpty {
            let number = own.repetition > 1 ? " (repeat \(own.repetition))" : ""
            parts.append("\(summary.sweptNoun) \(own.value)\(number)")
        }
        let bounds = own?.bounds ?? []
        let several = bounds.count > 1
        parts += bounds.map { (several ? "\($0.goal) " : "") + bracket($0, summary) }
        let trials = summary.trials.count { $0.search == search }
        let tail =
            "\(Figure.count(trials, "trial")), \(words(seconds: spentSeconds)) of \(words(seconds: summary.budgetS))"
        parts.append(tail + (load.map { ", now \($0)" } ?? ""))
        return parts.joined(separator: " ")
    }

    private static func bracket(
        _ bound: SearchSummary.Bound, _ summary: SearchSummary
    ) -> String {
        func words(_ load: Int) -> String {
            summary.variesBitrate ? summary.words(load: Double(load)) : "\(load)"
        }
        let low = bound.lowerBound.map { "\(words($0)) ok" } ?? "none ok"
        let bad = bound.generatorLimited ? "void" : "bad"
        let high = bound.upperBound.map { "\(words($0)) \(bad)" } ?? "none bad"
        return "[\(low) … \(high)]"
    }

    private static func words(seconds: Double) -> String {
        let whole = Int(max(0, min(1e9, seconds.rounded())))
        if whole < 60 { return "\(whole) s" }
        return "\(whole / 60) m" + (whole % 60 == 0 ? "" : " \(whole % 60) s")
    }

    private func put(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(2, bytes, bytes.count)
    }
}
