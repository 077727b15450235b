import Foundation
import Media
import Server
import Sockets
import TestServer
import TestSupport
import Testing

@testable import Publisher

/// Other people's programs read what we publish.
@Suite(
    .enabled(if: Shell.has("ffmpeg", "ffprobe"), "apt-get install ffmpeg"), .timeLimit(.minutes(2)))
struct PublishedMediaTests {
    private func makeFile(_ suffix: String, seconds: Int, bFrames: Int = 2) async throws -> String {
        let path = Shell.temporaryPath(suffix)
        let result = try await Shell.run([
            "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i",
            "testsrc2=size=160x90:rate=25:duration=\(seconds)", "-f", "lavfi", "-i",
            "sine=frequency=440:duration=\(seconds)", "-c:v", "libx264", "-preset", "veryfast",
            "-g", "25", "-bf", "\(bFrames)", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest",
            path,
        ])
        try #require(result.status == 0, "\(result.errors)")
        return path
    }

    /// Publishes a source and has ffmpeg decode some seconds, with every check and no word.
    private func expectCleanDecode(
        _ source: SourceSpec, into url: String, seconds: Int
    ) async throws {
        let pool = try await PublisherPool(
            [PublishSpec(url: url, streamID: 1, source: source)], options: .init())
        do {
            try await pool.connect()
            pool.start(atNanoseconds: Clock.monotonicNanoseconds())
            let result = try await Shell.run([
                "ffmpeg", "-nostdin", "-v", "warning", "-xerror", "-err_detect",
                "+crccheck+bitstream+buffer+careful+compliant+aggressive+explode", "-i", url,
                "-map", "0:v", "-map", "0:a", "-t", "\(seconds)", "-f", "null", "-",
            ])
            #expect(result.status == 0)
            #expect(result.errors == "")
            let report = try #require(try await pool.report().streams.first)
            #expect(report.isConnected)
            #expect(report.reconnects == 0)
        } catch {
            try? await pool.stop()
            throw error
        }
        try await pool.stop()
    }

    @Test func remuxedFileLoopsThroughTheRelay() async throws {
        let mp4 = try await makeFile("mp4", seconds: 2)
        defer { try? FileManager.default.removeItem(atPath: mp4) }
        let flv = try Remux.flv(of: mp4)
        defer { try? FileManager.default.removeItem(atPath: flv) }
        #expect(flv != mp4)
        #expect(try Remux.flv(of: flv) == flv, "an FLV file is taken as it is")
        let source = try FileSource(path: flv)
        #expect(source.videoSequenceHeader != nil)
        #expect(source.audioSequenceHeader != nil)
        try await withServer { server in
            // Beyond the end of the file: it loops without a word from the decoder.
            try await expectCleanDecode(
                .file(path: flv), into: "rtmp://127.0.0.1:\(server.rtmpPort)/live/file",
                seconds: 5)
        }
    }

    @Test func remuxSaysWhatIsWrong() throws {
        let missing = #expect(throws: PublisherError.self) { try Remux.flv(of: "/no/file.mp4") }
        #expect(missing?.description.contains("/no/file.mp4") == true)
        let text = Shell.temporaryPath("mp4")
        defer { try? FileManager.default.removeItem(atPath: text) }
        try Data("no media here".utf8).write(to: URL(fileURLWithPath: text))
        let error = #expect(throws: PublisherError.self) { try Remux.flv(of: text) }
        #expect(error?.description.contains("ffmpeg cannot copy") == true)
        #expect(error?.description.contains("libx264") == true)
    }

    @Test(.enabled(if: Programs.hasNginx, "apt-get install nginx libnginx-mod-rtmp"))
    func syntheticAndFileThroughNginx() async throws {
        let file = try await makeFile("flv", seconds: 3)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let nginx = try await Nginx()
        defer { nginx.stop() }
        let base = "rtmp://127.0.0.1:\(nginx.port)/live"
        async let synthetic: Void = expectCleanDecode(
            .synthetic(PublisherPoolTests.spec), into: "\(base)/synthetic", seconds: 8)
        async let looped: Void = expectCleanDecode(
            .file(path: file), into: "\(base)/file", seconds: 8)
        _ = try await (synthetic, looped)
    }
}

/// nginx with its RTMP module as one process on a free port.
private final class Nginx {
    let port: Int
    private let process = Process()
    private let directory = Shell.temporaryPath("nginx")

    init() async throws {
        port = try #require(LocalPort.free())
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        try """
        daemon off;
        master_process off;
        \(getuid() == 0 ? "user root;" : "")
        pid \(directory)/nginx.pid;
        error_log \(directory)/error.log warn;
        load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
        events { }
        rtmp {
            access_log off;
            server {
                listen 127.0.0.1:\(port);
                application live { live on; wait_key on; }
            }
        }
        """.write(toFile: "\(directory)/nginx.conf", atomically: true, encoding: .utf8)
        process.executableURL = URL(fileURLWithPath: "/usr/sbin/nginx")
        process.arguments = [
            "-p", directory, "-c", "\(directory)/nginx.conf", "-e", "\(directory)/error.log",
        ]
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let port = port
        try await eventually("nginx listens") {
            try #require(process.isRunning, "nginx did not start")
            let probe = try await PublisherPool(
                [
                    PublishSpec(
                        url: "rtmp://127.0.0.1:\(port)/live/probe", streamID: 1,
                        source: .synthetic(PublisherPoolTests.spec))
                ], options: .init())
            let isUp = (try? await probe.connect()) != nil
            try await probe.stop()
            return isUp
        }
    }

    func stop() {
        // A child of this runner has its signals blocked: only this one reaches it.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: directory)
    }
}
