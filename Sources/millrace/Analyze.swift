import ArgumentParser
import Capture
import CaptureLive
import Glibc
import Results

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
        let problem: CaptureError?
        do throws(CaptureFile.Fault) {
            problem = try CaptureFile(path: file).read(into: &analyzer)
        } catch {
            fail(error.description, code: error.isWrongPath ? 2 : 1)
        }
        analyzer.finish()
        let report = analyzer.report()
        if let problem, problem.code != .truncated, report.capture.packets == 0 {
            fail("\(file): \(problem)")
        }
        try show(report, problem: problem)
        if let problem {
            fail("\(file): \(problem); \(report.capture.packets) packets before it were analysed")
        }
    }

    /// - Parameter problem: Reason why the report covers only a part of the capture; nil = it
    ///   covers all.
    private func show(_ report: CaptureReport, problem: CaptureError? = nil) throws {
        if json {
            let analysis = AnalysisJSON(report, problem: problem?.message)
            print(try ResultsJSON.text(analysis), isJSON: true, terminator: "")
        } else {
            for line in AnalysisText(report).lines { print(line) }
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
}
