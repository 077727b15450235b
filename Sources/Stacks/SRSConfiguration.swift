import Scenario

/// The configuration of SRS 6 and later that a run writes, with placeholders for ports, address and
/// directory. Its directives are those of SRS's `trunk/conf/full.conf`.
struct SRSConfiguration: Sendable {
    /// The RTMP application, and the folder of the playlists.
    static let application = "live"
    /// Name of the configuration's file in the server's directory.
    static let fileName = "srs.conf"

    var profile = ServerStart.SRSProfile.realTime
    /// Whether joiners get the stream from the last key frame on.
    var hasGOPCache = true
    /// Time for which writes are merged; nil = the profile's.
    var mergedWriteMilliseconds: Int?
    /// Size of outgoing chunks in bytes; nil = SRS's default.
    var chunkSize: Int?
    /// Settings of SRS's own HLS packager; nil if SRS packages nothing.
    var hls: (segmentSeconds: Double, windowSeconds: Double)?
    /// Most connections. SRS does not start if it may open fewer descriptors.
    var connections = 1000
    /// Whether the server listens on all addresses.
    var listensEverywhere = false

    /// The text of the configuration.
    var text: String {
        let host = listensEverywhere ? "" : "\(ServerPlaceholder.host.text):"
        let directory = ServerPlaceholder.directory.text
        var lines = [
            "listen \(host)\(ServerPlaceholder.rtmpPort.text);",
            "max_connections \(connections);", "daemon off;", "srs_log_tank console;",
            "srs_log_level warn;", "pid \(directory)/srs.pid;",
        ]
        if let chunkSize { lines.append("chunk_size \(chunkSize);") }
        lines += [
            "http_api { enabled off; }", "http_server {", "    enabled on;",
            "    listen \(host)\(ServerPlaceholder.httpPort.text);", "    dir \(directory)/html;",
            "}", "vhost __defaultVhost__ {",
        ]
        lines += virtualHost.map { "    \($0)" } + ["}"]
        return lines.joined(separator: "\n") + "\n"
    }

    private var virtualHost: [String] {
        let directory = ServerPlaceholder.directory.text
        var lines = profile == .realTime ? ["tcp_nodelay on;", "min_latency on;"] : []
        var play = ["gop_cache \(hasGOPCache ? "on" : "off");"]
        if let merged = mergedWriteMilliseconds ?? (profile == .realTime ? 0 : nil) {
            play.append("mw_latency \(merged);")
        }
        lines.append("play { \(play.joined(separator: " ")) }")
        if profile == .realTime { lines.append("publish { mr off; }") }
        lines.append("http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }")
        guard let hls else { return lines }
        lines += [
            "hls {", "    enabled on;", "    hls_fragment \(Quantity.plain(hls.segmentSeconds));",
            "    hls_window \(Quantity.plain(hls.windowSeconds));",
            "    hls_path \(directory)/html;",
            // With contexts, SRS answers a player's first request with a playlist of its own.
            "    hls_ctx off;", "    hls_ts_ctx off;", "}",
        ]
        return lines
    }

    /// Returns the multivariant playlist of a stream. SRS writes none; the run does, below the
    /// folder of the stream's media playlists.
    static func playlist(stream: String, variants: [NginxVariant]) -> String {
        // The container adds its own bytes, and segments deviate from the mean.
        let lines = variants.flatMap { variant in
            [
                "#EXT-X-STREAM-INF:BANDWIDTH=\(variant.bitsPerSecond / 2 * 3),"
                    + "AVERAGE-BANDWIDTH=\(variant.bitsPerSecond / 20 * 23),"
                    + "RESOLUTION=\(variant.width)x\(variant.height),"
                    + "FRAME-RATE=\(variant.framesPerSecond).000",
                "../\(stream)_\(variant.rendition).m3u8",
            ]
        }
        return (["#EXTM3U"] + lines).joined(separator: "\n") + "\n"
    }

    /// Path of that playlist below the server's directory.
    static func playlistName(stream: String) -> String {
        "html/\(application)/\(stream)/master.m3u8"
    }
}
