import Foundation
import Processes
import Sockets
import TestSupport
import Testing

@testable import Stacks

@Suite(.timeLimit(.minutes(1))) struct StackTests {
    /// nginx itself reads what a folder with an odd name makes of its configuration.
    @Test(.enabled(if: Programs.hasNginx, "apt-get install nginx libnginx-mod-rtmp"))
    func pathsAreQuotedForNginx() throws {
        let directory = NSTemporaryDirectory() + "millrace it's; \"a\" {\\} #\(UUID())"
        try FileManager.default.createDirectory(
            atPath: NginxDirectory.work(directory) + "/hls", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var configuration = NginxConfiguration(
            modulePath: "/usr/lib/nginx/modules/ngx_rtmp_module.so")
        configuration.workers = 2
        configuration.hls = .init(segmentSeconds: 2, windowSeconds: 10, variants: [])
        configuration.pushes = ["rtmp://127.0.0.1:9/relay0", "rtmp://127.0.0.1:9/relay1"]
        try configuration.text(port: 1, httpPort: 2, directory: directory).write(
            toFile: directory + "/nginx.conf", atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/sbin/nginx")
        process.arguments = [
            "-t", "-p", directory, "-c", directory + "/nginx.conf", "-e", directory + "/error.log",
        ]
        let output = Pipe()
        process.standardError = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        #expect(process.terminationStatus == 0 && text.contains("is successful"), "\(text)")
        #expect(NginxDirectory.problem(directory) == nil)
        #expect(NginxDirectory.problem("/runs/$x")?.contains("TMPDIR") == true)
    }

    @Test(
        .enabled(if: Programs.hasNginx, "apt-get install nginx libnginx-mod-rtmp"),
        arguments: [1, 2])
    func nginxStartsAndStops(workers: Int) async throws {
        let driver = NginxRTMPDriver(.init(workers: workers))
        let endpoints = try await driver.start()
        #expect(LocalPort.accepts(host: endpoints.rtmpHost, port: endpoints.rtmpPort))
        #expect(endpoints.application == "live")
        #expect(endpoints.httpFLVBase == nil)
        let group = try #require(await driver.processGroups.first)
        var members: [Int32] = []
        // One process alone, or master, workers and guard.
        let expected = workers == 1 ? 1 : workers + 2
        while members.count < expected { members = ProcFile.members(ofGroup: group) }
        #expect(members.count == expected)
        await driver.stop()
        #expect(!LocalPort.accepts(host: endpoints.rtmpHost, port: endpoints.rtmpPort))
        while !ProcFile.members(ofGroup: group).isEmpty {
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test(
        .enabled(
            if: Programs.hasNginx && FileManager.default.fileExists(atPath: "/usr/bin/ffmpeg"),
            "apt-get install nginx libnginx-mod-rtmp ffmpeg"))
    func nginxRelaysFromFFmpegToFFmpeg() async throws {
        let driver = NginxRTMPDriver(.init())
        let endpoints = try await driver.start()
        let url = "rtmp://\(endpoints.rtmpHost):\(endpoints.rtmpPort)/live/a"
        let publisher = try ChildProcess(
            name: "ffmpeg",
            .init(
                path: "/usr/bin/ffmpeg",
                arguments: [
                    "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i",
                    "testsrc2=s=64x64:r=10:d=30", "-c:v",
                    "flv1", "-g", "5", "-f", "flv", url,
                ]))
        let player = try ChildProcess(
            name: "player",
            .init(
                path: "/usr/bin/ffmpeg",
                arguments: [
                    "-nostdin", "-v", "error", "-t", "20", "-i", url, "-frames:v", "5", "-f",
                    "framemd5", "-",
                ]))
        var frames = 0
        for await case .line(let bytes) in player.lines() where bytes.first != 0x23 { frames += 1 }
        #expect(frames == 5)
        #expect(await player.wait().isSuccess)
        _ = await publisher.terminate()
        await driver.stop()
    }

    /// A runner that was killed leaves nginx's directory; the next run removes it, and no other.
    @Test func staleDirectoriesAreSwept() async throws {
        let parent = NSTemporaryDirectory() + "millrace-sweep-\(UUID())"
        let files = FileManager.default
        defer { try? files.removeItem(atPath: parent) }
        let ended = try ChildProcess(
            name: "sh", .init(path: "/bin/sh", arguments: ["-c", "exit 0"]))
        _ = await ended.wait()
        let names = [
            "millrace-nginx-\(ended.pid)-AB-CD", "millrace-nginx-\(getpid())-AB-CD",
            "millrace-nginx-x", "other-\(ended.pid)-AB",
        ]
        for name in names {
            try files.createDirectory(
                atPath: "\(parent)/\(name)", withIntermediateDirectories: true)
        }
        NginxDirectory.sweep(in: parent)
        #expect(try files.contentsOfDirectory(atPath: parent).sorted() == names[1...].sorted())
    }

    @Test func missingNginxSaysHowToInstall() async {
        let driver = NginxRTMPDriver(.init(nginxPath: "/no/nginx"))
        let error = await #expect(throws: StackError.self) { try await driver.start() }
        #expect(error?.message.contains("apt-get install") == true)
    }

    @Test func externalURLs() throws {
        let driver = try ExternalDriver(url: "rtmp://[::1]:1936/live/", httpURL: "http://h/live/")
        #expect(driver.endpoints.rtmpHost == "::1")
        #expect(driver.endpoints.rtmpPort == 1936)
        #expect(driver.endpoints.application == "live")
        #expect(driver.endpoints.httpFLVBase == "http://h/live")
        for bad in ["http://h/live", "rtmp://h", "rtmp:///live", "h"] {
            #expect(throws: StackError.self) { try ExternalDriver(url: bad, httpURL: nil) }
        }
    }

    @Test func unreachableServerIsAnError() async throws {
        let port = try #require(LocalPort.free())
        let driver = try ExternalDriver(url: "rtmp://127.0.0.1:\(port)/live", httpURL: nil)
        await #expect(throws: StackError.self) { try await driver.start() }
    }
}
