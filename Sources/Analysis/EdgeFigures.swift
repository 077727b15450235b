import Results
import Scenario
import Server
import SimulationKernel
import Statistics
import Viewer

/// What the edges did, as the edges and the viewers counted it.
struct EdgeFigures {
    let record: TrialRecord

    var rows: [EdgeRow] {
        var rows: [EdgeRow] = []
        let isNginx = record.setup.edgeDriver == .nginx
        for edge in record.edges {
            for kind in EdgeKind.allCases {
                guard let counts = edge.status.kinds[kind.rawValue] else { continue }
                var row = EdgeRow()
                (row.runID, row.edge, row.kind) = (record.runID, edge.name, kind.rawValue)
                row.requests = counts.requests
                row.hits = counts.hits
                row.misses = counts.misses
                // nginx does not distinguish requests that waited for a fetch from requests that
                // came later.
                row.collapsed = isNginx ? nil : counts.collapsed
                row.failures = counts.failures
                row.clientBytes = counts.clientBytes
                row.originRequests = counts.originRequests
                row.originBytes = counts.originBytes
                row.evictions = isNginx ? nil : counts.evictions
                rows.append(row)
            }
        }
        return rows + directRows
    }

    /// One row for the viewers that connect to the origin directly. Every request and every byte of
    /// these viewers crosses the WAN.
    private var directRows: [EdgeRow] {
        let direct = record.hls.filter { record.viewerPlan($0.index).edge == nil }
        guard !direct.isEmpty else { return [] }
        func row(_ kind: EdgeKind, _ requests: (HLSRequestCounts) -> Int) -> EdgeRow? {
            let count = direct.reduce(0) { $0 + requests($1.requests) }
            guard count > 0 else { return nil }
            var row = EdgeRow()
            (row.runID, row.edge, row.kind) = (record.runID, EdgeRow.direct, kind.rawValue)
            (row.requests, row.originRequests) = (count, count)
            return row
        }
        var rows = [
            row(.playlist, \.playlists), row(.initialization, \.initializations),
            row(.segment, \.segments), row(.part, \.parts),
        ].compactMap { $0 }
        let parts = direct.reduce(0) { $0 + $1.partBytes }
        let bytes = [
            EdgeKind.segment.rawValue: direct.reduce(0) { $0 + $1.mediaBytes } - parts,
            EdgeKind.part.rawValue: parts,
        ]
        for place in rows.indices {
            let own = bytes[rows[place].kind]
            (rows[place].clientBytes, rows[place].originBytes) = (own, own)
        }
        return rows
    }

    /// Notes for readers of the results about viewers that changed edges.
    var notes: [String] {
        let moved = record.hls.filter { $0.requests.failovers > 0 }
        guard !moved.isEmpty else { return [] }
        let moves = moved.reduce(0) { $0 + $1.requests.failovers }
        return [
            "\(moved.count) sessions went to another edge, \(moves) times in all (viewers.csv, failovers)"
        ]
    }

    var summary: EdgeSummary? {
        guard !record.edges.isEmpty else { return nil }
        var summary = EdgeSummary()
        summary.edges = record.edges.count
        for edge in record.edges {
            let counts = edge.status.kinds[EdgeKind.segment.rawValue] ?? .init()
            summary.wanBytes += counts.originBytes
            summary.originRequests += counts.originRequests
        }
        var withheld: [String] = []
        if hasPartsThroughEdges {
            withheld.append(
                "viewers at edges fetched parts: no ratio of WAN bytes or requests to segments"
            )
        } else {
            let distinct = distinctSegments
            summary.distinctSegments = distinct.count
            summary.distinctBytes = distinct.values.reduce(0, +)
        }
        summary.edgeFetchMilliseconds = fetchTimes { $0.edge != nil }.milliseconds(atPercentile: 50)
        summary.originFetchMilliseconds = fetchTimes { $0.edge == nil }
            .milliseconds(atPercentile: 50)
        summary.fetchSavedMilliseconds = fetchSavedMilliseconds
        if summary.fetchSavedMilliseconds == nil, summary.edgeFetchMilliseconds != nil,
            summary.originFetchMilliseconds != nil
        {
            withheld.append(
                "no time saved: no group at the edges and one at the origin agree in stream, "
                    + "rendition or algorithm, and link")
        }
        summary.withheld = withheld.isEmpty ? nil : withheld
        return summary
    }

    private var hasPartsThroughEdges: Bool {
        record.edges.contains { ($0.status.kinds[EdgeKind.part.rawValue]?.requests ?? 0) > 0 }
            || record.hls.contains {
                record.viewerPlan($0.index).edge != nil && $0.requests.parts > 0
            }
    }

    /// Mean over pairs of groups; nil if no pair can be compared.
    private var fetchSavedMilliseconds: Double? {
        let saved = record.setup.pairedGroups.compactMap { pair -> Double? in
            let near = fetchTimes { pair.edge.contains($0.group) }.milliseconds(atPercentile: 50)
            let far = fetchTimes { pair.origin.contains($0.group) }.milliseconds(atPercentile: 50)
            guard let near, let far else { return nil }
            return far - near
        }
        return saved.isEmpty ? nil : saved.reduce(0, +) / Double(saved.count)
    }

    private struct SegmentName: Hashable {
        var stream: String
        var rendition: String
        var sequence: Int
    }

    /// Segments that viewers of any edge requested, with their sizes in bytes. They come from the
    /// viewers' own records, so that the edges' counts are compared with an independent source. A
    /// segment that every viewer gave up counts with its whole size if the server sent the size,
    /// otherwise with the most bytes that one viewer received.
    private var distinctSegments: [SegmentName: Int] {
        var distinct: [SegmentName: Int] = [:]
        for report in record.hls where record.viewerPlan(report.index).edge != nil {
            let stream = record.viewerPlan(report.index).stream
            for request in report.segments {
                let name = SegmentName(
                    stream: stream, rendition: report.renditionNames[request.rendition],
                    sequence: request.sequence
                )
                distinct[name] = max(distinct[name] ?? 0, request.size ?? request.bytes)
            }
        }
        return distinct
    }

    /// Times from request to last byte of segments that were requested in the steady window.
    /// Requests that the server held back and requests that viewers gave up are left out, because
    /// their times do not measure the delivery path.
    private func fetchTimes(_ belongs: (ViewerPlan) -> Bool) -> DelayHistogram {
        var times = DelayHistogram()
        for report in record.hls where belongs(record.viewerPlan(report.index)) {
            for request in report.segments where request.isWhole {
                let asked = report.requestNanoseconds(request)
                guard record.window.contains(asked), let wait = request.timeToFirstByte else {
                    continue
                }
                times.record(
                    nanoseconds: Int64(clampingNanoseconds: (wait + request.transferTime) * 1e6))
            }
        }
        return times
    }

    var samples: [MetricSample] { fetchSamples + originSamples }

    private var fetchSamples: [MetricSample] {
        record.plan.adaptive.indices.filter { record.plan.adaptive[$0] != nil }.compactMap {
            group in
            let times = fetchTimes { $0.group == group }
            guard times.count > 0,
                let viewer = record.plan.viewers.first(where: { $0.group == group })
            else { return nil }
            let via: ViewerGroup.Via = viewer.edge == nil ? .origin : .edge
            return MetricSample(
                metric: .fetchMilliseconds,
                tags: ["group": String(group), "via": via.rawValue],
                value: .distribution(times))
        }
    }

    private var originSamples: [MetricSample] {
        guard let summary else { return [] }
        var samples: [MetricSample] = []
        func add(_ metric: Metric, _ value: Double?, _ tags: [String: String] = [:]) {
            guard let value else { return }
            samples.append(MetricSample(metric: metric, tags: tags, value: .number(value)))
        }
        for row in rows {
            let via: ViewerGroup.Via = row.edge == EdgeRow.direct ? .origin : .edge
            let tags = ["kind": row.kind, "via": via.rawValue]
            add(.originRequests, row.originRequests.map(Double.init), tags)
            add(.wanBytes, row.originBytes.map(Double.init), tags)
        }
        for kind in EdgeKind.allCases {
            var all = EdgeStatus.Counts()
            for edge in record.edges { all += edge.status.kinds[kind.rawValue] ?? .init() }
            add(.edgeHitRatio, all.hitRatio, ["kind": kind.rawValue])
        }
        add(.wanSegmentRatio, summary.wanRatio)
        add(.originRequestsPerSegment, summary.requestsPerSegment)
        add(.fetchSavedMilliseconds, summary.fetchSavedMilliseconds)
        return samples
    }
}
