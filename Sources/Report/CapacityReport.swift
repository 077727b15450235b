import Results
import Statistics

/// Table of the number of viewers that a limited uplink carried, by way.
struct CapacityReport {
    private let figures: [CapacityFigure]

    init(_ figures: [CapacityFigure]) { self.figures = figures }

    /// Text of the table; empty unless the server's uplink was limited.
    var text: String {
        let lines = figures.map { figure -> String in
            let held = "  via \(figure.via): held with \(figure.sustainedViewers) viewers"
            guard let broken = figure.brokenViewers else { return held + ", and never broke\n" }
            let fetch = figure.brokenFetchMilliseconds.map { Figure.number($0 / 1000) + " s" }
            return held + ", broke with \(broken) at \(Figure.number(figure.brokenSeconds)) s "
                + "(\(Figure.percent(figure.brokenShare)) of the segments due, median "
                + "\(fetch ?? "never"))\n"
        }
        return lines.isEmpty
            ? ""
            : "CAPACITY (whole run, 5 s steps; held = four of five segments due are fetched, half of "
                + "them within their own duration)\n" + lines.joined()
    }
}
