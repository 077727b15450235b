import HLS
import Logging
import Media
import NIOCore
import Publisher
import SimulationKernel
import Sockets
import TestServer
import TestSupport
import Testing

@testable import Server

/// Renditions that encoders make of a stream have the stream's dates, however long the encoders
/// take.
@Suite(.timeLimit(.minutes(2))) struct LadderDateTests {
    @Test func renditionsShareTheSourcesAnchor() {
        let origin = HLSOrigin(HLSConfiguration(), logger: Logger(label: "test"))
        for name in ["live/my_cam", "live/my_dog"] { _ = origin.publisherStarted(name) }
        for name in ["live/my_cam_hi", "live/my_cam_lo"] {
            _ = origin.publisherStarted(name, isEncoded: true)
        }
        func date(_ name: String, at now: Int64) -> Int64 {
            origin.date(of: 90_000, in: name, now: now).millisecondsSince1970
        }
        #expect(date("live/my_cam", at: 100_000) == 100_000)
        // This stream has the same name up to `_`, and another clock.
        #expect(date("live/my_dog", at: 500_000) == 500_000)
        #expect(date("live/my_cam_hi", at: 101_300) == 100_000)
        #expect(date("live/my_cam_lo", at: 104_000) == 100_000)
        // The source begins anew.
        _ = origin.publisherStarted("live/my_cam")
        #expect(date("live/my_cam", at: 200_000) == 200_000)
        #expect(date("live/my_cam_lo", at: 203_000) == 200_000)
        // A rendition that is published, and not made here, has a clock of its own.
        _ = origin.publisherStarted("live/my_cam_lo")
        #expect(date("live/my_cam_lo", at: 208_000) == 208_000)
    }

    @Test func renditionsWithoutAPackagedSourceAgree() {
        let origin = HLSOrigin(HLSConfiguration(), logger: Logger(label: "test"))
        for name in ["live/cam_hi", "live/cam_lo"] {
            _ = origin.publisherStarted(name, isEncoded: true)
        }
        #expect(origin.date(of: 0, in: "live/cam_hi", now: 1_000).millisecondsSince1970 == 1_000)
        #expect(origin.date(of: 0, in: "live/cam_lo", now: 9_000).millisecondsSince1970 == 1_000)
    }

    /// Segments of equal dates begin with equal timestamps, audio and video, in all renditions.
    @Test(.enabled(if: Shell.has("ffmpeg", "ffprobe"), "apt-get install ffmpeg"))
    func encodedRenditionsAreAligned() async throws {
        try await withServer {
            var ladder = LadderConfiguration(
                source: "live/s",
                renditions: [
                    LadderRendition(
                        name: "a", width: 160, height: 90, framesPerSecond: 30,
                        videoBitsPerSecond: 200_000, audioBitsPerSecond: 64_000),
                    LadderRendition(
                        name: "d", width: 64, height: 36, framesPerSecond: 15,
                        videoBitsPerSecond: 50_000, audioBitsPerSecond: 32_000),
                ])
            ladder.x264Preset = "ultrafast"
            ladder.threads = 1
            ladder.gopMilliseconds = 1_000
            $0.ladders = [ladder]
            $0.packageHLS(.ts)
        } _: { server in
            let spec = SyntheticSpec(
                width: 160, height: 90, framesPerSecond: 30, gopFrames: 20,
                totalBitrate: Bitrate(kilobitsPerSecond: 400),
                audioBitrate: Bitrate(kilobitsPerSecond: 64))
            let pool = try await PublisherPool(
                [
                    PublishSpec(
                        url: "rtmp://127.0.0.1:\(server.rtmpPort)/live/s", streamID: 3,
                        source: .synthetic(spec))
                ], options: .init())
            try await pool.connect()
            pool.start(atNanoseconds: Clock.monotonicNanoseconds() + 50_000_000)
            do { try await checkAlignment(server) } catch {
                try? await pool.stop()
                throw error
            }
            try await pool.stop()
        }
    }

    private struct Start: Hashable {
        var video: Int64?
        var audio: Int64?
    }

    private func checkAlignment(_ server: RelayServer) async throws {
        for name in ["live/s_a", "live/s_d"] {
            try await eventually("5 segments of \(name)") {
                (try await server.stream(name)?.hls?.segments ?? 0) >= 5
            }
        }
        let peer = try HLSPeer(server)
        var starts: [[ProgramDateTime: Start]] = []
        for name in ["s_a", "s_d"] {
            let playlist = try await peer.playlist("/hls/live/\(name)/index.m3u8")
            var mine: [ProgramDateTime: Start] = [:]
            for segment in playlist.segments {
                let answer = try await peer.get("/hls/live/\(name)/\(segment.uri)")
                let units = try TransportStreamDemuxer.accessUnits(answer.body)
                guard let date = segment.programDateTime else { continue }
                mine[date] = Start(
                    video: units.first { $0.kind == .video }?.decodeTime,
                    audio: units.first { $0.kind == .audio }?.decodeTime)
            }
            starts.append(mine)
        }
        let shared = Set(starts[0].keys).intersection(starts[1].keys)
        #expect(shared.count >= 2, "\(starts)")
        for date in shared {
            let (a, d) = (try #require(starts[0][date]), try #require(starts[1][date]))
            #expect(a.video == d.video)
            // An AAC frame has 1024 samples of 48 kHz, 1920 ticks.
            if let first = a.audio, let second = d.audio { #expect(abs(first - second) <= 1920) }
        }
    }
}
