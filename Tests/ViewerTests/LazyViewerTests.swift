import Logging
import Media
import Publisher
import Server
import SimulationKernel
import Sockets
import Testing

@testable import Viewer

@Suite(.timeLimit(.minutes(2))) struct LazyViewerTests {
    /// A viewer for which few bytes come reads them after a while, because a ping request of the
    /// server may be among them.
    @Test func fewBytesAreReadAfterAWhile() async throws {
        var configuration = ServerConfiguration()
        configuration.rtmpPort = 0
        configuration.httpPort = nil
        let server = try await RelayServer.start(
            configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let url = "rtmp://127.0.0.1:\(server.rtmpPort)/live/a"
        let source = SyntheticSpec(
            width: 64, height: 48, framesPerSecond: 25, gopFrames: 10,
            totalBitrate: Bitrate(kilobitsPerSecond: 100))
        let publishers = try await PublisherPool(
            [PublishSpec(url: url, streamID: 1, source: .synthetic(source))], options: .init())
        var options = LoadViewerPool.Options()
        // The stream would fill the mark in 80 s.
        options.lowWaterMark = 1 << 20
        options.longestRestMilliseconds = 100
        let pool = try LoadViewerPool(
            [ViewerSpec(index: 0, transport: .rtmp, url: url)], options: options)
        do {
            try await publishers.connect()
            let start = Clock.monotonicNanoseconds()
            publishers.start(atNanoseconds: start)
            pool.start(atNanoseconds: start, window: nil)
            var counts: Set<Int> = []
            while counts.count < 6, Clock.monotonicNanoseconds() < start + 30_000_000_000 {
                counts.insert(pool.interval().receivedBytes)
                try await Task.sleep(for: .milliseconds(20))
            }
            // Without such reads there are at most the answers of the joining and the first media.
            #expect(counts.count == 6)
            let viewer = try #require(await pool.stop().viewers.first)
            #expect(viewer.failure == nil)
        } catch {
            try? await publishers.stop()
            try? await server.stop()
            throw error
        }
        try await publishers.stop()
        try await server.stop()
    }
}
