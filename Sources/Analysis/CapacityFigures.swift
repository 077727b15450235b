import Results
import Scenario
import SimulationKernel
import Statistics
import Viewer

/// Largest number of concurrent viewers sustained while the load grows, per delivery path.
struct CapacityFigures {
    let record: TrialRecord

    /// Length of the intervals that are judged, in nanoseconds.
    private static let intervalNanoseconds: Int64 = 5_000_000_000

    /// One figure for each delivery path. nil unless the server's uplink is limited, because the
    /// limits of the viewers' links would otherwise be taken for the server's.
    var figures: [CapacityFigure]? {
        guard record.setup.limitsUplink, !record.hls.isEmpty else { return nil }
        return [
            capacity(.edge, of: record.hls.filter { record.viewerPlan($0.index).edge != nil }),
            capacity(.origin, of: record.hls.filter { record.viewerPlan($0.index).edge == nil }),
        ].compactMap { $0 }
    }

    /// Smallest share of the segments due in an interval that must be fetched.
    private static let leastShare = 0.8

    /// Returns the figure of one delivery path. An interval is sustained if the viewers that joined
    /// before it fetch four of five segments that are due in it, and half of them in less time than
    /// the segments last. The median alone would describe only the viewers whose connections win.
    private func capacity(_ via: ViewerGroup.Via, of mine: [HLSViewerReport]) -> CapacityFigure? {
        guard !mine.isEmpty, let segment = record.setup.segmentNanoseconds else { return nil }
        let length = Self.intervalNanoseconds
        let limit = Double(segment) / 1e6
        var figure = CapacityFigure(via: via.rawValue)
        let last = Int((record.window.endNanoseconds - record.startNanoseconds) / length)
        for interval in 0..<max(0, last) {
            let from = record.startNanoseconds + Int64(interval) * length
            let present = mine.filter { report in
                guard let asked = report.askedAtNanoseconds else { return false }
                return asked + length <= from
                    && (report.endedAtNanoseconds ?? .max) >= from + length
            }
            guard !present.isEmpty else { continue }
            let times = fetchTimes(of: present, from: from, to: from + length)
            let due = Double(present.count) * Double(length) / Double(segment)
            let median = times.milliseconds(atPercentile: 50)
            guard let median, median <= limit, Double(times.count) >= due * Self.leastShare else {
                figure.brokenViewers = present.count
                figure.brokenSeconds = Double(from - record.startNanoseconds) / 1e9
                figure.brokenFetchMilliseconds = median
                figure.brokenShare = Double(times.count) / due
                break
            }
            figure.sustainedViewers = max(figure.sustainedViewers, present.count)
        }
        return figure
    }

    private func fetchTimes(
        of viewers: [HLSViewerReport], from: Int64, to end: Int64
    ) -> DelayHistogram {
        var times = DelayHistogram()
        for report in viewers {
            for request in report.segments where request.isWhole {
                let asked = report.requestNanoseconds(request)
                guard asked >= from, asked < end else { continue }
                let wait = (request.timeToFirstByte ?? 0) + request.transferTime
                times.record(nanoseconds: Int64(clampingNanoseconds: wait * 1e6))
            }
        }
        return times
    }

    var samples: [MetricSample] {
        (figures ?? []).map {
            MetricSample(
                metric: .sustainedViewers, tags: ["via": $0.via],
                value: .number(Double($0.sustainedViewers)))
        }
    }
}
