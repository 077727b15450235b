import Foundation
import Glibc
import Netem
import Report
import Results
import Server
import Testing
import Viewer

@testable import Harness

/// Edges in scenarios and trials.
@Suite struct EdgeScenarioTests {
    @Test func viewersTakeTurns() throws {
        let path = try #require(ScenarioTests.files("good").first { $0.hasSuffix("/edges.yml") })
        let scenario = try Scenario.load(path: path)
        let plan = Plan(scenario)
        #expect(
            plan.processes.filter { $0.role == .edge }.map(\.name) == [
                "edge-0", "edge-1", "edge-2",
            ])
        func edges(_ group: Int) -> [Int?] {
            plan.viewers.filter { $0.group == group }.map(\.edge)
        }
        #expect(edges(0) == [0, 1, 2, 0] && edges(3) == [1, 2])
        #expect(edges(1).allSatisfy { $0 == nil } && edges(4).allSatisfy { $0 == nil })
        // Who goes straight to the origin crosses the WAN.
        let near = try #require(plan.links[0].socket)
        let far = try #require(plan.links[1].socket)
        let bare = try #require(plan.links[2].socket)
        #expect(near.delay.nanoseconds == 2_000_000 && far.delay.nanoseconds == 22_000_000)
        #expect(near.periods[0].bitsPerSecond == 20_000_000)
        #expect(far.periods[0].bitsPerSecond == 10_000_000)
        #expect(bare.delay.nanoseconds == 20_000_000)
        #expect(bare.periods[0].bitsPerSecond == 10_000_000 && plan.links[2].name == "wan")
        var endpoints = StackEndpoints(
            rtmpHost: "127.0.0.1", rtmpPort: 1, application: "live",
            hlsURL: "http://127.0.0.1:9/hls/live/{stream}/master.m3u8")
        endpoints.edgeURLs = (0..<3).map { "http://127.0.0.1:1\($0)/hls/live/{stream}/master.m3u8" }
        let process = try #require(plan.processes.first { $0.role == .hls })
        for spec in plan.hlsSpecs(process, endpoints) {
            let port = plan.viewers[spec.index].edge.map { "1\($0)" } ?? "9"
            #expect(spec.url == "http://127.0.0.1:\(port)/hls/live/cam/master.m3u8")
        }
    }
}

@Suite struct EdgeReportTests {
    @Test func edgesAreInEveryReport() {
        var results = ReportTests.results()
        #expect(!SummaryReport(results).text.contains("EDGES"))
        var row = EdgeRow()
        (row.edge, row.kind, row.requests, row.originBytes) = (
            "edge-<0>", "segment", 248, 7_085_449
        )
        results.edges = [row]
        var summary = EdgeSummary()
        (summary.edges, summary.distinctSegments, summary.distinctBytes) = (2, 25, 1000)
        (summary.wanBytes, summary.originRequests) = (2000, 50)
        (summary.edgeFetchMilliseconds, summary.originFetchMilliseconds) = (120, 160)
        results.summary.edges = summary
        var figure = CapacityFigure(via: "origin")
        figure.sustainedViewers = 37
        results.summary.capacity = [figure]
        let text = SummaryReport(results).text
        for words in [
            "edge-<0>", "7.1 MB", "100.0 % of segments × edges", "2.00 origin requests a segment",
            "40.0 ms saved", "via origin: held with 37 viewers, and never broke",
        ] { #expect(text.contains(words), "\(words) in \(text)") }
        let page = HTMLReport(results).text
        #expect(page.contains("edge-&lt;0&gt;") && page.contains("40.0 ms saved"))
        // Written and read again.
        #expect(EdgeRow.read(csv: EdgeRow.csv([row])) == [row])
    }
}

/// nginx's access log as an edge's counts.
@Suite struct NginxEdgeLogTests {
    @Test func counts() throws {
        let text = """
            MISS|200|1000|200|1000|/hls/live/a_hi/7.m4s
            HIT|200|1000|-|-|/hls/live/a_hi/7.m4s
            EXPIRED|200|300|502, 200|0, 300|/hls/live/a_hi/index.m3u8
            UPDATING|200|300|-|-|/hls/live/a_hi/index.m3u8
            MISS|504|160|504|0|/hls/live/a_hi/8.m4s
            -|400|150|-|-|/
            not a line of nginx's
            HIT|200|40|-|-|/a|b/init-3.mp4

            """
        let bytes = Array(text.utf8)
        // In one piece and byte by byte.
        for size in [1, 7, bytes.count] {
            var log = NginxEdgeLog(path: "/nonexistent")
            for start in stride(from: 0, to: bytes.count, by: size) {
                log.receive(bytes[start..<min(start + size, bytes.count)])
            }
            let status = log.read()
            let segment = try #require(status.kinds["segment"])
            #expect((segment.requests, segment.hits, segment.misses) == (3, 1, 2))
            #expect((segment.originRequests, segment.originBytes) == (2, 1000))
            #expect((segment.clientBytes, segment.failures) == (2160, 1))
            let playlist = try #require(status.kinds["playlist"])
            #expect((playlist.hits, playlist.misses, playlist.originRequests) == (1, 1, 2))
            #expect(playlist.originBytes == 300)
            #expect(status.kinds["other"]?.refused == 1)
            #expect(status.kinds["init"]?.hits == 1)
        }
    }
}

@Suite(.enabled(if: TrialFault.program != nil, "millrace is not built"), .timeLimit(.minutes(2)))
struct EdgeTrialTests {
    private static let viewers = """
          - protocol: hls
            count: 4
            rendition: small

        """

    private func trial() throws -> TrialFault {
        try TrialFault(
            viewers: Self.viewers, stack: "  edges: {count: 1}\n  hls: {segment: 1s}\n",
            duration: "60s")
    }

    /// An edge belongs to what is under test: its end is the verdict on it, and what it did until
    /// then is in the results.
    @Test func killedEdge() async throws {
        let trial = try trial()
        defer { trial.remove() }
        let children = try await trial.waitForChildren(4)
        try await trial.waitUntilRunning()
        #expect(kill(try #require(children["edge"]), SIGKILL) == 0)
        #expect(try await trial.finish() == 99)
        let summary = try trial.summary()
        #expect(summary.outcome == .failed)
        #expect(
            summary.notes.contains { $0.contains("edge-0") && $0.contains("killed by signal 9") },
            "\(summary.notes)")
        let directory = try #require(try trial.directories().first)
        let read = try RunResults(path: "\(trial.results)/\(directory)")
        #expect(read.processes.contains { $0.role == "edge" })
        #expect(read.edges.contains { $0.edge == "edge-0" && ($0.requests ?? 0) > 0 })
        try trial.expectTidy()
        try await trial.expectGone(Array(children.values))
    }

    /// A real nginx before the origin, across a WAN: each segment crosses it once.
    @Test(
        .enabled(
            if: FileManager.default.fileExists(atPath: "/usr/sbin/nginx"),
            "apt-get install nginx-light"))
    func nginxAsAnEdge() async throws {
        let trial = try TrialFault(
            viewers: Self.viewers,
            stack: "  edges: {driver: nginx, wan: {delay: 5ms}}\n  hls: {segment: 1s}\n",
            duration: "5s")
        defer { trial.remove() }
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let directory = try #require(try trial.directories().first)
        let read = try RunResults(path: "\(trial.results)/\(directory)")
        #expect(read.summary.viewersJoined == 4)
        #expect(Set(read.processes.map(\.role)).isSuperset(of: ["edge", "wan"]))
        let row = try #require(read.edges.first { $0.kind == "segment" })
        let (requests, misses) = try (#require(row.requests), #require(row.misses))
        #expect(row.edge == "edge-0" && row.collapsed == nil && row.evictions == nil)
        #expect(misses > 0 && requests > 2 * misses && row.hits == requests - misses)
        #expect(row.originRequests == misses && row.failures == 0)
        let summary = try #require(read.summary.edges)
        // What was under way at the end is in nobody's record.
        #expect((0...1).contains(misses - summary.distinctSegments))
        #expect(try #require(row.clientBytes) > 2 * (try #require(row.originBytes)))
        try trial.expectTidy()
    }
}
