import Capture
import Foundation
import Sockets
import Statistics
import Testing

/// nginx-rtmp stands between ffmpeg and three ffmpeg players, and tcpdump captures them.
struct LiveStackTests {
    static let missing = ["ffmpeg", "ffprobe", "nginx", "tcpdump"].filter { name in
        !["/usr/bin", "/usr/sbin", "/bin", "/sbin"].contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
        }
    }
    static let module = "/usr/lib/nginx/modules/ngx_rtmp_module.so"
    static let canRun =
        missing.isEmpty && geteuid() == 0 && FileManager.default.fileExists(atPath: module)
    static let reason: Comment = """
        needs root, nginx with libnginx-mod-rtmp, tcpdump and ffmpeg
        """

    private func start(_ arguments: [String], _ directory: URL) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.currentDirectoryURL = directory
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Children of a pool thread inherit its signal mask, so that only SIGKILL reaches them.
    private func end(_ process: Process) {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    /// Waits without `waitUntilExit`, because its run loop can spin for ever on a pool thread.
    private func exit(of processes: [Process]) async throws {
        for _ in 0..<600 where processes.contains(where: \.isRunning) {
            try await Task.sleep(for: .milliseconds(50))
        }
        for process in processes { end(process) }
    }

    @Test(
        "nginx-rtmp with ffmpeg in and three ffmpeg players out", .enabled(if: canRun, reason),
        .timeLimit(.minutes(1)))
    func nginx() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "millrace-capture-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let port = try #require(LocalPort.free())
        let configuration = """
            load_module \(Self.module);
            daemon off; master_process off; error_log error.log; pid nginx.pid;
            events { worker_connections 64; }
            rtmp { server { listen 127.0.0.1:\(port); access_log off;
              application live { live on; } } }
            """
        let path = directory.appendingPathComponent("nginx.conf").path
        try configuration.write(toFile: path, atomically: true, encoding: .utf8)
        let source = directory.appendingPathComponent("in.flv").path
        let pattern = try start(
            [
                "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30",
                "-f", "lavfi", "-i", "anoisesrc=r=44100:a=0.3", "-t", "8", "-c:v", "libx264",
                "-preset", "ultrafast", "-g", "30", "-b:v", "600k", "-pix_fmt", "yuv420p",
                "-c:a", "aac", "-b:a", "64k", source,
            ], directory)
        try await exit(of: [pattern])
        let capture = directory.appendingPathComponent("lo.pcap").path
        let url = "rtmp://127.0.0.1:\(port)/live/show?key=1"
        let nginx = try start(["nginx", "-p", directory.path, "-c", path], directory)
        let tcpdump = try start(
            [
                "tcpdump", "-Z", "root", "-B", "16384", "-i", "lo", "-U", "-w", capture,
                "tcp port \(port)",
            ],
            directory)
        defer { for process in [nginx, tcpdump] { end(process) } }
        // tcpdump writes the file's header once it captures, nginx its pid once it listens.
        let ready = [capture, directory.appendingPathComponent("nginx.pid").path]
        func isReady() -> Bool { ready.allSatisfy(FileManager.default.fileExists) }
        for _ in 0..<600 where !isReady() { try await Task.sleep(for: .milliseconds(50)) }
        try #require(isReady(), "tcpdump does not capture, or nginx does not listen")
        let publisher = try start(
            ["ffmpeg", "-v", "error", "-re", "-i", source, "-c", "copy", "-f", "flv", url],
            directory)
        let players = try (0..<3).map { _ in
            try start(
                ["ffmpeg", "-v", "error", "-i", url, "-c", "copy", "-t", "5", "-f", "null", "-"],
                directory)
        }
        try await exit(of: players + [publisher])
        // The ring hands over a block that is not full after a second at the latest.
        try await Task.sleep(for: .milliseconds(1500))
        end(tcpdump)
        try await exit(of: [tcpdump])
        try check(capture, source)
    }

    private func check(_ capture: String, _ source: String) throws {
        var reader = PcapReader()
        var analyzer = CaptureAnalyzer()
        let file = try Data(contentsOf: URL(fileURLWithPath: capture))
        file.withUnsafeBytes { reader.append($0) }
        while try analyzer.read(from: &reader) {}
        try reader.finish()
        analyzer.finish()
        let report = analyzer.report()
        #expect(report.capture.undissectedFlows == 0)
        #expect(report.streams.count == 1)
        let stream = try #require(report.streams.first)
        #expect(stream.name == "show" && stream.app == "live")
        #expect(stream.subscribers == 3)
        let ingress = try #require(stream.ingress)
        // The size excludes the FLV headers of the file: 11 bytes and a back pointer for each tag.
        let size = try Data(contentsOf: URL(fileURLWithPath: source)).count
        let payload = size - 13 - 15 * (ingress.audioMessages + ingress.videoMessages + 1)
        #expect(abs(Double(ingress.payloadBytes) / Double(payload) - 1) < 0.01)
        let nominal = Double(payload) * 8 / 1000 / 8
        #expect(abs((stream.payloadKbps ?? 0) / nominal - 1) < 0.02)
        for viewer in stream.viewers {
            #expect(viewer.messages.matched > 200)
            #expect(viewer.messages.unmatched == 0 && viewer.messages.missing == 0)
        }
        let delay = try #require(stream.relayDelay)
        #expect(delay.count > 600 && delay.negativeCount == 0)
    }
}
