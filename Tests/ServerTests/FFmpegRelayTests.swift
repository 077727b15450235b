import Foundation
import TestServer
import TestSupport
import Testing

@testable import Server

/// ffmpeg, rtmpdump and curl on both sides of the relay.
@Suite(
    .enabled(if: Shell.has("ffmpeg", "ffprobe"), "apt-get install ffmpeg"), .timeLimit(.minutes(2)))
struct FFmpegRelayTests {
    struct Case: CustomTestStringConvertible {
        var name: String
        var hasVideo = true
        var hasAudio = true
        var bFrames = 0

        var testDescription: String { name }

        func makeFile(_ path: String) async throws {
            var arguments = ["ffmpeg", "-nostdin", "-v", "error"]
            if hasVideo {
                arguments += ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=4"]
            }
            if hasAudio { arguments += ["-f", "lavfi", "-i", "sine=frequency=440:duration=4"] }
            if hasVideo {
                arguments += [
                    "-c:v", "libx264", "-preset", "veryfast", "-g", "25", "-bf", "\(bFrames)",
                    "-pix_fmt", "yuv420p",
                ]
            }
            if hasAudio { arguments += ["-c:a", "aac", "-b:a", "64k"] }
            let result = try await Shell.run(arguments + ["-f", "flv", path])
            try #require(result.status == 0, "\(result.errors)")
        }
    }

    static let cases = [
        Case(name: "video and audio"), Case(name: "B-frames", bFrames: 2),
        Case(name: "audio only", hasVideo: false), Case(name: "video only", hasAudio: false),
    ]

    /// Returns the packets' hashes of each kind of stream, in order.
    private func hashes(_ framemd5: String) -> [String: [String]] {
        var kinds: [String: String] = [:]
        var hashes: [String: [String]] = [:]
        for line in framemd5.split(separator: "\n") {
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

    private func isRun(_ part: [String], of whole: [String]) -> Bool {
        guard let first = part.first else { return false }
        return whole.indices.contains {
            whole[$0] == first && whole[$0...].starts(with: part)
        }
    }

    @Test(arguments: cases)
    func whatComesOutIsAGaplessRunOfTheSource(_ test: Case) async throws {
        let source = Shell.temporaryPath("flv")
        defer { try? FileManager.default.removeItem(atPath: source) }
        try await test.makeFile(source)
        let framemd5 = ["-c", "copy", "-f", "framemd5", "-"]
        let reference = hashes(
            try await Shell.run(["ffmpeg", "-nostdin", "-v", "error", "-i", source] + framemd5)
                .output)
        try await withServer { server in
            let url = "rtmp://127.0.0.1:\(server.rtmpPort)/live/a"
            let http = "http://127.0.0.1:\(try #require(server.httpPort))/live/a.flv"
            let dump = Shell.temporaryPath("flv")
            let download = Shell.temporaryPath("flv")
            defer {
                for path in [dump, download] { try? FileManager.default.removeItem(atPath: path) }
            }
            async let pulled = Shell.run(
                ["ffmpeg", "-nostdin", "-v", "error", "-i", url, "-map", "0:v?", "-map", "0:a?"]
                    + framemd5)
            async let dumped =
                Shell.has("rtmpdump")
                ? Shell.run(["rtmpdump", "-q", "-v", "-r", url, "-o", dump]) : nil
            async let downloaded =
                Shell.has("curl")
                ? Shell.run(["curl", "-s", "-o", download, http]) : nil
            let players = 1 + (Shell.has("rtmpdump") ? 1 : 0) + (Shell.has("curl") ? 1 : 0)
            try await eventually("all players wait") {
                let stream = try await server.stream()
                return (stream?.rtmpSubscribers ?? 0) + (stream?.flvSubscribers ?? 0) == players
            }
            let push = try await Shell.run([
                "ffmpeg", "-nostdin", "-v", "error", "-re", "-i", source, "-c", "copy", "-f", "flv",
                url,
            ])
            #expect(push.status == 0)
            #expect(push.errors == "")
            let pull = try await pulled
            #expect(pull.errors == "")
            let result = hashes(pull.output)
            #expect(Set(result.keys) == Set(reference.keys))
            for (kind, expected) in reference {
                let received = result[kind] ?? []
                #expect(isRun(received, of: expected), "\(kind): not a run of the source")
                #expect(received.count > expected.count / 2, "\(kind): \(received.count) frames")
            }
            if try await dumped != nil { try await expectGood(dump, test) }
            if let curl = try await downloaded {
                #expect(curl.status == 0)
                try await expectGood(download, test)
            }
        }
    }

    /// Expects that ffprobe finds the streams that were sent, and reads all packets without a
    /// message.
    private func expectGood(_ path: String, _ test: Case) async throws {
        let probe = try await Shell.run([
            "ffprobe", "-v", "warning", "-count_packets", "-show_entries",
            "stream=codec_name,nb_read_packets", "-of", "csv=p=0", path,
        ])
        #expect(probe.status == 0)
        #expect(probe.errors == "")
        let lines = probe.output.split(separator: "\n").map { $0.split(separator: ",") }
        let names = Set(lines.compactMap { $0.first.map(String.init) })
        #expect(
            names == Set((test.hasVideo ? ["h264"] : []) + (test.hasAudio ? ["aac"] : [])))
        for line in lines { #expect(Int(line.last ?? "") ?? 0 > 50) }
    }
}
