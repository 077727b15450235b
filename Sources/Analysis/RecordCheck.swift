import Publisher
import Results
import Scenario
import SimulationKernel
import Statistics
import Viewer

/// Why a record is not one that a trial wrote.
package struct RecordFault: Error, CustomStringConvertible {
    package var description: String

    init(_ description: String) { self.description = description }
}

/// A record may come from a stranger. The figures use its numbers as indices, add them and divide
/// by them, so everything of that kind is checked here once.
extension TrialRecord {
    /// Largest number of sessions of one kind.
    private static let sessionLimit = 1_000_000
    /// Largest number of rows of the accounting, and the largest memory of a process, 1 TiB.
    private static let rowLimit = 8_000_000
    private static let memoryLimit = 1 << 40
    /// Longest window: 31 days.
    private static let longestWindowNanoseconds: Int64 = 2_678_400_000_000_000

    /// - Throws: `RecordFault` with the first part that does not fit the others.
    package func check() throws(RecordFault) {
        guard (0...Self.longestWindowNanoseconds).contains(window.lengthNanoseconds) else {
            throw RecordFault("the window's end does not follow its start within 31 days")
        }
        try checkPlan()
        try checkSessions()
        for count in [
            streams.count, edges.count, wire.subscribers.count, wire.http.count,
            wire.edgeHTTP.count,
        ] where count > Self.sessionLimit {
            throw RecordFault("a list of the record has \(count) entries")
        }
        let rows = usage?.rows ?? []
        guard rows.count <= Self.rowLimit, rows.allSatisfy({ $0.rssBytes ?? 0 <= Self.memoryLimit })
        else { throw RecordFault("the accounting has too many rows, or too much memory in one") }
        for stream in streams where stream.windowLastFrame ?? 0 == .max {
            throw RecordFault("stream \(stream.streamID) has a last frame without a next one")
        }
        let counts = histograms.reduce(0) { $0 + $1.count }
        guard counts <= Int(UInt32.max) else {
            throw RecordFault("the delays are more than \(UInt32.max) in all")
        }
    }

    private func checkPlan() throws(RecordFault) {
        for (place, viewer) in plan.viewers.enumerated() {
            guard viewer.index == place, plan.adaptive.indices.contains(viewer.group),
                viewer.link.map({ plan.links.indices.contains($0.link) }) ?? true,
                viewer.watchNanoseconds.allSatisfy({
                    (0...Self.longestWindowNanoseconds).contains($0)
                }), viewer.watchNanoseconds.count <= Self.sessionLimit
            else { throw RecordFault("viewer \(place) of the plan does not fit the plan") }
        }
        for publisher in plan.publishers where publisher.encoded?.framesPerSecond ?? 1 < 1 {
            throw RecordFault("the rendition \(publisher.rendition) has no frame rate")
        }
        guard setup.segmentNanoseconds ?? 1 > 0 else {
            throw RecordFault("the segments have no length")
        }
    }

    private func checkSessions() throws(RecordFault) {
        for indices in [load.map(\.index), probes.map(\.index), hls.map(\.index)] {
            guard indices.count <= Self.sessionLimit,
                indices.allSatisfy({
                    $0 >= 0 && plan.viewers.indices.contains($0 % Plan.sessionStride)
                })
            else { throw RecordFault("a report is of a viewer that the plan does not have") }
        }
        for report in hls {
            let known = min(report.renditionNames.count, report.bitrates.count)
            guard report.segments.allSatisfy({ (0..<known).contains($0.rendition) }) else {
                throw RecordFault(
                    "viewer \(report.index) requested a rendition that its playlist does not have")
            }
        }
    }

    /// Every distribution of the record; their counts are added up.
    private var histograms: [DelayHistogram] {
        var all = [publisherLateness, probeLag, viewerLag]
        all += [live.publisherLateness, live.probeLag, live.viewerLag]
        all += live.probeDelay.values
        for delays in wire.relayDelay.values { all += delays.values }
        if let links { all.append(links.releaseLateness) }
        for report in probes { all += [report.delay, report.uncorrectedDelay] }
        for rendition in hls.compactMap(\.probe).flatMap(\.renditions) {
            all += [rendition.published, rendition.delay, rendition.uncorrectedDelay]
        }
        return all
    }
}

extension HLSViewerReport {
    /// Time of a segment's request on the monotonic clock, nanoseconds.
    func requestNanoseconds(_ request: HLSSegmentRecord) -> Int64 {
        (askedAtNanoseconds ?? 0) + Int64(clampingNanoseconds: request.requested * 1e6)
    }
}
