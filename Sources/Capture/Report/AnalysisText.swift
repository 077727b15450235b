import HTTPWire
import Statistics

/// What `analyze` prints for people.
package struct AnalysisText {
    private let report: CaptureReport

    package init(_ report: CaptureReport) { self.report = report }

    package var lines: [String] {
        var lines = summary
        for stream in report.streams { lines += streamLines(stream) }
        lines += report.http.map { httpLine($0) }
        return lines + passedOver
    }

    private var summary: [String] {
        let capture = report.capture
        var lines = [
            "capture   \(capture.packets) packets, \(capture.bytes) bytes in \(Figure.plain(capture.durationSeconds)) s, \(capture.flows) connections"
        ]
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
        if !notes.isEmpty { lines.append("          \(notes.joined(separator: ", "))") }
        return lines + capture.notes.map { "          \(printable($0))" }
    }

    private func streamLines(_ stream: CapturedStreamReport) -> [String] {
        let name = stream.app.isEmpty ? stream.name : "\(stream.app)/\(stream.name)"
        var lines = [
            "\(printable(name)): \(stream.subscribers) subscribers, payload \(number(stream.payloadKbps)) kbit/s, wire \(number(stream.wireKbps)) kbit/s, retransmitted \(stream.retransmittedBytes) bytes"
        ]
        if let delay = stream.relayDelay, delay.count > 0 {
            lines.append(
                "  relay delay of \(delay.count) messages: mean \(number(delay.meanMilliseconds)) p50 \(number(delay.milliseconds(atPercentile: 50))) p90 \(number(delay.milliseconds(atPercentile: 90))) p99 \(number(delay.milliseconds(atPercentile: 99))) max \(number(delay.maximumMilliseconds)) ms"
            )
        }
        for viewer in stream.viewers {
            let counts = viewer.messages
            lines.append(
                "  \(viewer.transport.rawValue) port \(viewer.clientPort): \(viewer.payloadBytes) bytes of media, wire \(number(viewer.wireKbps)) kbit/s, matched \(counts.matched) burst \(counts.burst) unmatched \(counts.unmatched) missing \(counts.missing)\(viewer.isDissected ? "" : ", counted by headers")"
            )
        }
        return lines
    }

    private func httpLine(_ row: HTTPTrafficRow) -> String {
        let failures = row.failures > 0 ? ", \(row.failures) failed" : ""
        return
            "\(printable(row.rendition)) \(row.kind.rawValue): \(row.responses) responses\(failures), payload \(row.payloadBytes) bytes, wire \(row.wireBytes) bytes, retransmitted \(row.retransmittedBytes) bytes"
    }

    /// Packets that were not dissected, by reason, each with its mend.
    private var passedOver: [String] {
        let rows = report.capture.passedOver
        guard let width = rows.map(\.name.count).max() else { return [] }
        return ["PASSED OVER"]
            + rows.map { row in
                let packets = Figure.flushRight(String(row.packets), 9)
                return "\(packets) packets  \(Figure.flushLeft(row.name, width))  \(row.mend)"
            }
    }

    /// Names come from strangers, so their control characters are written as numbers.
    private func printable(_ text: String) -> String { text.printable(limit: .max) }

    private func number(_ value: Double?) -> String { value.map { Figure.plain($0) } ?? "-" }
}
