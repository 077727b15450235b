import Foundation
import Logging
import NIOCore
import Sockets
import Synchronization
import TestServer
import TestSupport
import Testing

@testable import Server

/// The server runs over TLS, with programs of other projects and our own as clients.
@Suite(
    .enabled(if: Shell.has("openssl", "curl"), "apt-get install openssl curl"),
    .timeLimit(.minutes(2)))
struct TLSTests {
    private func withSecureServer(
        _ files: TLSFilesOfTest, _ configure: (inout ServerConfiguration) -> Void = { _ in },
        _ body: (RelayServer) async throws -> Void
    ) async throws {
        try await withServer(
            {
                $0.rtmpsPort = 0
                $0.httpsPort = 0
                $0.tls = TLSFiles(certificate: files.certificate, key: files.key)
                $0.hls = HLSConfiguration()
                $0.hls?.segmentSeconds = 1
                configure(&$0)
            }, body)
    }

    /// Returns the status of the response that curl got (0 if it got none), and curl's own exit
    /// code.
    private func curl(_ url: String, _ arguments: String...) async throws -> (
        status: Int, code: Int32, text: String
    ) {
        let result = try await Shell.run(
            ["curl", "-sS", "-m", "20", "-w", "\n%{http_code}"] + arguments + [url])
        let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
        return (
            Int(lines.last ?? "") ?? 0, result.status,
            lines.dropLast().joined(separator: "\n") + result.errors
        )
    }

    /// Publishes a synthetic stream over TLS by ffmpeg, for the time of `body`.
    private func withFFmpeg(
        _ url: String, _ arguments: [String], _ body: () async throws -> Void
    ) async throws {
        let publisher = Process()
        publisher.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        publisher.arguments =
            [
                "timeout", "-k", "1", "90", "ffmpeg", "-nostdin", "-v", "error", "-re", "-f",
                "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-c:v", "libx264", "-preset",
                "ultrafast", "-tune", "zerolatency", "-g", "25",
            ] + arguments + ["-f", "flv", url]
        publisher.standardInput = FileHandle.nullDevice
        publisher.standardOutput = FileHandle.nullDevice
        publisher.standardError = FileHandle.nullDevice
        try publisher.run()
        defer { publisher.terminate() }
        try await body()
    }

    @Test(.enabled(if: Shell.has("ffmpeg", "ffprobe"), "apt-get install ffmpeg"))
    func ffmpegPublishesAndOthersRead() async throws {
        let authority = try await TestAuthority()
        try await withSecureServer(try await authority.issue()) { server in
            let rtmps = "rtmps://127.0.0.1:\(try #require(server.rtmpsPort))/live/a"
            let https = "https://127.0.0.1:\(try #require(server.httpsPort))"
            let trust = ["-tls_verify", "1", "-ca_file", authority.authority]
            try await withFFmpeg(rtmps, trust) {
                try await eventually("ffmpeg's frames come over rtmps") {
                    try await server.stream()?.videoFrames ?? 0 > 25
                }
                let probe =
                    ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv"]
                    + trust
                for url in [
                    "\(https)/live/a.flv", "\(https)/hls/live/a/index.m3u8", rtmps,
                ] {
                    let found = try await Shell.run(probe + [url])
                    #expect(found.output.contains("stream,h264"), "\(url): \(found.errors)")
                }
                let playlist = try await curl(
                    "\(https)/hls/live/a/index.m3u8", "--cacert", authority.authority)
                #expect(playlist.status == 200 && playlist.text.hasPrefix("#EXTM3U"))
                let status = try await curl(
                    "\(https)/api/v1/status", "--cacert", authority.authority)
                #expect(status.status == 200 && status.text.contains("isPublished"))
                let unknown = try await curl("\(https)/api/v1/status")
                #expect(unknown.code == 60, "\(unknown)")
                // The plain ports work as before.
                let plain = try await curl(
                    "http://127.0.0.1:\(try #require(server.httpPort))/api/v1/status")
                #expect(plain.status == 200)
            }
        }
    }

    /// The commands publish, view and validate-hls accept a private authority, and refuse one that
    /// they do not know.
    @Test(.enabled(if: Shell.millrace != nil, "millrace is not built"))
    func ownClientsTrustAPrivateAuthority() async throws {
        let authority = try await TestAuthority()
        let program = try #require(Shell.millrace)
        try await withSecureServer(try await authority.issue()) { server in
            let rtmps = "rtmps://127.0.0.1:\(try #require(server.rtmpsPort))/live/a"
            let https = "https://127.0.0.1:\(try #require(server.httpsPort))"
            let publisher = Process()
            publisher.executableURL = URL(fileURLWithPath: program)
            publisher.arguments = [
                "publish", rtmps, "--ca", authority.authority, "--duration", "60", "--gop", "1",
            ]
            publisher.standardOutput = FileHandle.nullDevice
            publisher.standardError = FileHandle.nullDevice
            try publisher.run()
            defer { publisher.terminate() }
            try await eventually("the publisher's frames come over rtmps") {
                try await server.stream()?.hls?.listedSegments ?? 0 > 3
            }
            for arguments in [
                ["view", rtmps, "--count", "3", "--duration", "2"],
                ["view", "\(https)/live/a.flv", "--count", "3", "--duration", "2"],
                ["view", "\(https)/hls/live/a/index.m3u8", "--count", "2", "--duration", "4"],
                ["validate-hls", "\(https)/hls/live/a/index.m3u8", "--seconds", "3"],
            ] {
                let trusted = try await Shell.run(
                    [program] + arguments + ["--ca", authority.authority], limit: 20)
                #expect(
                    trusted.status == 0, "\(arguments): \(trusted.output) \(trusted.errors)")
                let refused = try await Shell.run([program] + arguments, limit: 20)
                #expect(refused.status != 0, "\(arguments)")
                let text = refused.output + refused.errors
                #expect(text.contains("certificate is not trusted"), "\(arguments): \(text)")
            }
            let refused = try await Shell.run([
                program, "publish", rtmps + "b", "--duration", "1",
            ])
            #expect(refused.status != 0)
            #expect(refused.errors.contains("certificate is not trusted"), "\(refused.errors)")
        }
    }

    @Test func certificatesAreReadAgain() async throws {
        let authority = try await TestAuthority()
        let files = try await authority.issue()
        try await withSecureServer(files) { server in
            let url = "https://127.0.0.1:\(try #require(server.httpsPort))/api/v1/status"
            #expect(try await curl(url, "--cacert", authority.authority).status == 200)
            // A bad file keeps the old certificate.
            try "nothing\n".write(toFile: files.certificate, atomically: true, encoding: .utf8)
            server.reload()
            #expect(try await curl(url, "--cacert", authority.authority).status == 200)
            let other = try await TestAuthority()
            let new = try await other.issue()
            for (from, to) in [(new.certificate, files.certificate), (new.key, files.key)] {
                try FileManager.default.removeItem(atPath: to)
                try FileManager.default.copyItem(atPath: from, toPath: to)
            }
            server.reload()
            #expect(try await curl(url, "--cacert", other.authority).status == 200)
            #expect(try await curl(url, "--cacert", authority.authority).code == 60)
        }
    }

    @Test func badFilesAreNamed() async throws {
        let authority = try await TestAuthority()
        let files = try await authority.issue()
        let other = try await authority.issue("other")
        func fault(_ certificate: String, _ key: String) -> String {
            do {
                _ = try TLSIdentity(TLSFiles(certificate: certificate, key: key))
                return ""
            } catch {
                return error.description
            }
        }
        #expect(fault(files.certificate, files.key) == "")
        #expect(fault(files.certificate, other.key).contains("does not belong to"))
        let missing = authority.directory + "/missing"
        #expect(fault(missing, files.key).contains("'\(missing)' cannot be read as a certificate"))
        #expect(fault(missing, files.key).contains("No such file"))
        #expect(fault(files.certificate, missing).contains("'\(missing)' cannot be read"))
        #expect(fault(files.certificate, files.certificate).contains("a private key"))
        #expect(fault(files.key, files.key).contains("certificate"))
        #expect(fault(authority.directory, files.key).contains("no regular file"))
    }

    /// Bytes that are not TLS end their connection, and others are served.
    @Test func strangersOnASecurePort() async throws {
        let authority = try await TestAuthority()
        try await withSecureServer(try await authority.issue()) { server in
            for port in [server.rtmpsPort, server.httpsPort] {
                let socket = try TCPSocket(port: try #require(port))
                try await socket.send(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
                while try await socket.receive() != nil {}
            }
            let url = "https://127.0.0.1:\(try #require(server.httpsPort))/metrics"
            #expect(try await curl(url, "--cacert", authority.authority).status == 200)
        }
    }

    @Test func edgeOverTLSOnBothSides() async throws {
        let authority = try await TestAuthority()
        let files = try await authority.issue()
        try await withSecureServer(files) { server in
            let origin = "https://127.0.0.1:\(try #require(server.httpsPort))"
            let peer = try await RTMPPeer(server)
            try await peer.publish("a")
            try await withEdge(
                before: 1,
                {
                    $0.origin = origin
                    $0.tls = TLSFiles(certificate: files.certificate, key: files.key)
                    $0.trust = TLSTrust(authorities: authority.authority)
                },
                { edge in
                    let answer = try await curl(
                        "https://127.0.0.1:\(edge.port)/hls/live/none/index.m3u8", "--cacert",
                        authority.authority)
                    #expect(answer.status == 404 && answer.text.contains("Nobody publishes"))
                })
            let other = try await TestAuthority()
            try await withEdge(
                before: 1,
                {
                    $0.origin = origin
                    $0.trust = TLSTrust(authorities: other.authority)
                },
                { edge in
                    let answer = try await curl("http://127.0.0.1:\(edge.port)/hls/live/a/x.m3u8")
                    #expect(answer.status == 502)
                    #expect(answer.text.contains("certificate is not trusted"), "\(answer.text)")
                })
        }
    }

    @Test func portsAndFilesBelongTogether() {
        var configuration = ServerConfiguration()
        configuration.rtmpsPort = 0
        #expect(configuration.problem?.contains("--tls-certificate") == true)
        configuration.tls = TLSFiles(certificate: "a", key: "b")
        #expect(configuration.problem == nil)
        configuration.rtmpsPort = nil
        #expect(configuration.problem?.contains("--https-port") == true)
    }
}
