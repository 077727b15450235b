import HTTPWire

/// The status in the form that Prometheus reads (text exposition format 0.0.4).
enum ServerMetrics {
    static func text(_ status: ServerStatus) -> String {
        var text = ""
        func metric(
            _ name: String, _ kind: String, _ help: String,
            _ samples: [(labels: String, value: Int)]
        ) {
            text += "# HELP millrace_\(name) \(help)\n# TYPE millrace_\(name) \(kind)\n"
            for sample in samples { text += "millrace_\(name)\(sample.labels) \(sample.value)\n" }
        }
        let usage = status.usage
        metric(
            "usage", "gauge", "What is there now of each thing that has a limit.",
            usage.map { (label("of", $0.name), $0.used) })
        metric(
            "limit", "gauge", "The limit on each thing; 0 = none.",
            usage.map { (label("of", $0.name), $0.limit) })
        metric(
            "refused_total", "counter", "What was refused, by the limit that bit.",
            Admissions.Limit.allCases.map {
                (label("limit", $0.rawValue), status.refused[$0.rawValue] ?? 0)
            })
        metric(
            "left_out_messages_total", "counter",
            "Media messages on a message stream on which nothing is published, or too long to be kept.",
            [("", status.leftOutMessages)])
        let streams = status.streams
        func perStream(_ value: (ServerStatus.Stream) -> Int) -> [(labels: String, value: Int)] {
            streams.map { (label("stream", $0.name), value($0)) }
        }
        metric(
            "stream_received_bytes", "gauge", "Bytes of the publication so far.",
            perStream(\.receivedBytes))
        metric(
            "stream_subscribers", "gauge", "RTMP and HTTP-FLV players.",
            perStream { $0.rtmpSubscribers + $0.flvSubscribers })
        metric(
            "stream_dropped_frames", "gauge", "Frames not sent to slow players.",
            perStream(\.droppedFrames))
        metric(
            "stream_gop_cache_bytes", "gauge", "Bytes kept for joining players.",
            perStream(\.gopCacheBytes))
        metric(
            "stream_hls_bytes", "gauge", "Bytes of HLS that can be fetched.",
            streams.compactMap { stream in
                stream.hls.map { (label("stream", stream.name), $0.storedBytes) }
            })
        return text
    }

    private static func label(_ name: String, _ value: String) -> String {
        var escaped = ""
        for scalar in value.printable.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return "{\(name)=\"\(escaped)\"}"
    }
}
