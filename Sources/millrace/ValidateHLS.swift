import ArgumentParser
import Foundation
import Glibc
import HLS
import HLSValidation
import Results
import Statistics

struct ValidateHLS: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate-hls",
        abstract: "Check HLS playlists, segments and a server's answers against RFC 8216.",
        discussion: """
            millrace validate-hls http://127.0.0.1:8080/hls/live/demo/index.m3u8
            millrace validate-hls recording/           (a directory with its playlist)
            millrace validate-hls index.m3u8 --json

            A live URL is followed for --seconds: reloads, blocking reloads, delta updates and removed
            segments are checked too. Each finding has a rule, its section and a severity: error, warning,
            or not-checked where this program does not look into something. Exit code 0
            without errors, 99 with, 105 interrupted: then what was found until then is printed.
            """)

    @Argument(help: "http:// or https:// URL, playlist file, or directory with one.")
    var target: String
    @Option(help: "Seconds for which live playlists are followed, 0 to 86400.")
    var seconds = 30.0
    @Option(help: "Segments to fetch of each playlist, 0 to 100000; 0 = playlists alone.")
    var segments = 200
    @Option(help: "Seconds to wait for an answer, 1 to 600.")
    var timeout = 15.0
    @OptionGroup var tls: TLSOptions
    @Flag(help: "Print the report as JSON.")
    var json = false

    func validate() throws {
        try check(seconds, in: 0...86_400, "--seconds")
        try check(segments, in: 0...100_000, "--segments")
        try check(timeout, in: 1...600, "--timeout")
    }

    func run() async throws {
        do {
            try PresentationInspector.check(target)
        } catch {
            fail("\(error)", code: 2)
        }
        var options = InspectionOptions()
        options.seconds = seconds
        options.segmentLimit = segments
        options.timeoutSeconds = timeout
        options.trust = tls.trust
        let work = Task { [target, options] in
            try await PresentationInspector.inspect(target, options: options)
        }
        let watch = Task {
            if await Interruption.wait() { work.cancel() }
        }
        let report: InspectionReport
        do {
            report = try await work.value
        } catch {
            fail(Redaction.urls(in: "\(error)"), code: work.isCancelled ? 105 : 1)
        }
        watch.cancel()
        await watch.value
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            let text = String(decoding: try encoder.encode(report), as: UTF8.self)
            print(Redaction.urls(in: text), isJSON: true)
        } else {
            for violation in report.violations {
                print(Redaction.urls(in: violation.description))
            }
            if report.omitted > 0 { print("… and \(report.omitted) more of the same kinds") }
            print(
                "\(Figure.count(report.errors, "error")), \(Figure.count(report.warnings, "warning"))\(unchecked(report)) in \(Figure.count(report.playlists, "media playlist")), \(Figure.count(report.segments, "segment")), \(Figure.count(report.reloads, "reload"))"
            )
        }
        fflush(nil)
        if report.isInterrupted { throw ExitCode(105) }
        if report.errors > 0 { throw ExitCode(99) }
    }

    private func unchecked(_ report: InspectionReport) -> String {
        report.notChecked == 0 ? "" : ", \(report.notChecked) not checked"
    }
}
