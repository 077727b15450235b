import Foundation
import Logging
import Server
import Sockets
import Testing

@testable import Viewer

/// Adaptive viewers behind edges, all in this process: what the viewers record is held against what
/// the edges count.
@Suite(.timeLimit(.minutes(2))) struct EdgePoolTests {
    private func withEdges(
        _ count: Int, before url: String, wan: EdgeConfiguration.WAN? = nil,
        _ body: ([EdgeServer], [String]) async throws -> Void
    ) async throws {
        let path = try #require(url.range(of: "/hls/"))
        var edges: [EdgeServer] = []
        for _ in 0..<count {
            var configuration = EdgeConfiguration(origin: String(url[..<path.lowerBound]))
            configuration.port = 0
            configuration.wan = wan
            edges.append(
                try await EdgeServer.start(
                    configuration, logger: Logger(label: "edge") { _ in SwiftLogNoOpLogHandler() }))
        }
        let urls = edges.map { "http://127.0.0.1:\($0.port)\(url[path.lowerBound...])" }
        do {
            try await body(edges, urls)
        } catch {
            for edge in edges { try? await edge.stop() }
            throw error
        }
        for edge in edges { try await edge.stop() }
    }

    @Test func eachSegmentOnceForEachEdge() async throws {
        let tests = HLSPoolTests()
        try await tests.withChannel { url, start in
            try await withEdges(2, before: url) { edges, urls in
                let specs = (0..<12).map { i in
                    var spec = HLSViewerSpec(
                        index: i, url: urls[i % 2],
                        joinNanoseconds: 4_000_000_000 + Int64(i) * 20_000_000)
                    spec.algorithm = "fixed:0"
                    return spec
                }
                let report = try await tests.play(specs, from: start, seconds: 11)
                for (i, edge) in edges.enumerated() {
                    let mine = report.viewers.filter { $0.index % 2 == i }
                    var distinct: [Int: Int] = [:]
                    var cut: Set<Int> = []
                    var requests = 0
                    for viewer in mine {
                        #expect(viewer.failure == nil && viewer.playback.segments > 2)
                        #expect(viewer.requests.refused == 0 && viewer.requests.broken == 0)
                        requests += viewer.requests.segments
                        for record in viewer.segments {
                            if record.isCut {
                                cut.insert(record.sequence)
                            } else {
                                distinct[record.sequence] = record.bytes
                            }
                        }
                    }
                    // What was under way as the viewers left may still be on its way to the edge.
                    var counts = try #require(try await edge.status().kinds["segment"])
                    for _ in 0..<500
                    where counts.requests < requests || counts.originRequests < counts.misses {
                        try await Task.sleep(for: .milliseconds(10))
                        counts = try #require(try await edge.status().kinds["segment"])
                    }
                    #expect(counts.requests == requests && counts.failures == 0)
                    cut.subtract(distinct.keys)
                    #expect((0...cut.count).contains(counts.originRequests - distinct.count))
                    #expect(counts.misses == counts.originRequests)
                    #expect(counts.hits + counts.collapsed == requests - counts.misses)
                    if cut.isEmpty {
                        #expect(counts.originBytes == distinct.values.reduce(0, +))
                    }
                }
            }
        }
    }

    /// Parts and blocked reloads: three viewers cost the origin what one costs.
    @Test func lowLatencyThroughAnEdge() async throws {
        let tests = HLSPoolTests()
        try await tests.withChannel(part: 0.2) { url, start in
            try await withEdges(1, before: url) { edges, urls in
                let specs = (0..<3).map {
                    HLSViewerSpec(index: $0, url: urls[0], joinNanoseconds: 4_000_000_000)
                }
                let report = try await tests.play(specs, from: start, seconds: 10)
                for viewer in report.viewers {
                    #expect(viewer.failure == nil && viewer.requests.refused == 0)
                    #expect(viewer.requests.parts > 10 && viewer.requests.blocked > 10)
                }
                let status = try await edges[0].status()
                let playlists = try #require(status.kinds["playlist"])
                #expect(playlists.failures == 0)
                #expect(playlists.originRequests < playlists.requests / 2)
                let parts = try #require(status.kinds["part"])
                #expect(parts.hits + parts.collapsed > parts.misses)
            }
        }
    }
}
