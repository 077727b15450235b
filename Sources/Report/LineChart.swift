import Foundation
import Statistics

/// A line chart as inline SVG; its colours come from the page's style sheet.
struct LineChart {
    struct Series {
        var name: String
        var points: [(x: Double, y: Double)]
    }

    /// Scale of the horizontal axis.
    enum Axis {
        case linear
        /// Scale 1/(1−p): each nine takes the same width, as in HdrHistogram plots.
        case percentile
    }

    var title: String
    var xLabel: String
    var yLabel: String
    var axis = Axis.linear
    var series: [Series]
    /// Shaded part of the horizontal axis, such as the steady window.
    var band: ClosedRange<Double>?

    private let width = 860.0
    private let height = 300.0
    private let left = 64.0
    private let right = 16.0
    private let top = 16.0
    private let bottom = 44.0

    static let percentiles: [Double] = [0, 50, 90, 99, 99.9, 99.99]

    var svg: String {
        let drawn = series.filter { !$0.points.isEmpty }
        guard !drawn.isEmpty else { return "" }
        let xs = drawn.flatMap { $0.points.map { place($0.x) } }
        let xLow = axis == .percentile ? 0 : min(0, xs.min() ?? 0)
        let xHigh = max(xs.max() ?? 1, xLow + 1e-9)
        let yTicks = Self.ticks(to: drawn.flatMap { $0.points.map(\.y) }.max() ?? 1)
        let yHigh = yTicks.last ?? 1
        func x(_ value: Double) -> Double {
            left + (place(value) - xLow) / (xHigh - xLow) * (width - left - right)
        }
        func y(_ value: Double) -> Double {
            height - bottom - value / yHigh * (height - top - bottom)
        }
        var parts: [String] = []
        if let band {
            let start = x(max(band.lowerBound, xLow))
            let end = x(min(band.upperBound, xHigh))
            parts.append(
                "<rect class=\"band\" x=\"\(f(start))\" y=\"\(f(top))\" "
                    + "width=\"\(f(max(0, end - start)))\" height=\"\(f(height - top - bottom))\"/>"
            )
        }
        for tick in yTicks {
            parts.append(
                "<line class=\"grid\" x1=\"\(f(left))\" x2=\"\(f(width - right))\" "
                    + "y1=\"\(f(y(tick)))\" y2=\"\(f(y(tick)))\"/>"
                    + text(
                        Figure.number(tick, digits: yHigh < 2 ? 2 : yHigh < 20 ? 1 : 0),
                        left - 8, y(tick) + 4, anchor: "end"))
        }
        let xTicks = axis == .percentile ? Self.percentiles : Self.ticks(to: xHigh)
        for tick in xTicks where place(tick) <= xHigh * 1.0001 {
            let name =
                axis == .percentile
                ? "\(tick == tick.rounded() ? "\(Int(tick))" : "\(tick)") %"
                : Figure.number(tick, digits: 0)
            parts.append(text(name, x(tick), height - bottom + 18, anchor: "middle"))
        }
        for (index, line) in drawn.enumerated() {
            let points = line.points.map { "\(f(x($0.x))),\(f(y($0.y)))" }.joined(separator: " ")
            parts.append(
                "<polyline class=\"s\(index % 8)\(index >= 8 ? " dashed" : "")\" points=\"\(points)\">"
                    + "<title>\(Markup.escaped(line.name))</title></polyline>")
        }
        parts.append(text(xLabel, (left + width - right) / 2, height - 6, anchor: "middle"))
        parts.append(
            "<text class=\"axis\" text-anchor=\"middle\" transform=\"translate(14 "
                + "\(f((top + height - bottom) / 2))) rotate(-90)\">\(Markup.escaped(yLabel))</text>"
        )
        return "<svg viewBox=\"0 0 \(Int(width)) \(Int(height))\" role=\"img\" aria-label=\""
            + "\(Markup.escaped(title))\">\(parts.joined(separator: "\n"))</svg>"
    }

    /// Names of the lines with their colours.
    var legend: String {
        series.filter { !$0.points.isEmpty }.enumerated().map { index, line in
            "<span class=\"key\"><i class=\"b\(index % 8)\(index >= 8 ? " dashed" : "")\"></i>"
                + "\(Markup.escaped(line.name))</span>"
        }.joined()
    }

    private func place(_ value: Double) -> Double {
        guard axis == .percentile else { return value }
        return -log10(max(1e-5, 1 - value / 100))
    }

    private func text(_ text: String, _ x: Double, _ y: Double, anchor: String) -> String {
        "<text class=\"axis\" x=\"\(f(x))\" y=\"\(f(y))\" text-anchor=\"\(anchor)\">"
            + "\(Markup.escaped(text))</text>"
    }

    private func f(_ value: Double) -> String { Figure.short(value, digits: 1) }

    /// Returns round values from 0 to at least `high`.
    static func ticks(to high: Double) -> [Double] {
        guard high > 0, high.isFinite else { return [0, 1] }
        let rough = high / 5
        let power = pow(10, floor(log10(rough)))
        let step = [1, 2, 5, 10].map { $0 * power }.first { $0 >= rough } ?? rough
        return (0...Int((high / step).rounded(.up))).map { Double($0) * step }
    }
}
