import Foundation
import HLS
import HTTPFetch
import HTTPWire
import NIOCore
import TestSupport
import Testing

@testable import HLSValidation

/// The validator follows a live server that has one fault, and reports that fault.
@Suite(.timeLimit(.minutes(2))) struct LiveInspectionTests {
    private func inspect(
        _ fault: LiveStream.Fault, seconds: Double
    ) async throws -> InspectionReport {
        let stream = LiveStream(fault)
        let origin = try await TestOrigin { await stream.answer($0) }
        var options = InspectionOptions()
        options.seconds = seconds
        let report = try await PresentationInspector.inspect(
            "http://127.0.0.1:\(origin.port)/live/index.m3u8", options: options)
        try await origin.stop()
        return report
    }

    @Test func aCleanStreamBreaksNothing() async throws {
        let report = try await inspect(.none, seconds: 3)
        #expect(report.violations == [])
        #expect(report.isLive)
        #expect(report.reloads >= 3)
        #expect(report.segments >= 12)
    }

    @Test(
        arguments: [
            (.answersEarly, "blocking-reload-early"), (.takesAnyNumber, "blocking-reload-too-far"),
            (.skipsTooMany, "skip-count"), (.forgetsRemoved, "removed-segment-gone"),
            (.losesSegment, "segment-unfetchable"), (.hasNoCORS, "cors-missing"),
            (.cachesPlaylist, "cache-playlist"), (.restartsNumbers, "segment-changed"),
            (.refusesBlocking, "blocking-reload-failed"), (.isSlow, "playlist-stale"),
        ] as [(LiveStream.Fault, String)])
    func faultsAreFound(fault: LiveStream.Fault, rule: String) async throws {
        let report = try await inspect(fault, seconds: fault == .isSlow ? 5 : 2.5)
        #expect(
            report.violations.contains { $0.rule.id == rule },
            "\(report.violations)")
    }

    /// An interrupted inspection reports the findings until then, and blames nobody for the end of
    /// waiting.
    @Test func interruptedTellsWhatItFound() async throws {
        let stream = LiveStream(.hasNoCORS)
        let (asked, askedNow) = AsyncStream.makeStream(of: Void.self)
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        let origin = try await TestOrigin { uri in
            // Blocking reloads, which come after the first segments, wait.
            if uri.contains("_HLS_msn") {
                askedNow.yield()
                for await _ in released {}
            }
            return await stream.answer(uri)
        }
        var options = InspectionOptions()
        options.seconds = 3600
        options.timeoutSeconds = 600
        let work = Task { [options] in
            try await PresentationInspector.inspect(
                "http://127.0.0.1:\(origin.port)/live/index.m3u8", options: options)
        }
        for await _ in asked { break }
        work.cancel()
        let report = try await work.value
        release.finish()
        #expect(report.isInterrupted && report.segments > 0)
        #expect(Set(report.violations.map(\.rule)) == [.noCORS])
        try await origin.stop()
    }

    @Test func whatIsNoPlaylistIsExplained() async throws {
        let origin = try await TestOrigin { uri in
            uri == "/a.m3u8" ? .init(body: .init(string: "<html>")) : .init(status: 404)
        }
        let base = "http://127.0.0.1:\(origin.port)"
        let report = try await PresentationInspector.inspect("\(base)/a.m3u8")
        #expect(report.violations.map(\.rule) == [.unreadable])
        for (target, words) in [
            ("\(base)/b.m3u8", "404"), ("ftp://x/a.m3u8", "no URL of http:// or https://"),
            ("http://:1/", "no host"), ("/no/such/file", "https:// URL, a playlist file"),
        ] {
            let error = await #expect(throws: FetchError.self) {
                try await PresentationInspector.inspect(target)
            }
            #expect(error?.description.contains(words) == true)
        }
        try await origin.stop()
    }

    @Test func referencesAreResolved() {
        let base = "http://h:1/a/b/c.m3u8?x=1"
        for (reference, result) in [
            ("d.ts", "http://h:1/a/b/d.ts"), ("../d.ts?y=../z", "http://h:1/a/d.ts?y=../z"),
            ("/d.ts", "http://h:1/d.ts"), ("//i/d.ts", "http://i/d.ts"),
            ("https://i/d", "https://i/d"), ("../../../d", "http://h:1/d"),
            ("./d/./e", "http://h:1/a/b/d/e"), ("?y=2", "http://h:1/a/b/c.m3u8?y=2"),
            ("#part", "http://h:1/a/b/c.m3u8?x=1#part"),
        ] {
            #expect(URIReference.resolve(reference, against: base) == result)
        }
        #expect(URIReference.resolve("s/1.ts", against: "dir/i.m3u8") == "dir/s/1.ts")
        #expect(URIReference.resolve("../1.ts", against: "i.m3u8") == "../1.ts")
        #expect(
            URIReference.adding([("a", "1")], to: "http://h/p?q=1") == "http://h/p?q=1&a=1")
    }
}

/// The validator inspects ffmpeg's own playlists and segments.
@Suite(.timeLimit(.minutes(2))) struct FileInspectionTests {
    static let hasFFmpeg = Shell.has("ffmpeg")

    /// Makes six seconds of a small picture with a key frame every `keyFrames` frames of 25 a
    /// second.
    private func withHLS(
        _ arguments: [String], keyFrames: Int = 50, _ body: (String) async throws -> Void
    ) async throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("millrace-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            [
                "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i",
                "testsrc2=size=160x90:rate=25:duration=6", "-f", "lavfi", "-i",
                "sine=duration=6", "-c:v", "libx264", "-preset", "ultrafast", "-g", "\(keyFrames)",
                "-sc_threshold", "0", "-c:a", "aac", "-f", "hls", "-hls_time", "2",
                "-hls_playlist_type", "vod",
            ] + arguments + ["\(directory)/index.m3u8"]
        process.standardInput = FileHandle.nullDevice
        try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in continuation.resume() }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        try #require(process.terminationStatus == 0)
        try await body(directory)
    }

    @Test(
        .enabled(if: hasFFmpeg, "apt-get install ffmpeg"),
        arguments: [
            ["-hls_flags", "independent_segments"],
            ["-hls_flags", "independent_segments", "-hls_segment_type", "fmp4"],
            ["-hls_flags", "single_file"],
        ])
    func ffmpegBreaksNothing(arguments: [String]) async throws {
        try await withHLS(arguments) { directory in
            let report = try await PresentationInspector.inspect(directory)
            // For fMP4, ffmpeg writes version 7 although 6 would do.
            #expect(report.violations.allSatisfy { $0.rule == .versionTooHigh })
            #expect(report.errors == 0)
            #expect(report.segments == 3)
            #expect(!report.isLive)
        }
    }

    @Test(
        .enabled(if: hasFFmpeg, "apt-get install ffmpeg"),
        arguments: ["mpegts", "fmp4"])
    func segmentsThatBeginWithinAGroupAreFound(type: String) async throws {
        try await withHLS(
            ["-hls_flags", "split_by_time", "-hls_segment_type", type],
            keyFrames: 140
        ) { directory in
            // ffmpeg does not declare independent segments if they are not independent.
            let path = "\(directory)/index.m3u8"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            var report = try await PresentationInspector.inspect(directory)
            #expect(report.violations.count { $0.rule == .keyFrameMissing } == 2)
            try text.replacing("#EXTM3U\n", with: "#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n")
                .write(toFile: path, atomically: true, encoding: .utf8)
            report = try await PresentationInspector.inspect(directory)
            #expect(
                report.violations.count { $0.rule == .notIndependent } == 2,
                "\(report.violations)")
        }
    }

    @Test(.enabled(if: hasFFmpeg, "apt-get install ffmpeg"))
    func brokenDirectories() async throws {
        try await withHLS(["-hls_segment_type", "fmp4"]) { directory in
            let path = "\(directory)/index.m3u8"
            let text = try String(contentsOfFile: path, encoding: .utf8)
                .replacing("VERSION:7", with: "VERSION:6")
            func rules(_ from: String, _ to: String) async throws -> Set<String> {
                try text.replacing(from, with: to).write(
                    toFile: path, atomically: true, encoding: .utf8)
                return Set(
                    try await PresentationInspector.inspect(path).violations.map(\.rule.id))
            }
            #expect(text.contains("#EXTINF:2.000000,"))
            #expect(try await rules("", "") == [])
            #expect(try await rules("index1.m4s", "gone.m4s") == ["segment-unfetchable"])
            #expect(try await rules("init.mp4", "gone.mp4").contains("init-unfetchable"))
            #expect(try await rules("init.mp4", "index0.m4s").contains("init-invalid"))
            #expect(
                try await rules("#EXTINF:2.000000,\nindex0", "#EXTINF:1.500000,\nindex0") == [
                    "extinf-differs-from-media"
                ])
            try
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000,CODECS=\"avc1.64001f\",RESOLUTION=160x90,FRAME-RATE=25\nindex.m3u8\n"
                .write(toFile: "\(directory)/all.m3u8", atomically: true, encoding: .utf8)
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            let report = try await PresentationInspector.inspect(directory)
            #expect(report.violations.map(\.rule) == [.bandwidthExceeded])
        }
    }
}
