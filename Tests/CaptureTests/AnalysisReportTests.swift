import Foundation
import Statistics
import Testing

@testable import Capture

/// A report with something of everything.
private func wholeReport() -> CaptureReport {
    var messages = MatchCounts()
    (messages.matched, messages.unmatched, messages.burst, messages.missing) = (40, 3, 2, 1)
    var traffic = TrafficCounters()
    (traffic.payloadBytes, traffic.networkBytes, traffic.linkBytes) = (9000, 9200, 9300)
    (traffic.segments, traffic.retransmittedBytes, traffic.mssAssumed) = (7, 100, true)
    let viewer = SubscriberReport(
        clientAddress: "10.0.0.2", clientPort: 50_000, serverPort: 1935, transport: .httpFLV,
        playNanoseconds: 5, isDissected: false, payloadBytes: 8000, audioMessages: 20,
        videoMessages: 26, messages: messages, traffic: traffic, wireKbps: 12.345)
    var delay = DelayHistogram()
    for milliseconds in [1, 2, 3] as [Int64] { delay.record(nanoseconds: milliseconds * 1_000_000) }
    let ingress = IngressReport(
        payloadBytes: 8500, audioMessages: 20, videoMessages: 30, traffic: TrafficCounters())
    let stream = CapturedStreamReport(
        name: "demo\u{1B}", app: "live", publishers: 1, subscribers: 1,
        subscribersByProtocol: ["http-flv": 1], payloadKbps: 10, retransmittedBytes: 100,
        relayDelay: delay, relayDelayByProtocol: [:], ingress: ingress, viewers: [viewer],
        upstream: [], downstream: [], frames: [])
    var row = HTTPTrafficRow(rendition: "720p", kind: .segment)
    (row.responses, row.failures, row.payloadBytes, row.wireBytes) = (5, 1, 5000, 5500)
    var report = CaptureReport()
    report.streams = [stream]
    report.http = [row]
    report.capture.packets = 100
    report.capture.bytes = 20_000
    (report.capture.firstNanoseconds, report.capture.lastNanoseconds) = (0, 2_500_000_000)
    (report.capture.flows, report.capture.undissectedFlows) = (4, 3)
    (report.capture.cutPackets, report.capture.cutLength, report.capture.cutFlows) = (9, 96, 1)
    (report.capture.gaps, report.capture.gapBytes) = (1, 1448)
    report.capture.droppedPackets = 6
    report.capture.passedOver = [PassedOver(.udp, number: 53, packets: 12)]
    report.capture.copies = CopyReport(packets: 8, bytes: 800, interfaces: ["lo"])
    report.capture.unreadBodies = [UnreadBodies(coding: "br", bodies: 2)]
    report.capture.ports = [PortReport(port: 443, flows: 2, undissectedFlows: 2)]
    return report
}

struct AnalysisJSONTests {
    private static func json(
        _ report: CaptureReport, problem: String? = nil
    ) throws -> [String: Any] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let data = try encoder.encode(AnalysisJSON(report, problem: problem))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    private static func first(_ value: Any?) throws -> [String: Any] {
        try #require((value as? [[String: Any]])?.first)
    }

    private static func keys(_ object: [String: Any]) -> String {
        object.keys.sorted().joined(separator: " ")
    }

    @Test func `the keys of the document are fixed`() throws {
        let document = try Self.json(wholeReport(), problem: "cut off")
        #expect(Self.keys(document) == "capture http streams")
        let stream = try Self.first(document["streams"])
        #expect(
            Self.keys(stream)
                == "app burst ingress_messages ingress_payload_bytes matched missing name payload_kbps publishers relay_delay_ms retransmitted_bytes subscribers subscribers_by_protocol unmatched viewers wire_kbps"
        )
        let viewer = try Self.first(stream["viewers"])
        #expect(
            Self.keys(viewer)
                == "burst client client_port dissected matched missing mss_assumed network_bytes payload_bytes protocol retransmitted_bytes segments tcp_payload_bytes unmatched wire_bytes wire_kbps"
        )
        let delay = try #require(stream["relay_delay_ms"] as? [String: Any])
        #expect(Self.keys(delay) == "count max mean p50 p90 p99")
        let row = try Self.first(document["http"])
        #expect(
            Self.keys(row)
                == "failures kind rendition responses retransmitted_bytes tcp_payload_bytes wire_bytes"
        )
    }

    @Test func `the keys of the totals are fixed`() throws {
        let document = try Self.json(wholeReport(), problem: "cut off")
        let capture = try #require(document["capture"] as? [String: Any])
        #expect(
            Self.keys(capture)
                == "bytes copies cut dropped_packets duplicates duration_s encrypted_flows flows gap_bytes gaps ignored_flows ip_fragments malformed_packets out_of_order_segments packets passed_over ports problem understood_packets undissected_flows unread_bodies"
        )
        let cut = try #require(capture["cut"] as? [String: Any])
        #expect(Self.keys(cut) == "at_bytes connections mend of_packets packets payload_bytes")
        let copies = try #require(capture["copies"] as? [String: Any])
        #expect(Self.keys(copies) == "bytes interfaces mend packets")
        let passed = try Self.first(capture["passed_over"])
        #expect(Self.keys(passed) == "mend name number packets reason")
        let unread = try Self.first(capture["unread_bodies"])
        #expect(Self.keys(unread) == "bodies content_coding mend")
        let port = try Self.first(capture["ports"])
        #expect(
            Self.keys(port)
                == "downstream_tcp_payload_bytes downstream_wire_bytes flows port undissected_flows upstream_tcp_payload_bytes upstream_wire_bytes"
        )
    }

    @Test func `a figure that is missing is null`() throws {
        let document = try Self.json(wholeReport())
        let stream = try Self.first(document["streams"])
        #expect(stream["wire_kbps"] is NSNull)
        #expect(stream["payload_kbps"] as? Double == 10)
        let capture = try #require(document["capture"] as? [String: Any])
        #expect(capture["problem"] == nil)
    }

    @Test func `a capture of nothing has the totals alone`() throws {
        let document = try Self.json(CaptureReport())
        #expect((document["streams"] as? [Any])?.isEmpty == true)
        let capture = try #require(document["capture"] as? [String: Any])
        #expect(capture["packets"] as? Int == 0)
        #expect(capture["cut"] == nil && capture["copies"] == nil)
    }
}

struct AnalysisTextTests {
    @Test func `the text has a line for everything`() {
        let lines = AnalysisText(wholeReport()).lines
        #expect(lines.first == "capture   100 packets, 20000 bytes in 2.50 s, 4 connections")
        let notes = "          2 connections not understood, 1 connections counted by headers"
        #expect(lines.count > 1 && lines[1].hasPrefix(notes), "\(lines)")
        for line in [
            "  relay delay of 3 messages: mean 2.00 p50 2.00 p90 3.00 p99 3.00 max 3.00 ms",
            "  http-flv port 50000: 8000 bytes of media, wire 12.35 kbit/s, matched 40 burst 2 unmatched 3 missing 1, counted by headers",
            "720p segment: 5 responses, 1 failed, payload 5000 bytes, wire 5500 bytes, retransmitted 0 bytes",
            "PASSED OVER",
            "       12 packets  UDP port 53 (DNS)  none is needed: it carries no TCP",
        ] { #expect(lines.contains(line), "\(line) is not in \(lines)") }
    }

    @Test func `a stranger's control characters are numbers`() {
        let lines = AnalysisText(wholeReport()).lines
        let stream =
            "live/demo\\u{1b}: 1 subscribers, payload 10.00 kbit/s, wire - kbit/s, retransmitted 100 bytes"
        #expect(lines.contains(stream), "\(lines)")
    }

    @Test func `a capture of nothing is one line`() {
        #expect(
            AnalysisText(CaptureReport()).lines
                == ["capture   0 packets, 0 bytes in 0.00 s, 0 connections"])
    }
}
