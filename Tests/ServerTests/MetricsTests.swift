import Foundation
import HLS
import Statistics
import TestSupport
import Testing

@testable import Server

/// What Prometheus reads.
@Suite struct MetricsTests {
    @Test func theWriterKeepsTheOrderAndEscapes() {
        var page = MetricsText()
        page.add(
            "b_total", .counter, "One\nand \\ and \"two\".",
            [
                .init(1, ["of": "a\\b\"c\nd", "and": ""]),
                .init(2, ["of": "é", "and": "{},= "]),
            ])
        page.add("none", .gauge, "It has no samples.", [])
        page.add("a", .gauge, "It has no labels.", [.init(-0.5)])
        let expected = #"""
            # HELP b_total One\nand \\ and "two".
            # TYPE b_total counter
            b_total{of="a\\b\"c\nd",and=""} 1
            b_total{of="é",and="{},= "} 2
            # HELP a It has no labels.
            # TYPE a gauge
            a -0.5

            """#
        #expect(page.text == expected)
    }

    @Test(
        arguments: [
            (Double.nan, "NaN"), (Double.infinity, "+Inf"), (-Double.infinity, "-Inf"),
            (0, "0.0"), (1e20, "1e+20"), (1_767_225_600.25, "1767225600.25"),
        ] as [(Double, String)])
    func numbers(value: Double, text: String) {
        var page = MetricsText()
        page.add("a", .gauge, "a", [.init(value)])
        #expect(page.text == "# HELP a a\n# TYPE a gauge\na \(text)\n")
    }

    private static let good = "# HELP millrace_a A.\n# TYPE millrace_a gauge\nmillrace_a 1\n"

    @Test func aGoodPageHasNoProblems() {
        let page = MetricsPage(Self.good)
        #expect(page.problems == [] && page.names == ["millrace_a"])
        #expect(page.values == ["millrace_a": 1])
    }

    /// The checker of pages finds what it is meant to find.
    @Test(
        arguments: [
            ("millrace_a 1\n", "millrace_a 1"), ("A.", ""), ("millrace_a", "a"),
            ("millrace_a", "millrace_aMs"), ("millrace_a", "millrace_wait_ms"),
            ("millrace_a", "millrace_a_total"), ("gauge", "counter"), ("gauge", "histogram"),
            ("# HELP millrace_a A.\n", ""), ("# TYPE millrace_a gauge\n", ""),
            ("millrace_a 1\n", ""), ("\nmillrace_a 1", "\nmillrace_b 1"),
            ("a 1", "a 1\nmillrace_a 2"), ("a 1", "a x"),
            ("a 1", "a{b=\"c\"} 1\nmillrace_a{b=\"c\"} 2"), ("a 1", "a{} 1"), ("a 1", "a{b=\"c} 1"),
            ("a 1", "a{b=\"\\t\"} 1"), ("a 1", "a{1b=\"c\"} 1"), ("a 1", "a{le=\"c\"} 1"),
            ("a 1", "a{b=\"c\"}1"),
            ("a 1", "a 1\n# HELP millrace_a A.\n# TYPE millrace_a gauge\nmillrace_a{b=\"c\"} 1"),
        ] as [(String, String)])
    func aBadPageHasProblems(part: String, bad: String) {
        let page = Self.good.replacingOccurrences(of: part, with: bad)
        #expect(!MetricsPage(page).problems.isEmpty, "\(page)")
    }

    // MARK: Pages with every metric

    private static let process: ProcessMetrics? = {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 7 0 1000 4096000 25 0"
        var process = ProcessMetrics(
            fields: fields.split(separator: " "), ticksPerSecond: 100, pageBytes: 4096,
            bootSeconds: 1e9)
        process?.openDescriptors = 12
        process?.descriptorLimit = 1024
        return process
    }()

    private static let serverPage: String = {
        var hls = ServerStatus.HLS(PackagedStream.Facts(), container: .fmp4)
        hls.segments = 7
        hls.strayFrames = 2
        hls.sentBytes = 5000
        let streams = [
            ServerStatus.Stream(
                name: "live/a\"b\\c\nd", isPublished: true, receivedBytes: 1000, videoFrames: 30,
                audioFrames: 50, keyFrames: 2, rtmpSubscribers: 3, flvSubscribers: 4,
                droppedFrames: 5, gopCacheBytes: 600, hls: hls),
            ServerStatus.Stream(
                name: "live/b", isPublished: false, receivedBytes: 0, videoFrames: 0,
                audioFrames: 0, keyFrames: 0, rtmpSubscribers: 0, flvSubscribers: 1,
                droppedFrames: 0, gopCacheBytes: 0),
        ]
        var status = ServerStatus(
            version: "1", streams: streams,
            ladders: [
                LadderStatus(
                    source: "live/b", mode: .perRendition,
                    renditions: [
                        .init(
                            name: "x", stream: "live/b_x", state: .backingOff, restarts: 2,
                            speed: 0.5)
                    ])
            ])
        var limits = ServerLimits()
        limits.players = 0
        status.usage = Admissions(limits).usage(
            publishers: 1, streams: 1, hlsBytes: 2000, gopCacheBytes: 600)
        status.refused = ["players": 4]
        status.relayedMessages = 80
        status.payloadCopies = 240
        status.senderThreads = 2
        let part = DelaySplitFigures.Part(
            count: 5, p50Milliseconds: 0.5, p99Milliseconds: 20, maximumMilliseconds: 30)
        status.delays = DelaySplitFigures(queueing: part, service: part, write: part)
        return ServerMetrics.text(status, MetricsTests.process)
    }()

    private static let edgePage: String = {
        var status = EdgeStatus(origin: "http://127.0.0.1:1")
        var counts = EdgeStatus.Counts()
        counts.requests = 100
        counts.hits = 50
        counts.misses = 30
        counts.collapsed = 15
        counts.refused = 5
        counts.privateFetches = 3
        counts.clientBytes = 1000
        status.kinds["segment"] = counts
        status.cachedBytes = 700
        status.cacheByteLimit = 4000
        return EdgeMetrics.text(status, refused: [.connectionsPerAddress: 6], MetricsTests.process)
    }()

    @Test func thePageOfTheServer() {
        let page = MetricsPage(Self.serverPage)
        #expect(page.problems == [])
        let name = #"stream="live/a\"b\\u{5c}c\\u{a}d""#
        let expected: [String: Double] = [
            "millrace_players": 0, "millrace_publishers": 1, "millrace_publishers_limit": 500,
            "millrace_hls_bytes": 2000, "millrace_hls_limit_bytes": Double(384 << 20),
            #"millrace_refused_total{limit="players"}"#: 4,
            "millrace_stream_published{\(name)}": 1,
            #"millrace_stream_published{stream="live/b"}"#: 0,
            "millrace_stream_received_bytes_total{\(name)}": 1000,
            "millrace_stream_received_frames_total{\(name),kind=\"audio\"}": 50,
            "millrace_stream_players{\(name),protocol=\"http-flv\"}": 4,
            "millrace_stream_hls_segments_total{\(name)}": 7,
            "millrace_stream_hls_lost_frames_total{\(name),reason=\"stray\"}": 2,
            #"millrace_encoder_state{source="live/b",stream="live/b_x",state="backing-off"}"#: 1,
            #"millrace_encoder_state{source="live/b",stream="live/b_x",state="running"}"#: 0,
            #"millrace_encoder_speed_ratio{source="live/b",stream="live/b_x"}"#: 0.5,
            "millrace_relayed_messages_total": 80, "millrace_payload_copies_total": 240,
            "millrace_sender_threads": 2, "millrace_measured_deliveries_total": 5,
            #"millrace_delivery_seconds{part="queueing",percentile="99"}"#: 0.02,
            "process_cpu_seconds_total": 2, "process_open_fds": 12,
        ]
        for (series, value) in expected { #expect(page.values[series] == value, "\(series)") }
        // A limit that is not there has no sample, and neither has HLS of a stream without it.
        #expect(page.values["millrace_players_limit"] == nil)
        #expect(page.values[#"millrace_stream_hls_bytes{stream="live/b"}"#] == nil)
    }

    /// Prometheus refuses a page that has a series twice, so a publisher must not be able to choose
    /// a name that makes another stream's series.
    @Test func namesThatPrintAlikeStayApart() {
        let long = String(repeating: "x", count: 1100)
        let names = ["live/a\nb", #"live/a\u{a}b"#, #"live/a\u{5c}u{a}b"#, long + "1", long + "2"]
        let streams = names.map { name in
            ServerStatus.Stream(
                name: name, isPublished: true, receivedBytes: 0, videoFrames: 0, audioFrames: 0,
                keyFrames: 0, rtmpSubscribers: 0, flvSubscribers: 0, droppedFrames: 0,
                gopCacheBytes: 0)
        }
        let ladders = [("live/a", "x_y"), ("live/a_x", "y")].map { source, name in
            LadderStatus(
                source: source, mode: .perRendition,
                renditions: [
                    .init(name: name, stream: "live/a_x_y", state: .running, restarts: 0, speed: 1)
                ])
        }
        let status = ServerStatus(version: "1", streams: streams, ladders: ladders)
        let page = MetricsPage(ServerMetrics.text(status, nil))
        #expect(page.problems == [])
        let series = page.values.keys.filter { $0.hasPrefix("millrace_stream_published{") }
        #expect(series.count == names.count)
    }

    @Test func thePageOfTheEdge() {
        let page = MetricsPage(Self.edgePage)
        #expect(page.problems == [])
        let requests: [String: Double] = ["hit": 50, "miss": 27, "collapsed": 18, "refused": 5]
        for (outcome, count) in requests {
            let labels = "kind=\"segment\",outcome=\"\(outcome)\""
            #expect(page.values["millrace_edge_requests_total{\(labels)}"] == count)
        }
        #expect(page.values[#"millrace_edge_sent_bytes_total{kind="segment"}"#] == 1000)
        #expect(page.values[#"millrace_edge_sent_bytes_total{kind="init"}"#] == 0)
        #expect(page.values["millrace_edge_cache_bytes"] == 700)
        #expect(page.values["millrace_edge_cache_limit_bytes"] == 4000)
        let refused = "millrace_edge_refused_connections_total"
        #expect(page.values["\(refused){limit=\"connections_per_address\"}"] == 6)
        #expect(page.values["\(refused){limit=\"connections\"}"] == 0)
        #expect(page.values["process_start_time_seconds"] == 1e9 + 10)
    }

    @Test func theDocumentNamesEveryMetric() throws {
        let document = try String(
            contentsOfFile: "\(Programs.repository)/docs/server-and-edge.md", encoding: .utf8)
        for page in [Self.serverPage, Self.edgePage] {
            for name in MetricsPage(page).names {
                #expect(document.contains("`\(name)`"), "\(name) is not in server-and-edge.md")
            }
        }
    }

    /// Prometheus' own tool has nothing to say about the pages.
    @Test(.enabled(if: Shell.has("promtool"), "apt-get install prometheus"))
    func promtoolAcceptsThePages() async throws {
        let file = Shell.temporaryPath("prom")
        defer { try? FileManager.default.removeItem(atPath: file) }
        for page in [Self.serverPage, Self.edgePage] {
            try page.write(toFile: file, atomically: true, encoding: .utf8)
            let result = try await Shell.run(["sh", "-c", "promtool check metrics < '\(file)'"])
            #expect(result.status == 0 && result.errors + result.output == "")
        }
    }

    // MARK: The process

    @Test func processFields() throws {
        let process = try #require(Self.process)
        #expect(process.cpuSeconds == 2 && process.threads == 7)
        #expect(process.startSeconds == 1e9 + 10)
        #expect(process.residentBytes == 102_400)
        let huge = "S" + String(repeating: " 9223372036854775807", count: 30)
        for bad in ["", "S 1 2", String(repeating: "x ", count: 30), huge] {
            let fields = bad.split(separator: " ")
            #expect(
                ProcessMetrics(
                    fields: fields, ticksPerSecond: 100, pageBytes: 4096, bootSeconds: nil) == nil)
        }
    }

    @Test func thisProcess() throws {
        let process = try #require(ProcessMetrics.now)
        #expect(process.cpuSeconds >= 0 && process.threads > 0 && process.residentBytes > 0)
        #expect(try #require(process.openDescriptors) > 2)
        #expect(try #require(process.descriptorLimit) > 2)
        let start = try #require(process.startSeconds)
        // The clock of the boot time has whole seconds.
        #expect(start > 1e9 && start < Date().timeIntervalSince1970 + 2)
    }
}
