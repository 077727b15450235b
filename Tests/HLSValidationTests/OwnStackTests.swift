import HLS
import Logging
import Media
import Publisher
import Server
import SimulationKernel
import Sockets
import TestServer
import Testing

@testable import HLSValidation

/// The project's own origin and edge break none of the rules that the validator knows, with all
/// containers, in young and in older streams.
@Suite(.timeLimit(.minutes(3))) struct OwnStackTests {

    struct Kind: Sendable, CustomTestStringConvertible {
        var name: String
        var container: SegmenterConfiguration.Container
        var partSeconds: Double?
        var testDescription: String { name }
    }

    static let kinds = [
        Kind(name: "ts", container: .ts, partSeconds: nil),
        Kind(name: "fmp4", container: .fmp4, partSeconds: nil),
        Kind(name: "low latency", container: .fmp4, partSeconds: 0.25),
        Kind(name: "low latency in ts", container: .ts, partSeconds: 0.25),
    ]

    @Test(arguments: kinds) func youngAndOldBreakNothing(_ kind: Kind) async throws {
        var configuration = ServerConfiguration()
        configuration.rtmpPort = 0
        configuration.httpPort = 0
        var hls = HLSConfiguration()
        hls.container = kind.container
        hls.segmentSeconds = 1
        hls.partSeconds = kind.partSeconds
        // The window is short, so that segments leave the playlist during the test.
        hls.windowSeconds = 6
        configuration.hls = hls
        let server = try await RelayServer.start(configuration, logger: quiet)
        let origin = try #require(server.httpPort)
        var edgeConfiguration = EdgeConfiguration(origin: "http://127.0.0.1:\(origin)")
        edgeConfiguration.port = 0
        let edge = try await EdgeServer.start(edgeConfiguration, logger: quiet)
        let publishers = try await publishers(server.rtmpPort)
        try await publishers.connect()
        publishers.start(atNanoseconds: Clock.monotonicNanoseconds() + 50_000_000)
        // The stream is inspected from its first segment on, and again after segments have left.
        for seconds in [4.0, 5.0] {
            async let direct = errors(port: origin, seconds: seconds)
            async let cached = errors(port: edge.port, seconds: seconds)
            let found = try await (direct, cached)
            #expect(found.0 == [], "origin")
            #expect(found.1 == [], "edge")
        }
        _ = try await publishers.stop()
        try await edge.stop()
        try await server.stop()
    }

    private func publishers(_ port: Int) async throws -> PublisherPool {
        let specs = [(name: "cam_360p", height: 360, rate: 700), ("cam_180p", 180, 300)].map {
            PublishSpec(
                url: "rtmp://127.0.0.1:\(port)/live/\($0.name)", streamID: UInt32($0.height),
                source: .synthetic(
                    SyntheticSpec(
                        width: $0.height * 16 / 9, height: $0.height, framesPerSecond: 20,
                        gopFrames: 20, totalBitrate: Bitrate(kilobitsPerSecond: $0.rate),
                        audioBitrate: Bitrate(kilobitsPerSecond: 64))))
        }
        return try await PublisherPool(specs, options: PublisherOptions())
    }

    private func errors(port: Int, seconds: Double) async throws -> [String] {
        var options = InspectionOptions()
        options.seconds = seconds
        let report = try await PresentationInspector.inspect(
            "http://127.0.0.1:\(port)/hls/live/cam/master.m3u8", options: options)
        return report.violations.filter { $0.rule.severity == .error }.map(\.description)
    }
}
