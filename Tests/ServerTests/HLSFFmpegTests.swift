import Foundation
import HLS
import NIOCore
import Server
import TestServer
import TestSupport
import Testing

/// ffmpeg publishes, and ffmpeg plays the resulting HLS.
@Suite(
    .enabled(if: Shell.has("ffmpeg", "ffprobe"), "apt-get install ffmpeg"), .timeLimit(.minutes(3)))
struct HLSFFmpegTests {
    typealias Container = SegmenterConfiguration.Container

    /// Returns hashes per kind of stream: of coded frames, or of decoded ones if transport streams
    /// wrap pictures differently from FLV.
    private func hashes(_ input: [String], copies: Bool) async throws -> [String: [String]] {
        let output =
            (copies ? ["-c:v", "copy"] : []) + [
                "-c:a", "copy", "-bsf:a", "aac_adtstoasc", "-f", "framemd5", "-",
            ]
        let result = try await Shell.run(
            ["ffmpeg", "-nostdin", "-v", "warning", "-xerror"] + input + output)
        #expect(result.status == 0)
        // FFmpeg reads EXT-X-MAP again after each reload of the playlist, and prints that.
        let errors = result.errors.split(separator: "\n").filter {
            !$0.contains("Found duplicated MOOV Atom") && !$0.contains("Last message repeated")
        }
        #expect(errors.isEmpty, "\(errors)")
        var kinds: [String: String] = [:]
        var hashes: [String: [String]] = [:]
        for line in result.output.split(separator: "\n") {
            if line.hasPrefix("#media_type ") {
                let pair = line.dropFirst(12).split(separator: ":")
                kinds[String(pair[0])] = pair[1].trimmingCharacters(in: .whitespaces)
            } else if !line.hasPrefix("#") {
                let fields = line.split(separator: ",").map {
                    $0.trimmingCharacters(in: .whitespaces)
                }
                hashes[kinds[fields[0]] ?? "?", default: []].append(fields[5])
            }
        }
        return hashes
    }

    @Test(arguments: Container.allCases, FFmpegRelayTests.cases)
    func everyFrameArrives(_ container: Container, _ test: FFmpegRelayTests.Case) async throws {
        let source = Shell.temporaryPath("flv")
        defer { try? FileManager.default.removeItem(atPath: source) }
        try await test.makeFile(source)
        let copies = container == .fmp4
        let reference = try await hashes(["-i", source], copies: copies)
        try await withServer({ $0.packageHLS(container) }) { server in
            let port = try #require(server.httpPort)
            let url = "http://127.0.0.1:\(port)/hls/live/a/index.m3u8"
            let push = try await Shell.run([
                "ffmpeg", "-nostdin", "-v", "error", "-i", source, "-c", "copy", "-f", "flv",
                "rtmp://127.0.0.1:\(server.rtmpPort)/live/a",
            ])
            #expect(push.status == 0)
            try await eventually("the playlist has ended") {
                try await server.stream()?.hls?.hasEnded == true
            }
            let played = try await hashes(["-live_start_index", "0", "-i", url], copies: copies)
            #expect(Set(played.keys) == Set(reference.keys))
            for (kind, expected) in reference {
                let received = played[kind] ?? []
                // Audio before the first picture is left out.
                #expect(
                    received == expected.suffix(received.count),
                    "\(kind): \(received.count) of \(expected.count)")
                let missing = expected.count - received.count
                #expect(missing <= (kind == "audio" && test.hasVideo ? 4 : 0), "\(kind)")
            }
            let status = try #require(try await server.stream()?.hls)
            #expect(status.problem == nil)
            #expect(status.forcedCuts == 0)
        }
    }

    /// A live player follows the low-latency playlist as a plain one.
    @Test(arguments: Container.allCases) func liveWithParts(_ container: Container) async throws {
        try await withServer({ $0.packageHLS(container, part: 0.25) }) { server in
            let port = try #require(server.httpPort)
            let push = Task {
                try await Shell.run([
                    "ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i",
                    "testsrc2=size=160x90:rate=25:duration=9", "-f", "lavfi", "-i",
                    "sine=frequency=440:duration=9", "-c:v", "libx264", "-preset", "ultrafast",
                    "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "flv",
                    "rtmp://127.0.0.1:\(server.rtmpPort)/live/a",
                ])
            }
            try await eventually("it is published") { try await server.stream() != nil }
            let played = try await hashes(
                ["-i", "http://127.0.0.1:\(port)/hls/live/a/master.m3u8", "-t", "4"], copies: true)
            #expect(played["video"]?.count ?? 0 >= 95)
            #expect(played["audio"]?.count ?? 0 >= 160)
            #expect(try await server.stream()?.hls?.parts ?? 0 > 0)
            _ = try await push.value
        }
    }

    /// ffmpeg plays a live stream through an edge with an origin that is 20 ms away.
    @Test(arguments: Container.allCases) func throughAnEdge(_ container: Container) async throws {
        try await withServer({ $0.packageHLS(container) }) { server in
            let port = try #require(server.httpPort)
            try await withEdge(
                before: port,
                { $0.wan = .init(bitsPerSecond: 100_000_000, delayNanoseconds: 20_000_000) }
            ) { edge in
                let push = Task {
                    try await Shell.run([
                        "ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i",
                        "testsrc2=size=160x90:rate=25:duration=9", "-c:v", "libx264", "-preset",
                        "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-f", "flv",
                        "rtmp://127.0.0.1:\(server.rtmpPort)/live/a",
                    ])
                }
                try await eventually("it is published") { try await server.stream() != nil }
                let played = try await hashes(
                    ["-i", "http://127.0.0.1:\(edge.port)/hls/live/a/master.m3u8", "-t", "4"],
                    copies: true)
                #expect(played["video"]?.count ?? 0 >= 95)
                let counts = try await edge.counts(.segment)
                #expect(counts.originRequests > 2 && counts.failures == 0)
                _ = try await push.value
            }
        }
    }

    /// A publisher is cut off and returns with larger pictures: there is one discontinuity, and a
    /// player shows both sizes, every picture. ffmpeg's HLS demuxer leaves out a second EXT-X-MAP,
    /// so it gets fMP4 in two halves, each behind its own section.
    @Test(arguments: Container.allCases)
    func aPublisherReturnsWithOtherPictures(_ container: Container) async throws {
        try await withServer({
            $0.packageHLS(container)
            $0.publisherGraceMilliseconds = 60_000
        }) { server in
            try await push("160x90", [], killedAfter: "4", server)
            try await eventually("away") { try await server.stream()?.isPublished == false }
            let before = try await server.stream()?.videoFrames
            try await push("320x180", ["-t", "3"], killedAfter: "60", server)
            try await eventually("the playlist has ended") {
                try await server.stream()?.hls?.hasEnded == true
            }
            #expect(try await server.stream()?.hls?.problem == nil)
            let peer = try HLSPeer(server)
            let folder = "/hls/live/a/"
            let playlist = try await peer.playlist(folder + "index.m3u8")
            #expect(playlist.segments.filter(\.isDiscontinuity).count == 1)
            let port = try #require(server.httpPort)
            var inputs = ["http://127.0.0.1:\(port)\(folder)index.m3u8"]
            if container == .fmp4 {
                let cut = try #require(playlist.segments.firstIndex { $0.isDiscontinuity })
                inputs = []
                for half in [playlist.segments[..<cut], playlist.segments[cut...]] {
                    let map = try #require(half.first?.map)
                    let names = [map.uri] + half.map(\.uri)
                    #expect(Set(half.compactMap(\.map)).count == 1)
                    var bytes = Data()
                    for name in names {
                        bytes.append(
                            contentsOf: try await peer.get(folder + name).body.readableBytesView)
                    }
                    inputs.append(Shell.temporaryPath("mp4"))
                    try bytes.write(to: URL(fileURLWithPath: inputs.last!))
                }
            }
            defer {
                for path in inputs { try? FileManager.default.removeItem(atPath: path) }
            }
            var widths: [Int] = []
            for input in inputs {
                let played = try await Shell.run(
                    ["ffprobe", "-v", "error"]
                        + (container == .ts ? ["-live_start_index", "0"] : []) + [
                            "-select_streams", "v", "-show_entries", "frame=width", "-of",
                            "csv=p=0",
                            input,
                        ])
                #expect(played.status == 0)
                #expect(played.errors.isEmpty, "\(played.errors)")
                widths += played.output.split(separator: "\n").compactMap { line in
                    line.split(separator: ",").first.flatMap { Int($0) }
                }
            }
            #expect(widths == widths.sorted())
            #expect(widths.filter { $0 == 160 }.count == before)
            #expect(widths.filter { $0 == 320 }.count == 75)
        }
    }

    /// - Parameter seconds: Seconds after which the program is killed, so that its connection
    ///   breaks off.
    private func push(
        _ size: String, _ limits: [String], killedAfter seconds: String, _ server: RelayServer
    ) async throws {
        _ = try await Shell.run(
            ["timeout", "-s", "KILL", seconds, "ffmpeg", "-nostdin", "-v", "error", "-re"]
                + limits + [
                    "-f", "lavfi", "-i", "testsrc2=size=\(size):rate=25", "-c:v", "libx264",
                    "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-f", "flv",
                    "rtmp://127.0.0.1:\(server.rtmpPort)/live/a",
                ])
    }
}
