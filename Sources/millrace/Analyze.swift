import ArgumentParser
import Capture
import CaptureLive
import Foundation
import Glibc
import Statistics

struct Analyze: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Streams, rates and relay delays, HLS bytes by rendition, of a capture file (pcap or pcapng, also gzip-compressed).",
        discussion: """
            tcpdump -i lo -w lo.pcap 'tcp port 1935'
            millrace analyze lo.pcap
            millrace analyze --live lo --port 1935 --duration 10
            A stream is known by its publish and play requests: start the capture before those.
            HTTP responses belong to the playlist that lists them, if it was captured too; else name
            them by their paths:  --rendition '/vod/*_720p/*=720p'
            What is not understood is listed under PASSED OVER, by reason, with what would mend it.
            """)

    @Argument(help: "The capture file; - = standard input.")
    var file: String?
    @Option(help: "Capture on this interface instead (as root or with CAP_NET_RAW).")
    var live: String?
    @Option(help: "Seconds to capture with --live.")
    var duration = 10
    @Option(help: "Also write what --live captures to this file.")
    var write: String?
    @Flag(help: "Print JSON.")
    var json = false
    @Option(parsing: .upToNextOption, help: "Look only at connections to these server ports.")
    var port: [Int] = []

    @Option(
        help:
            "PATH=NAME: HTTP responses whose path matches, * for any characters, and which no playlist lists. Repeatable."
    )
    var rendition: [String] = []

    private func patterns() throws -> [HTTPPathPattern] {
        try rendition.map { text in
            guard let equals = text.lastIndex(of: "="), equals != text.startIndex,
                text.index(after: equals) != text.endIndex
            else {
                throw ValidationError(
                    "--rendition is '\(text)'; it takes PATH=NAME, for example '/vod/*_720p/*=720p'"
                )
            }
            return HTTPPathPattern(
                path: String(text[..<equals]), rendition: String(text[text.index(after: equals)...])
            )
        }
    }

    func validate() throws {
        _ = try patterns()
        for port in port { try check(port, in: 1...65_535, "--port") }
        try check(duration, in: 1...86_400, "--duration")
        guard (file == nil) != (live == nil) else {
            throw ValidationError("name either a capture file or an interface with --live")
        }
    }

    func run() throws {
        var options = CaptureOptions()
        options.serverPorts = Set(port.map { UInt16($0) })
        options.httpPatterns = try patterns()
        if let live {
            try capture(live, options)
            return
        }
        let file = file ?? "-"
        var analyzer = CaptureAnalyzer(options: options)
        let error = try read(file, into: &analyzer)
        analyzer.finish()
        let report = analyzer.report()
        if let error, error.code != .truncated, report.capture.packets == 0 {
            fail("\(file): \(error)")
        }
        try show(report, problem: error)
        if let error {
            fail("\(file): \(error); \(report.capture.packets) packets before it were analysed")
        }
    }

    /// - Parameter problem: why the report is of a part of the capture only.
    private func show(_ report: CaptureReport, problem: CaptureError? = nil) throws {
        if json {
            try printJSON(AnalysisJSON(report, problem: problem?.message))
        } else {
            AnalysisText(report: report).show()
        }
    }

    private func capture(_ interface: String, _ options: CaptureOptions) throws {
        do throws(CaptureError) {
            let capture = try LiveCapture(
                interface: interface, filter: LiveCapture.filter(serverPorts: options.serverPorts),
                options: options, dumpPath: write)
            capture.start()
            sleep(UInt32(duration))
            let snapshot = capture.stop()
            if let problem = snapshot.problem { say("millrace: \(problem)") }
            try? show(snapshot.report)
        } catch {
            fail("\(error)")
        }
    }

    /// Feeds the file in pieces of 1 MiB. Returns what is wrong with its contents.
    private func read(_ file: String, into analyzer: inout CaptureAnalyzer) throws -> CaptureError?
    {
        let descriptor = file == "-" ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            fail("cannot open \(file): \(String(cString: strerror(errno)))", code: 2)
        }
        defer { close(descriptor) }
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { piece.deallocate() }
        let reader = CaptureFileReader()
        do {
            while true {
                let count = Glibc.read(descriptor, piece.baseAddress!, piece.count)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else {
                    fail(
                        "cannot read \(file): \(String(cString: strerror(errno)))",
                        code: errno == EISDIR ? 2 : 1)
                }
                guard count > 0 else { break }
                try analyzer.read(
                    UnsafeRawBufferPointer(rebasing: piece[..<count]), from: reader)
            }
            try reader.finish()
            return nil
        } catch {
            return error
        }
    }

    private func printJSON(_ analysis: AnalysisJSON) throws {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(analysis), as: UTF8.self), isJSON: true)
    }
}
