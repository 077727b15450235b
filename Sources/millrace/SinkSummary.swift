import HTTPWire
import Statistics
import Viewer

/// Summary of what a sink received, for people and as JSON. The keys of the JSON do not change.
struct SinkSummary: Encodable {
    /// One stream over all its sessions.
    struct Stream: Encodable {
        var name: String
        var sessions: Int
        var reconnects: Int
        var orderlyEnds: Int
        var cutOffs: Int
        var videoMessages: Int
        var audioMessages: Int
        var payloadBytes: Int
        /// Stamped frames, and those that did not come or came twice; nil without stamps.
        var frames: Int?
        var framesMissing: Int?
        var framesDuplicate: Int?
        var delayP50Milliseconds: Double?
        var delayP99Milliseconds: Double?
        var delayMaximumMilliseconds: Double?
        var delayUncorrectedP99Milliseconds: Double?
        var failure: String?

        private enum CodingKeys: String, CodingKey {
            case name, sessions, reconnects, frames, failure
            case orderlyEnds = "orderly_ends"
            case cutOffs = "cut_offs"
            case videoMessages = "video_messages"
            case audioMessages = "audio_messages"
            case payloadBytes = "payload_bytes"
            case framesMissing = "frames_missing"
            case framesDuplicate = "frames_duplicate"
            case delayP50Milliseconds = "delay_p50_ms"
            case delayP99Milliseconds = "delay_p99_ms"
            case delayMaximumMilliseconds = "delay_max_ms"
            case delayUncorrectedP99Milliseconds = "delay_uncorrected_p99_ms"
        }
    }

    /// Number of streams that are printed one by one.
    private static let lineLimit = 20

    var seconds: Double
    var refused: [String: Int]
    var leftOutMessages: Int
    var streams: [Stream]

    private enum CodingKeys: String, CodingKey {
        case seconds, refused, streams
        case leftOutMessages = "left_out_messages"
    }

    init(_ report: SinkReport, seconds: Double) {
        self.seconds = seconds
        refused = report.refused
        leftOutMessages = report.leftOutMessages
        streams = zip(report.names, report.probes.viewers).map { name, stream in
            Stream(name, stream)
        }
    }

    var lines: [String] {
        var lines = [
            "\(streams.count) streams in \(Figure.plain(seconds)) s, "
                + "\(streams.reduce(0) { $0 + $1.reconnects }) reconnects"
        ]
        lines += streams.prefix(Self.lineLimit).map(\.line)
        if streams.count > Self.lineLimit {
            lines.append(
                "and \(streams.count - Self.lineLimit) more streams; --json has all of them")
        }
        for (reason, count) in refused.sorted(by: { $0.key < $1.key }) {
            lines.append("refused \(count): \(reason)")
        }
        if leftOutMessages > 0 {
            lines.append("left out: \(leftOutMessages) messages that belong to no stream")
        }
        return lines
    }
}

extension SinkSummary.Stream {
    init(_ name: String, _ report: ProbeViewerReport) {
        let counts = report.pushed ?? PushedStreamCounts()
        self.name = name
        sessions = counts.sessions
        reconnects = counts.reconnects
        orderlyEnds = counts.orderlyEnds
        cutOffs = counts.cutOffs
        videoMessages = report.total.videoMessages
        audioMessages = report.total.audioMessages
        payloadBytes = report.total.payloadBytes
        failure = report.failure
        guard report.streamID != nil else { return }
        frames = report.windowFrames
        framesMissing = report.missingFrames
        framesDuplicate = report.duplicateFrames
        delayP50Milliseconds = report.delay.milliseconds(atPercentile: 50)
        delayP99Milliseconds = report.delay.milliseconds(atPercentile: 99)
        delayMaximumMilliseconds = report.delay.maximumMilliseconds
        delayUncorrectedP99Milliseconds = report.uncorrectedDelay.milliseconds(atPercentile: 99)
    }

    fileprivate var line: String {
        var text = "\(name.printable(limit: 200)): \(Figure.count(sessions, "session")), "
        if let frames, let framesMissing, let framesDuplicate {
            text += "\(frames) frames, \(framesMissing) missing, \(framesDuplicate) twice"
            if let p50 = delayP50Milliseconds, let p99 = delayP99Milliseconds {
                text += ", delay p50 \(Figure.plain(p50)) p99 \(Figure.plain(p99)) ms"
            }
        } else {
            text +=
                "\(videoMessages) video and \(audioMessages) audio messages, no stamps (delay needs a "
                + "stream that Millrace publishes)"
        }
        return text + (failure.map { ", \($0)" } ?? "")
    }
}
