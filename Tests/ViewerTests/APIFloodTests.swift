import NIOCore
import Server
import SimulationKernel
import Sockets
import TestServer
import TestSupport
import Testing

@testable import Viewer

/// Requests to the API of a server in this process.
@Suite(.timeLimit(.minutes(1))) struct APIFloodTests {
    private func flood(port: Int, requestsPerSecond: Double) async throws -> APIFlood {
        try await APIFlood(
            APIFloodSpec(port: port, token: "abc", requestsPerSecond: requestsPerSecond))
    }

    /// Every request that is due in the window is sent and answered, and none after it.
    @Test func `every request is counted once`() async throws {
        try await withServer {
            $0.apiPort = 0
            $0.access.apiToken = "abc"
        } _: { server in
            let flood = try await flood(
                port: try #require(server.apiPort), requestsPerSecond: 200)
            let start = Clock.monotonicNanoseconds()
            flood.setWindow(
                Window(startNanoseconds: start, endNanoseconds: start + 500_000_000))
            try await eventually("all requests have their answers") {
                let report = try await flood.report()
                return report.accepted + report.refused + report.unanswered == 100
            }
            let report = try await flood.stop()
            #expect(report.requests == 100 && report.skipped == 0 && report.unanswered == 0)
            // Requests on two connections may overtake each other: then a target is removed that is
            // not there.
            #expect(report.accepted >= 90 && report.refused <= 10)
            #expect(report.time.count == 100)
            let status = try await server.status()
            #expect(status.pushes.isEmpty)
        }
    }

    /// A port at which nobody listens answers nothing.
    @Test func `requests without an answer are counted`() async throws {
        var port = 0
        try await withServer {
            $0.apiPort = 0
        } _: { server in
            port = try #require(server.apiPort)
        }
        let flood = try await flood(port: port, requestsPerSecond: 1000)
        let start = Clock.monotonicNanoseconds()
        flood.setWindow(Window(startNanoseconds: start, endNanoseconds: start + 50_000_000))
        try await eventually("all requests have failed") {
            let report = try await flood.report()
            return report.unanswered + report.skipped == 50
        }
        let report = try await flood.stop()
        #expect(report.accepted == 0 && report.refused == 0 && report.time.count == 0)
    }

    /// Of ten requests two change something, and they undo each other.
    @Test func `requests are of three kinds`() {
        let spec = APIFloodSpec(port: 80, token: "abc", requestsPerSecond: 1)
        let texts = (0..<20).map { String(buffer: APIFloodRequest.bytes($0, spec)) }
        #expect(texts.count { $0.hasPrefix("GET /api/v1/status ") } == 16)
        #expect(texts.count { $0.hasPrefix("POST /api/v1/push?") } == 2)
        #expect(texts.count { $0.hasPrefix("DELETE /api/v1/push?") } == 2)
        #expect(texts.allSatisfy { $0.contains("\r\nAuthorization: Bearer abc\r\n") })
    }
}
