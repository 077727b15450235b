import HTTPWire

/// The status in the form that Prometheus reads. Counters of a stream begin again with each
/// publication.
enum ServerMetrics {
    private typealias Sample = MetricsText.Sample

    /// - Parameter process: Figures of the server's process; nil = unknown.
    static func text(
        _ status: ServerStatus, _ process: ProcessMetrics? = ProcessMetrics.now
    ) -> String {
        var page = MetricsText()
        addUsage(status.usage, to: &page)
        page.add(
            "millrace_refused_total", .counter, "What was refused, by the limit that bit.",
            Admissions.Limit.allCases.map { limit in
                Sample(status.refused[limit.rawValue] ?? 0, ["limit": limit.rawValue])
            })
        page.add(
            "millrace_left_out_messages_total", .counter,
            "Media messages on a message stream on which nothing is published, or too long to be kept.",
            [Sample(status.leftOutMessages)])
        addStreams(status.streams, to: &page)
        addHLS(status.streams, to: &page)
        addEncoders(status.ladders.flatMap(\.renditions), to: &page)
        addPushes(status.pushes, to: &page)
        process?.add(to: &page)
        return page.text
    }

    private static let usageHelp = [
        "connections": "Open connections of all kinds.",
        "publishers": "Streams that are published.",
        "players": "RTMP and HTTP-FLV players.",
        "hls_streams": "Streams that HLS keeps, ended ones included.",
        "unfinished_bytes": "Bytes of messages that have begun and not ended.",
        "hls_bytes": "Bytes of HLS that can be fetched.",
        "gop_cache_bytes": "Bytes kept for joining players.",
    ]

    /// What has a limit. A limit that is not there has no sample, so that a share of it has none
    /// either.
    private static func addUsage(_ usage: [LimitUsage], to page: inout MetricsText) {
        for one in usage {
            let name = "millrace_\(one.name)"
            page.add(
                name, .gauge, usageHelp[one.name] ?? "In use, of what has a limit.",
                [Sample(one.used)])
            guard one.limit > 0 else { continue }
            let unit = "_bytes"
            let limitName =
                name.hasSuffix(unit)
                ? "\(name.dropLast(unit.count))_limit\(unit)" : "\(name)_limit"
            page.add(limitName, .gauge, "Limit on \(name).", [Sample(one.limit)])
        }
    }

    private static func addStreams(
        _ streams: [ServerStatus.Stream], to page: inout MetricsText
    ) {
        func add(
            _ name: String, _ kind: MetricsText.Kind, _ help: String,
            _ value: (ServerStatus.Stream) -> Int
        ) {
            page.add(
                "millrace_stream_\(name)", kind, help,
                streams.map { Sample(value($0), ["stream": $0.name.printable]) })
        }
        add("published", .gauge, "1 if the publisher is there, 0 if it is gone.") {
            $0.isPublished ? 1 : 0
        }
        add("received_bytes_total", .counter, "Bytes of the publication.", \.receivedBytes)
        page.add(
            "millrace_stream_received_frames_total", .counter, "Frames of the publication.",
            streams.flatMap { stream in
                [("video", stream.videoFrames), ("audio", stream.audioFrames)].map { kind, count in
                    Sample(count, ["stream": stream.name.printable, "kind": kind])
                }
            })
        add("key_frames_total", .counter, "Key frames of the publication.", \.keyFrames)
        page.add(
            "millrace_stream_players", .gauge, "Players by protocol.",
            streams.flatMap { stream in
                [("rtmp", stream.rtmpSubscribers), ("http-flv", stream.flvSubscribers)].map {
                    name, count in
                    Sample(count, ["stream": stream.name.printable, "protocol": name])
                }
            })
        add(
            "dropped_frames_total", .counter, "Frames not sent to slow players.", \.droppedFrames)
        add("gop_cache_bytes", .gauge, "Bytes kept for joining players.", \.gopCacheBytes)
    }

    private static func addHLS(_ streams: [ServerStatus.Stream], to page: inout MetricsText) {
        let packaged = streams.compactMap { stream in
            stream.hls.map { (name: stream.name.printable, hls: $0) }
        }
        func add(
            _ name: String, _ kind: MetricsText.Kind, _ help: String,
            _ value: (ServerStatus.HLS) -> Int
        ) {
            page.add(
                "millrace_stream_hls_\(name)", kind, help,
                packaged.map { Sample(value($0.hls), ["stream": $0.name]) })
        }
        add("bytes", .gauge, "Bytes of HLS that can be fetched.", \.storedBytes)
        add("segments_total", .counter, "Segments made.", \.segments)
        add("parts_total", .counter, "Parts of segments made.", \.parts)
        add("discontinuities_total", .counter, "Discontinuities.", \.discontinuities)
        add(
            "dropped_segments_total", .counter,
            "Segments too short to be listed, or with too many bytes for their duration.",
            \.droppedSegments)
        page.add(
            "millrace_stream_hls_lost_frames_total", .counter,
            "Frames that are not in HLS: unusable (before the first key frame, or broken), stray (far from the other track), codec (not in this container).",
            packaged.flatMap { name, hls in
                [
                    ("unusable", hls.droppedFrames), ("stray", hls.strayFrames),
                    ("codec", hls.leftOutFrames),
                ].map { reason, count in Sample(count, ["stream": name, "reason": reason]) }
            })
        add("requests_total", .counter, "Requests answered.", \.requests)
        add("sent_bytes_total", .counter, "Bytes of bodies sent.", \.sentBytes)
        add(
            "blocked_requests", .gauge, "Requests that wait for a segment or part.",
            \.blockedRequests)
    }

    private static func addPushes(_ pushes: [PushStatus], to page: inout MetricsText) {
        func add(
            _ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: (PushStatus) -> Int
        ) {
            page.add(
                "millrace_push_\(name)", kind, help,
                pushes.map {
                    Sample(
                        value($0),
                        ["stream": $0.stream.printable, "target": $0.target.printable])
                })
        }
        add("live", .gauge, "1 if the target takes the stream, else 0.") {
            $0.state == .live ? 1 : 0
        }
        add("sent_bytes_total", .counter, "Bytes sent to the target.", \.sentBytes)
        add(
            "dropped_frames_total", .counter, "Frames not sent because the target took too little.",
            \.droppedFrames)
        add(
            "reconnects_total", .counter,
            "Times that the connection was established again or tried.",
            \.reconnects)
    }

    private static func addEncoders(
        _ renditions: [LadderStatus.Rendition], to page: inout MetricsText
    ) {
        page.add(
            "millrace_encoder_state", .gauge,
            "1 for the state of the rendition's encoder, 0 for the others.",
            renditions.flatMap { rendition in
                LadderStatus.State.allCases.map { state in
                    Sample(
                        state == rendition.state ? 1 : 0,
                        ["stream": rendition.stream.printable, "state": state.rawValue])
                }
            })
        page.add(
            "millrace_encoder_restarts_total", .counter, "Starts after the first one.",
            renditions.map { Sample($0.restarts, ["stream": $0.stream.printable]) })
        page.add(
            "millrace_encoder_speed_ratio", .gauge,
            "Media seconds made per second; below 1 the encoder does not keep up.",
            renditions.compactMap { rendition in
                rendition.speed.map { Sample($0, ["stream": rendition.stream.printable]) }
            })
    }
}
