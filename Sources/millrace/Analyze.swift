import ArgumentParser
import Capture
import CaptureLive
import Foundation
import Glibc
import Statistics

struct Analyze: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Streams, rates and relay delays, HLS bytes by rendition, of a capture file (pcap or pcapng).",
        discussion: """
            tcpdump -i lo -w lo.pcap 'tcp port 1935'
            millrace analyze lo.pcap
            millrace analyze --live lo --port 1935 --duration 10
            A stream is known by its publish and play requests: start the capture before those.
            HTTP responses belong to the playlist that lists them, if it was captured too; else name
            them by their paths:  --rendition '/vod/*_720p/*=720p'
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
        try show(report)
        if let error {
            fail("\(file): \(error); \(report.capture.packets) packets before it were analysed")
        }
    }

    private func show(_ report: CaptureReport) throws {
        if json { try printJSON(report) } else { printTable(report) }
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
        var reader = PcapReader()
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
                reader.append(UnsafeRawBufferPointer(rebasing: piece[..<count]))
                while try analyzer.read(from: &reader) {}
            }
            try reader.finish()
            return nil
        } catch {
            return error
        }
    }

    private func printJSON(_ report: CaptureReport) throws {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(AnalysisJSON(report)), as: UTF8.self))
    }

    private func printTable(_ report: CaptureReport) {
        let capture = report.capture
        print(
            "capture   \(capture.packets) packets, \(capture.bytes) bytes in \(rounded(capture.durationSeconds)) s, \(capture.flows) connections"
        )
        var notes: [String] = []
        if capture.undissectedFlows > 0 {
            notes.append("\(capture.undissectedFlows) connections not understood")
        }
        if capture.gaps > 0 { notes.append("\(capture.gaps) gaps (\(capture.gapBytes) bytes)") }
        if let dropped = capture.droppedPackets { notes.append("\(dropped) packets dropped") }
        for port in capture.ports where port.undissectedFlows > 0 {
            notes.append(
                "port \(port.port): \(port.upstream.payloadBytes) bytes up, \(port.downstream.payloadBytes) down"
            )
        }
        if !notes.isEmpty { print("          \(notes.joined(separator: ", "))") }
        for stream in report.streams {
            let names = stream.app.isEmpty ? stream.name : "\(stream.app)/\(stream.name)"
            print(
                "\(names): \(stream.subscribers) subscribers, payload \(number(stream.payloadKbps)) kbit/s, wire \(number(stream.wireKbps)) kbit/s, retransmitted \(stream.retransmittedBytes) bytes"
            )
            if let delay = stream.relayDelay, delay.count > 0 {
                print(
                    "  relay delay of \(delay.count) messages: mean \(number(delay.meanMilliseconds)) p50 \(number(delay.milliseconds(atPercentile: 50))) p90 \(number(delay.milliseconds(atPercentile: 90))) p99 \(number(delay.milliseconds(atPercentile: 99))) max \(number(delay.maximumMilliseconds)) ms"
                )
            }
            for viewer in stream.viewers {
                let counts = viewer.messages
                print(
                    "  \(viewer.transport.rawValue) port \(viewer.clientPort): \(viewer.payloadBytes) bytes of media, wire \(number(viewer.wireKbps)) kbit/s, matched \(counts.matched) burst \(counts.burst) unmatched \(counts.unmatched) missing \(counts.missing)\(viewer.isDissected ? "" : ", counted by headers")"
                )
            }
        }
        printHTTP(report.http)
    }

    private func printHTTP(_ rows: [HTTPTrafficRow]) {
        for row in rows {
            let failures = row.failures > 0 ? ", \(row.failures) failed" : ""
            print(
                "\(row.rendition) \(row.kind.rawValue): \(row.responses) responses\(failures), payload \(row.payloadBytes) bytes, wire \(row.wireBytes) bytes, retransmitted \(row.retransmittedBytes) bytes"
            )
        }
    }

    private func number(_ value: Double?) -> String { value.map { rounded($0) } ?? "-" }
}

/// What `analyze --json` prints; the keys are fixed, more may come.
private struct AnalysisJSON: Encodable {
    /// A figure that is null, not left out, where there is none.
    struct Figure: Encodable {
        var value: Double?

        init(_ value: Double?) { self.value = value }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            if let value { try container.encode(value) } else { try container.encodeNil() }
        }
    }

    struct Delay: Encodable {
        var count: Int
        var mean, p50, p90, p99, max: Figure
    }

    struct Viewer: Encodable {
        var client, `protocol`: String
        var clientPort, payloadBytes, wireBytes, networkBytes, tcpPayloadBytes: Int
        var segments, retransmittedBytes, matched, unmatched, burst, missing: Int
        var dissected, mssAssumed: Bool
        var wireKbps: Figure
    }

    struct Stream: Encodable {
        var name, app: String
        var publishers, subscribers: Int
        var subscribersByProtocol: [String: Int]
        var payloadKbps, wireKbps: Figure
        var retransmittedBytes: Int
        var relayDelayMs: Delay
        var ingressPayloadBytes, ingressMessages: Int?
        var matched, unmatched, burst, missing: Int
        var viewers: [Viewer]
    }

    struct Capture: Encodable {
        var packets, bytes: Int
        var durationS: Double
        var flows, undissectedFlows, ignoredFlows, gaps, gapBytes: Int
        var outOfOrderSegments, ipFragments, duplicates, malformedPackets: Int
        var droppedPackets: Int?
        var ports: [Port]
    }

    struct Port: Encodable {
        var port, flows, undissectedFlows: Int
        var upstreamTcpPayloadBytes, upstreamWireBytes: Int
        var downstreamTcpPayloadBytes, downstreamWireBytes: Int
    }

    struct HTTPRow: Encodable {
        var rendition, kind: String
        var responses, failures, tcpPayloadBytes, wireBytes, retransmittedBytes: Int
    }

    var streams: [Stream]
    var http: [HTTPRow]
    var capture: Capture

    init(_ report: CaptureReport) {
        streams = report.streams.map(Stream.init)
        http = report.http.map {
            HTTPRow(
                rendition: $0.rendition, kind: $0.kind.rawValue, responses: $0.responses,
                failures: $0.failures, tcpPayloadBytes: $0.payloadBytes, wireBytes: $0.wireBytes,
                retransmittedBytes: $0.retransmittedBytes)
        }
        let summary = report.capture
        capture = Capture(
            packets: summary.packets, bytes: summary.bytes, durationS: summary.durationSeconds,
            flows: summary.flows, undissectedFlows: summary.undissectedFlows,
            ignoredFlows: summary.ignoredFlows, gaps: summary.gaps, gapBytes: summary.gapBytes,
            outOfOrderSegments: summary.outOfOrderSegments,
            ipFragments: summary.ipFragments, duplicates: summary.duplicates,
            malformedPackets: summary.malformedPackets, droppedPackets: summary.droppedPackets,
            ports: summary.ports.map {
                Port(
                    port: Int($0.port), flows: $0.flows, undissectedFlows: $0.undissectedFlows,
                    upstreamTcpPayloadBytes: $0.upstream.payloadBytes,
                    upstreamWireBytes: $0.upstream.linkBytes,
                    downstreamTcpPayloadBytes: $0.downstream.payloadBytes,
                    downstreamWireBytes: $0.downstream.linkBytes)
            })
    }
}

extension AnalysisJSON.Stream {
    fileprivate init(_ stream: StreamReport) {
        let delay = stream.relayDelay
        let counts = stream.viewers.map(\.messages)
        self.init(
            name: stream.name, app: stream.app, publishers: stream.publishers,
            subscribers: stream.subscribers, subscribersByProtocol: stream.subscribersByProtocol,
            payloadKbps: .init(stream.payloadKbps), wireKbps: .init(stream.wireKbps),
            retransmittedBytes: stream.retransmittedBytes,
            relayDelayMs: AnalysisJSON.Delay(
                count: delay?.count ?? 0, mean: .init(delay?.meanMilliseconds),
                p50: .init(delay?.milliseconds(atPercentile: 50)),
                p90: .init(delay?.milliseconds(atPercentile: 90)),
                p99: .init(delay?.milliseconds(atPercentile: 99)),
                max: .init(delay?.maximumMilliseconds)),
            ingressPayloadBytes: stream.ingress?.payloadBytes,
            ingressMessages: stream.ingress.map { $0.audioMessages + $0.videoMessages },
            matched: counts.reduce(0) { $0 + $1.matched },
            unmatched: counts.reduce(0) { $0 + $1.unmatched },
            burst: counts.reduce(0) { $0 + $1.burst },
            missing: counts.reduce(0) { $0 + $1.missing },
            viewers: stream.viewers.map(AnalysisJSON.Viewer.init))
    }
}

extension AnalysisJSON.Viewer {
    fileprivate init(_ viewer: SubscriberReport) {
        let traffic = viewer.traffic
        let counts = viewer.messages
        self.init(
            client: viewer.clientAddress, protocol: viewer.transport.rawValue,
            clientPort: Int(viewer.clientPort), payloadBytes: viewer.payloadBytes,
            wireBytes: traffic.linkBytes, networkBytes: traffic.networkBytes,
            tcpPayloadBytes: traffic.payloadBytes, segments: traffic.segments,
            retransmittedBytes: traffic.retransmittedBytes, matched: counts.matched,
            unmatched: counts.unmatched, burst: counts.burst, missing: counts.missing,
            dissected: viewer.isDissected, mssAssumed: traffic.mssAssumed,
            wireKbps: .init(viewer.wireKbps))
    }
}
