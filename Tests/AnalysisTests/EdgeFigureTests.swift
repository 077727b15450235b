import Results
import Server
import SimulationKernel
import Testing

@testable import Analysis
@testable import Scenario
@testable import Viewer

/// Checks which figures of edges a run has.
@Suite struct EdgeFigureTests {
    private static let second: Int64 = 1_000_000_000

    /// Returns a record with two viewers at an edge and two at the origin; `links` are the links of
    /// these groups, in this order.
    private static func record(links: [String]) throws -> TrialRecord {
        let scenario = try TrialScenario.parse(
            """
            version: 1
            name: t
            stack: {edges: {count: 1, wan: {delay: 20ms}}}
            streams: [{name: cam, renditions: [{name: a, source: {synthetic: {fps: 10, bitrate: 800kbps}}}]}]
            capture: {enabled: false}
            viewers:
              - {protocol: hls, count: 2, probes: 0, link: {down: \(links[0])}}
              - {protocol: hls, count: 2, probes: 0, via: origin, link: {down: \(links[1])}}
            """)
        let window = Window(startNanoseconds: 0, endNanoseconds: 100 * second)
        let plan = Plan(scenario)
        var record = TrialRecord(
            setup: TrialSetup(scenario), plan: plan, manifest: Manifest(), window: window,
            startNanoseconds: 0)
        record.hls = plan.viewers.indices.map { index in
            var report = HLSViewerReport(index: index)
            report.askedAtNanoseconds = second
            report.bitrates = [800]
            report.renditionNames = ["cam_a"]
            (report.requests.segments, report.mediaBytes) = (2, 1500)
            let far = plan.viewers[index].edge == nil ? 40.0 : 0
            report.segments = (3..<5).map { number in
                var record = HLSSegmentRecord(
                    sequence: number, mediaTime: 0, rendition: 0, requested: 6000,
                    transferTime: 10 + far, bytes: 1000, bufferBefore: 0, bufferAfter: 0)
                (record.timeToFirstByte, record.size) = (1, 1000)
                return record
            }
            // Every session abandoned the second segment.
            (report.segments[1].bytes, report.segments[1].isCut) = (500, true)
            return report
        }
        var status = EdgeStatus(origin: "")
        status.kinds[EdgeKind.segment.rawValue, default: .init()].originRequests = 2
        status.kinds[EdgeKind.segment.rawValue, default: .init()].originBytes = 2000
        record.edges = [.init(name: "edge-0", status: status)]
        return record
    }

    @Test func likeGroups() throws {
        let summary = try #require(
            EdgeFigures(record: try Self.record(links: ["20Mbps", "20Mbps"])).summary)
        #expect(try abs(#require(summary.fetchSavedMilliseconds) - 40) < 0.5)
        // A segment that all viewers abandoned counts with its full size.
        #expect(summary.wanRatio == 1 && summary.requestsPerSegment == 1)
        #expect(summary.withheld == nil)
    }

    @Test func unlikeGroups() throws {
        let record = try Self.record(links: ["20Mbps", "3Mbps"])
        let summary = try #require(EdgeFigures(record: record).summary)
        #expect(summary.fetchSavedMilliseconds == nil && summary.originFetchMilliseconds != nil)
        #expect(summary.withheld?.count == 1)
        #expect(
            !EdgeFigures(record: record).samples.contains { $0.metric == .fetchSavedMilliseconds })
    }

    @Test func parts() throws {
        var record = try Self.record(links: ["20Mbps", "20Mbps"])
        for index in record.hls.indices {
            (record.hls[index].requests.parts, record.hls[index].partBytes) = (3, 600)
        }
        let summary = try #require(EdgeFigures(record: record).summary)
        #expect(summary.wanRatio == nil && summary.requestsPerSegment == nil)
        #expect(summary.withheld?.first?.contains("parts") == true)
        #expect(!EdgeFigures(record: record).samples.contains { $0.metric == .wanSegmentRatio })
        let direct = EdgeFigures(record: record).rows.filter { $0.edge == EdgeRow.direct }
        #expect(direct.map(\.kind) == ["segment", "part"])
        #expect(direct.map(\.originBytes) == [1800, 1200])
    }
}
