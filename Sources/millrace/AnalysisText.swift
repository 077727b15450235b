import Capture
import Statistics

/// What `analyze` prints for people.
struct AnalysisText {
    let report: CaptureReport

    func show() {
        let capture = report.capture
        print(
            "capture   \(capture.packets) packets, \(capture.bytes) bytes in \(rounded(capture.durationSeconds)) s, \(capture.flows) connections"
        )
        var notes: [String] = []
        let foreign = capture.undissectedFlows - capture.cutFlows - capture.encryptedFlows
        if foreign > 0 { notes.append("\(foreign) connections not understood") }
        if capture.cutFlows > 0 {
            notes.append(
                "\(capture.cutFlows) connections counted by headers, their packets are cut")
        }
        if capture.gaps > 0 { notes.append("\(capture.gaps) gaps (\(capture.gapBytes) bytes)") }
        if let dropped = capture.droppedPackets { notes.append("\(dropped) packets dropped") }
        for port in capture.ports where port.undissectedFlows > 0 {
            notes.append(
                "port \(port.port): \(port.upstream.payloadBytes) bytes up, \(port.downstream.payloadBytes) down"
            )
        }
        if !notes.isEmpty { print("          \(notes.joined(separator: ", "))") }
        for note in capture.notes { print("          \(Self.escaped(note))") }
        for stream in report.streams {
            let names = stream.app.isEmpty ? stream.name : "\(stream.app)/\(stream.name)"
            print(
                "\(Self.escaped(names)): \(stream.subscribers) subscribers, payload \(number(stream.payloadKbps)) kbit/s, wire \(number(stream.wireKbps)) kbit/s, retransmitted \(stream.retransmittedBytes) bytes"
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
        printPassedOver(capture.passedOver)
    }

    /// Packets that were not looked into, by reason, each with its mend.
    private func printPassedOver(_ rows: [PassedOver]) {
        guard !rows.isEmpty else { return }
        print("PASSED OVER")
        let width = rows.map(\.name.count).max() ?? 0
        for row in rows {
            let packets = String(row.packets)
            let indent = String(repeating: " ", count: max(0, 9 - packets.count))
            let gap = String(repeating: " ", count: width - row.name.count)
            print("\(indent)\(packets) packets  \(row.name)\(gap)  \(row.mend)")
        }
    }

    /// Names come from strangers: control characters are written as their numbers.
    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
    }

    private func printHTTP(_ rows: [HTTPTrafficRow]) {
        for row in rows {
            let failures = row.failures > 0 ? ", \(row.failures) failed" : ""
            print(
                "\(Self.escaped(row.rendition)) \(row.kind.rawValue): \(row.responses) responses\(failures), payload \(row.payloadBytes) bytes, wire \(row.wireBytes) bytes, retransmitted \(row.retransmittedBytes) bytes"
            )
        }
    }

    private func number(_ value: Double?) -> String { value.map { rounded($0) } ?? "-" }
}
