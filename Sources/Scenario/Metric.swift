/// A figure that thresholds may refer to.
package enum Metric: String, Codable, Sendable, CaseIterable {
    /// Delay from the intended time to the viewer (`vantage:viewer`, the default), or through the
    /// server (`vantage:wire`).
    case delayMilliseconds = "delay_ms"
    /// Delay from the time at which the frame was really sent.
    case uncorrectedDelayMilliseconds = "delay_uncorrected_ms"
    /// Time from the connection attempt to the first audio or video message, for load viewers and
    /// probes.
    case startupMilliseconds = "startup_ms"
    /// Lateness of generators in the window against their own schedule; of several roles, the worst
    /// counts.
    case generatorLagMilliseconds = "generator_lag_ms"
    /// Number of frames due to probes in the window that did not come; there is no figure without a
    /// probe.
    case framesMissing = "frames_missing"
    case framesDuplicate = "frames_duplicate"
    case retransmittedBytes = "retransmitted_bytes"
    case joinFailures = "join_failures"
    case disconnects
    case stalls
    case payloadKilobits = "payload_kbps"
    case wireKilobits = "wire_kbps"
    /// Stalled time divided by playing and stalled time together, 0…1, for a probe or a group of
    /// adaptive viewers.
    case stallRatio = "stall_ratio"
    /// Mean over the mean nominal bit rates of the viewers in a group of adaptive viewers.
    case meanBitrateKilobits = "mean_bitrate_kbps"
    /// Mean distance of each adaptive viewer from the live edge.
    case liveLatencyMilliseconds = "live_latency_ms"
    /// Number of rendition changes of adaptive viewers.
    case switches
    /// CPU seconds of an encoder per second of media.
    case encoderCPUSeconds = "cpu_s_per_media_s"
    /// Delay from the source's frame into the server to the rendition's frame into the server;
    /// requires a capture.
    case encoderDelayMilliseconds = "encoder_delay_ms"
    /// Share of the stamps found after the encoder, 0…1. Only stamps that the rendition's frame
    /// rate keeps are expected.
    case stampsFound = "stamps_found"
    /// SSIM of a rendition against its source, 1 = equal; only for ladders with `quality`.
    case ssim
    /// PSNR of a rendition against its source in dB; 100 if there is no difference at all.
    case psnrDecibels = "psnr_db"
    /// CPU of the server in percent; 100 = one core.
    case serverCPUPercent = "server_cpu_percent"
    case viewerCPUPercent = "viewer_cpu_percent"
    case publisherCPUPercent = "publisher_cpu_percent"
    case serverRSSBytes = "server_rss_bytes"
    /// CPU of all edges together.
    case edgeCPUPercent = "edge_cpu_percent"
    /// Requests that reached the origin in the whole run, by kind and by delivery path.
    case originRequests = "origin_requests"
    /// Body bytes that crossed the WAN in the whole run, by kind and by delivery path.
    case wanBytes = "wan_bytes"
    /// Share of the edges' requests that needed no request to the origin, 0…1, by kind.
    case edgeHitRatio = "edge_hit_ratio"
    /// Bytes of segments that edges read from the origin, divided by the bytes of the distinct
    /// segments that the edges' viewers requested and by the number of edges; 1 is ideal. There is
    /// no figure if parts are fetched.
    case wanSegmentRatio = "wan_segment_ratio"
    /// Number of the edges' segment requests to the origin for each distinct segment; the ideal is
    /// the number of edges. There is no figure if parts are fetched.
    case originRequestsPerSegment = "origin_requests_per_segment"
    /// Time from a segment's request to its last byte, for adaptive viewers in the window.
    case fetchMilliseconds = "fetch_ms"
    /// Median of `fetch_ms` of viewers at the origin minus the median of viewers at edges. Groups
    /// are compared if they have the same stream, rendition or algorithm, and link; of several such
    /// pairs the mean counts.
    case fetchSavedMilliseconds = "fetch_saved_ms"
    /// Number of viewers in the last interval of five seconds that was sustained while the load
    /// grows: four of five segments due were fetched, and half of them within their own duration.
    /// There is a figure for each delivery path if the server's uplink is limited.
    case sustainedViewers = "sustained_viewers"

    /// CPU seconds of server and edges for each gigabit of payload that viewers received in the
    /// window.
    case cpuSecondsPerGigabit = "cpu_s_per_gigabit"
    /// Viewers that played in the window for each core that server and edges used.
    case viewersPerCore = "viewers_per_core"

    package enum Kind: String, Sendable {
        case distribution, counter, value

        func accepts(_ aggregation: Threshold.Aggregation) -> Bool {
            switch aggregation {
            case .percentile, .mean, .median, .minimum, .maximum: self == .distribution
            case .count: self == .counter
            case .value: self == .value
            }
        }

        var usage: String {
            switch self {
            case .distribution: "p(N), avg, med, min or max"
            case .counter: "count"
            case .value: "value"
            }
        }
    }

    /// Whether the metric is about encoders.
    var isOfEncoders: Bool {
        [.encoderCPUSeconds, .encoderDelayMilliseconds, .stampsFound].contains(self)
            || isOfQuality
    }

    /// Whether the metric requires a comparison of renditions with their source.
    var isOfQuality: Bool { self == .ssim || self == .psnrDecibels }

    package var kind: Kind {
        switch self {
        case .delayMilliseconds, .uncorrectedDelayMilliseconds, .startupMilliseconds,
            .generatorLagMilliseconds, .liveLatencyMilliseconds, .fetchMilliseconds,
            .encoderDelayMilliseconds:
            .distribution
        case .framesMissing, .framesDuplicate, .retransmittedBytes, .joinFailures, .disconnects,
            .stalls, .switches, .originRequests, .wanBytes:
            .counter
        case .payloadKilobits, .wireKilobits, .stallRatio, .meanBitrateKilobits,
            .serverCPUPercent, .viewerCPUPercent, .encoderCPUSeconds, .stampsFound,
            .publisherCPUPercent, .serverRSSBytes, .edgeCPUPercent, .edgeHitRatio,
            .wanSegmentRatio, .originRequestsPerSegment, .fetchSavedMilliseconds, .sustainedViewers,
            .ssim, .psnrDecibels, .cpuSecondsPerGigabit, .viewersPerCore:
            .value
        }
    }
}
