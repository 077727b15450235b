import Results
import Statistics
import Viewer

/// Under a load that grows: how many viewers the way they take has carried.
extension ResultsAssembly {
    /// Length of the intervals that are judged, nanoseconds.
    private static let intervalNanoseconds: Int64 = 5_000_000_000

    /// By way; nil unless the server's uplink is limited, for else the viewers' links would be
    /// taken for the server's.
    var capacity: [CapacityFigure]? {
        guard scenario.stack.uplink != nil, !hls.isEmpty else { return nil }
        return [
            capacity(.edge, of: hls.filter { viewerPlan($0.index).edge != nil }),
            capacity(.origin, of: hls.filter { viewerPlan($0.index).edge == nil }),
        ].compactMap { $0 }
    }

    /// An interval holds where the median fetch takes no longer than the segment lasts, and half
    /// the segments that are due come at all.
    private func capacity(_ via: ViewerGroup.Via, of mine: [HLSViewerReport]) -> CapacityFigure? {
        guard !mine.isEmpty, let hls = scenario.stack.hls else { return nil }
        let length = Self.intervalNanoseconds
        var times: [Int: DelayHistogram] = [:]
        for report in mine {
            for record in report.segments where record.abandonedFor == nil {
                let asked = (report.askedAtNanoseconds ?? 0) + Int64(record.requested * 1e6)
                let wait = (record.timeToFirstByte ?? 0) + record.transferTime
                times[Int((asked - startNanoseconds) / length), default: .init()]
                    .record(nanoseconds: Int64(wait * 1e6))
            }
        }
        var figure = CapacityFigure(via: via.rawValue)
        let last = Int((window.endNanoseconds - startNanoseconds) / length)
        for interval in 0..<max(0, last) {
            let from = startNanoseconds + Int64(interval) * length
            // Those who were there for the whole of it and had time to begin.
            let present = mine.count { report in
                guard let asked = report.askedAtNanoseconds else { return false }
                return asked + length <= from
                    && (report.endedAtNanoseconds ?? .max) >= from + length
            }
            guard present > 0 else { continue }
            let due = Double(present) * Double(length) / Double(hls.segment.nanoseconds)
            let median = times[interval]?.milliseconds(atPercentile: 50)
            let came = Double(times[interval]?.count ?? 0)
            let limit = Double(hls.segment.nanoseconds) / 1e6
            guard let median, median <= limit, came >= due / 2 else {
                figure.brokenViewers = present
                figure.brokenSeconds = Double(from - startNanoseconds) / 1e9
                figure.brokenFetchMilliseconds = median
                break
            }
            figure.sustainedViewers = max(figure.sustainedViewers, present)
        }
        return figure
    }

    var capacitySamples: [MetricSample] {
        (capacity ?? []).map {
            MetricSample(
                metric: .sustainedViewers, tags: ["via": $0.via],
                value: .number(Double($0.sustainedViewers)))
        }
    }
}
